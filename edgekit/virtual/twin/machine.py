# SPDX-License-Identifier: GPL-2.0-or-later
"""The board: core, peripherals, virtual time, and what the host may do to it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import unicorn as u
from unicorn import arm_const as r

from . import counting, memory
from .bus import PRIVATE, Bus
from .clock import Clock, Pace
from .config import TwinConfig
from .control import Request, nowhere
from .core import Core
from .decode import Decoder
from .engine import Engine
from .faults import LinkFaults
from .image import Image
from .parts import Soc, Surroundings
from .server import LinkServer
from .state import State, StateLog
from .wire import HostWire

_LOG = logging.getLogger(__name__)
_FOREVER = 0xFFFF_FFFE
_WFI = b"\x30\xbf"
_KICK_S = 0.002
_BROWN_OUT_NS = 50_000_000


class Machine:
    """Runs the image until the process ends."""

    def __init__(self, config: TwinConfig, soc: Soc, image: Image, link: LinkServer) -> None:
        self.config, self.image, self._link = config, image, link
        self.soc, self.timing = soc, soc.cpu.timing
        self.clock, self._pace = Clock(), Pace()
        self.bus = Bus(self.clock)
        self.write_state: Callable[[bytes], None] = nowhere
        self.log = StateLog(lambda: self.clock.t_ns, lambda line: self.write_state(line))
        self.faults = LinkFaults(config.faults, self._trip)
        self._requests: deque[Request] = deque()
        self._wire_peripherals()
        self.counts: counting.Counts | None = None
        self.fault: str | None = None
        self.resets = self.inferences = 0
        self.ready_ns: int | None = None  # virtual time from power to waiting for the host
        self._halted = False
        self._window = image.function("model_run")
        self._cache = counting.cache_path(
            config.cache, image.digest, self.timing, config.wait_states
        )
        self._prepare_core()

    def _wire_peripherals(self) -> None:
        config, bus, clock = self.config, self.bus, self.clock
        self.wire = HostWire(
            self._link,
            bus,
            clock,
            self.log,
            self.faults,
            interrupted=lambda: bool(self._requests),
            waiting=self.note_ready,
        )
        around = Surroundings(config, bus, clock, self.wire, self.log.set_mark)
        self.parts = self.soc.build(around)
        cpu = self.soc.cpu
        self.core = Core(bus, clock, cpu, self.parts, lambda: self._trip("software_reset"))

    def _prepare_core(self) -> None:
        self._uc = uc = memory.new_core(self.config, self.image, self.soc)
        for base, size in (*self.soc.buses, PRIVATE):
            memory.map_bus(uc, base, size, self.bus)
        uc.hook_add(u.UC_HOOK_MEM_INVALID, memory.fault_catcher(self._note_fault))
        self._sites: set[int] = set()  # where model_run returns to
        self._hooks: list[int] = []  # of a counter, or of the boot
        self._gauge: memory.StackGauge | None = None
        self._counter: counting.WindowCounter | None = None
        self._booting = self._boot_over = False
        self._in_model = self._resuming = False
        self._return_to = 0
        self._stop = ""
        self._boot_costs: dict[int, int] = {}
        self._decoder = Decoder(self.timing)
        if self._window is not None:
            entry = self._window[0]
            uc.hook_add(u.UC_HOOK_CODE, self._on_entry, begin=entry, end=entry)
        self._clean = uc.context_save()

    def _trip(self, name: str) -> None:
        """Post a request from the board itself."""
        self.post(name)

    def post(self, name: str, value: float = 0.0) -> Request:
        """Ask for a reset or a fault; any thread."""
        request = Request(name, value)
        self._requests.append(request)
        threading.Thread(target=self._kick, args=(request,), daemon=True).start()
        return request

    def _kick(self, request: Request) -> None:
        """Stop the core until it has looked at the request.

        From a thread of its own: stopping inside an access to a register loses the program counter.
        """
        while not request.done.wait(_KICK_S):
            with request.lock:
                if not request.done.is_set():
                    self._uc.emu_stop()
            with self._link.changed:
                self._link.changed.notify_all()

    def run(self) -> None:
        """Power on, then emulate for ever."""
        self._reset("power")
        while True:
            if self._requests:
                self._serve(self._requests[0])
            elif self._halted:
                self.wire.idle_step(state=self.log.state, core_clocked=False)
            else:
                self._step()

    def _serve(self, request: Request) -> None:
        name = request.name
        _LOG.info("request: %s", name)
        self.wire.flush()
        if name in ("reset", "software_reset"):
            self._reset("pin" if name == "reset" else "software")
        elif name == "brown_out":
            self._power_off()
            self.clock.wait(int(request.value * 1e6) or _BROWN_OUT_NS, core_clocked=False)
            self._reset("power")
        elif name == "unplug":
            self._link.plug(False)
            self._power_off()
        elif name == "plug":
            self._link.plug(True)
            self._reset("power")
        elif name == "stuck":
            self._halted = True
        self.faults.cut = False
        self._requests.popleft()
        with request.lock:
            request.done.set()

    def _power_off(self) -> None:
        self._halted = True
        self.log.mark = 0
        self.log.set_state("off")

    def _reset(self, reason: str) -> None:
        self._detach()
        self._in_model = self._resuming = self._halted = False
        self.fault = None
        if reason == "power":
            memory.fill_ram(self._uc, self.config, self.soc)
            self._late_banner()
            self.clock.align()
            self._powered_ns = self.clock.t_ns
            self.ready_ns = None
        else:
            self.clock.align()
            self.resets += 1
        self.wire.discard()
        self.parts.clocks.reset(reason)
        for part in (*self.parts.others, self.core):
            part.reset()
        uc = self._uc
        uc.context_restore(self._clean)
        vectors = bytes(uc.mem_read(self.config.flash_base + self.soc.vectors, 8))
        uc.reg_write(r.UC_ARM_REG_SP, int.from_bytes(vectors[:4], "little"))
        uc.reg_write(r.UC_ARM_REG_PC, int.from_bytes(vectors[4:], "little"))
        self._begin_boot()
        self.wire.activity()

    def _late_banner(self) -> None:
        delay_s = self.config.faults.late_banner_s
        if delay_s:
            while not self._link.connected:
                time.sleep(0.005)
            time.sleep(delay_s)

    def _begin_boot(self) -> None:
        """Charge the code from reset to the first wait block by block: the cold start counts."""
        self._booting, self._boot_over = True, False
        before, refill = 0, self.timing.refill[1]

        def hook(uc: Engine, address: int, size: int, _data: object) -> None:
            nonlocal before
            if self._boot_over:
                self._stop = "booted"
                uc.emu_stop()
                return
            block = address << 16 | size
            cost = self._boot_costs.get(block)
            if cost is None:
                cost = self._decoder.block(bytes(uc.mem_read(address, size)), address).hi
                self._boot_costs[block] = cost
            self.clock.charge(cost if address == before else cost + refill)
            before = address + size

        self._hooks = [self._uc.hook_add(u.UC_HOOK_BLOCK, hook)]
        self._uc.ctl_flush_tb()

    def _detach(self) -> None:
        for hook in self._hooks:
            self._uc.hook_del(hook)
        if self._hooks:
            self._uc.ctl_flush_tb()
        self._hooks = []
        self._booting = False
        self._counter = None

    def _on_entry(self, uc: Engine, _address: int, _size: int, _data: object) -> None:
        returns_to = uc.reg_read(r.UC_ARM_REG_LR) & ~1
        known = self.counts is not None and returns_to in self._sites and not self._booting
        if not known and not self._resuming:
            self._stop = "entry"
            uc.emu_stop()
            return
        self._resuming = False
        self._in_model = True
        self.wire.flush()  # the host should not wait for an answer while the model runs
        self._return_to = returns_to
        self.wire.activity()
        self._pace.begin()

    def _on_return(self, uc: Engine, address: int, _size: int, _data: object) -> None:
        if not self._in_model or address != self._return_to:
            return
        self._in_model = False
        if self._counter is not None:
            self._stop = "return"
            uc.emu_stop()
        else:
            self._credit()

    def _credit(self) -> None:
        if self.counts is not None:
            before_ns = self.clock.t_ns
            self.clock.charge(self.counts.cycles_hi)
            if self.config.real_time:
                self._pace.end(self.clock.t_ns - before_ns)
        self.inferences += 1
        self.wire.activity()

    def _step(self) -> None:
        uc = self._uc
        self._stop = ""
        start = uc.reg_read(r.UC_ARM_REG_PC)
        try:
            uc.emu_start(start | 1, _FOREVER)
        except u.UcError as exc:
            self._fail(exc)
            return
        if self._requests:
            return
        if self._stop == "entry":
            self._enter_window()
        elif self._stop == "return":
            self._leave_window()
        elif self._stop == "booted":
            self._detach()
        elif bytes(uc.mem_read(uc.reg_read(r.UC_ARM_REG_PC) - 2, 2)) == _WFI:
            self._sleep()

    def _enter_window(self) -> None:
        uc = self._uc
        self._detach()
        site = uc.reg_read(r.UC_ARM_REG_LR) & ~1
        if site not in self._sites:
            self._sites.add(site)
            uc.hook_add(u.UC_HOOK_CODE, self._on_return, begin=site, end=site)
        if self.counts is None:
            self.counts = counting.recall(self._cache)
        if self.counts is None and self._window is not None:
            self._count(self._window, site)
        uc.ctl_flush_tb()
        self._resuming = True

    def _count(self, window: tuple[int, int], returns_to: int) -> None:
        uc, config = self._uc, self.config
        kept = self.soc.accelerator
        counter = counting.WindowCounter(window, returns_to, self.timing, kept, config.wait_states)
        self._hooks = [uc.hook_add(u.UC_HOOK_BLOCK, counter.on_block)]
        sp = uc.reg_read(r.UC_ARM_REG_SP)
        floor = memory.stack_floor(config, self.soc, self.image, sp)
        if counter.on_read is not None:
            base, end = config.flash_base, config.flash_base + config.flash_bytes - 1
            self._hooks += [
                uc.hook_add(u.UC_HOOK_MEM_READ, counter.on_read, begin=base, end=end),
                # Unicorn skips an instruction after a hooked read, in a block that a load of the
                # pc jumped to without a hook: so loads from the stack have one, which does nothing.
                uc.hook_add(u.UC_HOOK_MEM_READ, memory.ignore_read, begin=floor, end=sp - 1),
            ]
        self._counter = counter
        self._gauge = memory.StackGauge(uc, floor)

    def _leave_window(self) -> None:
        if self._counter is None or self._gauge is None:
            return
        counter = self._counter
        self._detach()
        self.counts = counter.counts(
            lambda address, size: bytes(self._uc.mem_read(address, size)),
            self._gauge.used_bytes(),
        )
        if "uses the FPU" in self.counts.notes and not self.core.fpu_enabled:
            self.bus.violation("the FPU is used while CPACR does not grant access to it")
        counting.store(self._cache, self.counts)
        self._credit()

    def note_ready(self) -> None:
        """Note that the firmware waits for the host: the boot is over."""
        if self.ready_ns is None:
            self.ready_ns = self.clock.t_ns - self._powered_ns
        self._boot_over = self._booting

    def _sleep(self) -> None:
        """Do what WFI does: nothing, until an enabled interrupt is pending."""
        core, wire = self.core, self.wire
        self.note_ready()
        wire.flush()
        if self._uc.reg_read(r.UC_ARM_REG_PRIMASK) == 0 and core.any_enabled():
            self.bus.violation("WFI with interrupts unmasked: a handler would run on silicon")
        event = core.next_event_ns()
        state: State = "sleep" if core.deep else "idle"
        if core.wake_pending():
            return
        if core.host_wakes or event is None:
            while not core.wake_pending() and not self._requests:
                wire.idle_step(state=state, core_clocked=False)
            return
        wire.activity()
        self.log.set_state(state)
        if core.deep:
            self.parts.clocks.enter_stop()
        self.clock.wait(event - self.clock.t_ns, core_clocked=False)
        wire.activity()
        if core.deep:
            self.parts.clocks.leave_stop()

    def _note_fault(self, text: str) -> None:
        self.fault = text

    def _fail(self, exc: Exception) -> None:
        uc = self._uc
        pc, lr = uc.reg_read(r.UC_ARM_REG_PC), uc.reg_read(r.UC_ARM_REG_LR)
        self.fault = f"{self.fault or exc} at pc 0x{pc:08x}, lr 0x{lr:08x}"
        _LOG.error("fault: %s", self.fault)
        self._halted = True
        self.wire.flush()

    def stats(self) -> dict[str, Any]:
        """Return what is known of the run so far."""
        return {
            "t_ns": self.clock.t_ns,
            "cycles": self.clock.cycles,
            "core_hz": self.clock.hz,
            "state": self.log.state,
            "mark": self.log.mark,
            "ready_ns": self.ready_ns,
            "resets": self.resets,
            "inferences": self.inferences,
            "received": self.parts.uart.received,
            "sent": self.parts.uart.sent,
            "dropped": self.faults.dropped,
            "flipped": self.faults.flipped,
            "violations": list(self.bus.violations),
            "unknown": list(self.bus.unknown),
            "fault": self.fault,
            "counted": self.counts is not None,
        }

    def counts_dict(self) -> dict[str, Any] | None:
        """Return the counts of one inference, or None before the first."""
        return None if self.counts is None else self.counts.told(self.timing)
