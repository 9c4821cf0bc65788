"""What the STM32 models do not forgive: right sequences pass, each mistake in one is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.virtual.twin import soc
from edgekit.virtual.twin.bus import Bus
from edgekit.virtual.twin.clock import Clock
from edgekit.virtual.twin.config import FaultPlan, TwinConfig, TwinError
from edgekit.virtual.twin.core import Core
from edgekit.virtual.twin.parts import Surroundings

pytestmark = pytest.mark.virtual

Step = tuple[int, int] | tuple[int, int, int]  # write (address, value), or wait (address, mask, is)
_CONFIG = TwinConfig(soc="", elf=Path(), cache=Path(), mark_pin="", faults=FaultPlan())


class _SilentWire:
    def poll(self) -> int | None:
        return None

    def ready(self) -> bool:
        return False

    def send(self, byte: int) -> None: ...


class Chip:
    """The peripherals of a chip, after power-on."""

    def __init__(self, name: str) -> None:
        self.clock = Clock()
        self.bus = Bus(self.clock)
        found = soc.find(name)
        config = replace(_CONFIG, soc=name)
        around = Surroundings(config, self.bus, self.clock, _SilentWire(), lambda _level: None)
        self.parts = found.build(around)
        self.core = Core(self.bus, self.clock, found.cpu, self.parts, lambda: None)
        self.reset("power")

    def reset(self, reason: str) -> None:
        self.parts.clocks.reset(reason)
        for part in (*self.parts.others, self.core):
            part.reset()

    def do(self, steps: Sequence[Step]) -> list[str]:
        """Do the steps, return what was amiss; a wait without an end is amiss too."""
        for step in steps:
            if len(step) == 2:
                self.bus.write(step[0], 4, step[1])
            elif not self._wait(*step):
                return [*self.bus.violations, f"hangs on 0x{step[0]:08x}"]
        return self.bus.violations

    def _wait(self, address: int, mask: int, wanted: int) -> bool:
        return any(self.bus.read(address, 4) & mask == wanted for _ in range(5000))


U5_RCC, U5_PWR, U5_LPTIM = 0x4602_0C00, 0x4602_0800, 0x4600_4400
U5_160MHZ: dict[str, Sequence[Step]] = {
    "icache idle": [(0x4003_0404, 1, 0)],
    "icache": [(0x4003_0400, 5)],
    "pwr clock": [(U5_RCC + 0x94, 1 << 2)],
    "smps": [(U5_PWR + 0x08, 2), (U5_PWR + 0x3C, 2, 2)],
    "wait states": [(0x4002_2000, 0x104)],
    "pll input": [(U5_RCC + 0x28, 1 | 1 << 18)],
    "pll factors": [(U5_RCC + 0x34, 79 | 1 << 9 | 1 << 16 | 1 << 24)],
    "range 1": [(U5_PWR + 0x0C, 3 << 16)],
    "voltage": [(U5_PWR + 0x0C, 1 << 15, 1 << 15)],
    "booster": [(U5_PWR + 0x0C, 3 << 16 | 1 << 18), (U5_PWR + 0x0C, 1 << 14, 1 << 14)],
    "pll on": [(U5_RCC, 0x35 | 1 << 24)],
    "pll lock": [(U5_RCC, 1 << 25, 1 << 25)],
    "switch": [(U5_RCC + 0x1C, 3), (U5_RCC + 0x1C, 0xC, 0xC)],
}
H7_RCC, H7_PWR = 0x5802_4400, 0x5802_4800
H7_280MHZ: dict[str, Sequence[Step]] = {
    "supply": [(H7_PWR + 0x0C, 4), (H7_PWR + 0x04, 1 << 13, 1 << 13)],
    "apb 3": [(H7_RCC + 0x18, 4 << 4)],
    "apb 1 and 2": [(H7_RCC + 0x1C, 4 << 4 | 4 << 8)],
    "apb 4": [(H7_RCC + 0x20, 4 << 4)],
    "wait states": [(0x5200_2000, 0x36)],
    "pll input": [(H7_RCC + 0x28, 16 << 4)],
    "pll range": [(H7_RCC + 0x2C, 2 << 2 | 1 << 16)],
    "pll factors": [(H7_RCC + 0x30, 69 | 1 << 16 | 1 << 24)],
    "vos 0": [(H7_PWR + 0x18, 3 << 14)],
    "voltage": [(H7_PWR + 0x18, 1 << 13, 1 << 13)],
    "pll on": [(H7_RCC, 0x25 | 1 << 24)],
    "pll lock": [(H7_RCC, 1 << 25, 1 << 25)],
    "switch": [(H7_RCC + 0x10, 3), (H7_RCC + 0x10, 0x38, 0x18)],
}
RIGHT = {"stm32u575": (U5_160MHZ, 160_000_000), "stm32h7a3": (H7_280MHZ, 280_000_000)}


def _steps(parts: dict[str, Sequence[Step]]) -> Iterator[Step]:
    for steps in parts.values():
        yield from steps


@pytest.mark.parametrize("name", RIGHT)
def test_the_right_sequence_reaches_the_clock(name: str) -> None:
    parts, hz = RIGHT[name]
    chip = Chip(name)
    assert chip.do(list(_steps(parts))) == []
    assert chip.clock.hz == hz
    assert chip.bus.unknown == []


@pytest.mark.parametrize(
    ("name", "without", "amiss"),
    [
        ("stm32u575", "pwr clock", "PWR is used with its clock disabled"),
        ("stm32u575", "wait states", "too few flash wait states for 160000000 Hz"),
        ("stm32u575", "icache idle", "ICACHE is enabled while it invalidates itself"),
        ("stm32u575", "pll input", "PLL1's input is 0 Hz"),
        ("stm32u575", "pll factors", "258000000 Hz in voltage range 1"),
        ("stm32u575", "booster", "160000000 Hz without the booster"),
        ("stm32u575", "pll on", "hangs on 0x46020c00"),
        ("stm32u575", "pll lock", "switched to pll before that is ready"),
        ("stm32h7a3", "supply", "the core voltage is changed before the supply was chosen"),
        ("stm32h7a3", "apb 3", "an APB runs at 280000000 Hz in VOS0"),
        ("stm32h7a3", "apb 1 and 2", "an APB runs at 280000000 Hz in VOS0"),
        ("stm32h7a3", "apb 4", "an APB runs at 280000000 Hz in VOS0"),
        ("stm32h7a3", "wait states", "too few flash wait states for 280000000 Hz"),
        ("stm32h7a3", "pll range", "which PLL1RGE does not cover"),
        ("stm32h7a3", "vos 0", "280000000 Hz in VOS3"),
        ("stm32h7a3", "voltage", "or before that is reached"),
        ("stm32h7a3", "pll lock", "switched to pll before that is ready"),
    ],
)
def test_what_was_left_out_is_named(name: str, without: str, amiss: str) -> None:
    parts = dict(RIGHT[name][0])
    del parts[without]
    chip = Chip(name)
    found = chip.do(list(_steps(parts)))
    assert any(amiss in text for text in found), found


@pytest.mark.parametrize(
    ("name", "step", "amiss"),
    [
        ("stm32u575", (U5_RCC + 0x34, 0), "PLL1's factors are written while it is on"),
        ("stm32u575", (U5_RCC + 0x28, 1 | 1 << 12 | 1 << 18), "PLL1MBOOST is written"),
        ("stm32u575", (U5_PWR + 0x0C, 2 << 16 | 1 << 18), "160000000 Hz in voltage range 2"),
        ("stm32u575", (U5_RCC + 0xF0, 1), "RCC_BDCR is written while PWR_DBPR.DBP is clear"),
        ("stm32u575", (0x4001_3828, 0x55), "USART1 is used with its clock disabled"),
        ("stm32u575", (0x4001_380C, 100), "USART1 runs at"),
        ("stm32u575", (U5_LPTIM + 0x08, 1), "LPTIM1_DIER is written while the timer is disabled"),
        ("stm32u575", (U5_LPTIM + 0x18, 9), "LPTIM1_ARR or CMP is written"),
        ("stm32u575", (0x4202_1418, 1 << 13), "GPIOF is used with its clock disabled"),
        ("stm32h7a3", (H7_RCC + 0x30, 0), "PLL1's factors are written while it is on"),
        ("stm32h7a3", (H7_PWR + 0x0C, 2), "it can be chosen once"),
        ("stm32h7a3", (H7_PWR + 0x18, 1 << 14), "280000000 Hz in VOS2"),
        ("stm32h7a3", (H7_RCC + 0x20, 0), "an APB runs at 280000000 Hz"),
        ("stm32h7a3", (H7_RCC + 0x70, 1), "RCC_BDCR is written while PWR_CR1.DBP is clear"),
        ("stm32h7a3", (0x4000_4828, 0x55), "USART3 is used with its clock disabled"),
        ("stm32h7a3", (0x5802_1818, 1 << 12), "GPIOG is used with its clock disabled"),
        ("stm32h7a3", (0xE000_ED14, 1 << 16), "data cache is enabled before all its lines"),
        ("stm32h7a3", (0xE000_ED14, 1 << 17), "instruction cache is enabled before"),
        ("stm32h7a3", (0xE000_1004, 0), "DWT is written while it is locked"),
    ],
)
def test_a_wrong_write_is_named(name: str, step: Step, amiss: str) -> None:
    chip = Chip(name)
    assert chip.do(list(_steps(RIGHT[name][0]))) == []
    found = chip.do([step])
    assert any(amiss in text for text in found), found


@pytest.mark.parametrize(
    ("name", "missing", "amiss"),
    [
        ("stm32u575", None, ""),
        ("stm32u575", U5_RCC + 0xD8, "LPTIM1's bit of RCC_SRDAMR clear"),
        ("stm32u575", U5_PWR, "deeper than Stop 2"),
        ("stm32h7a3", None, ""),
        ("stm32h7a3", 0x5800_0090, "EXTI line 47 masked"),
        ("stm32l4r5", None, ""),
        ("stm32l4r5", 0x4001_0420, "EXTI line 32 masked"),
    ],
)
def test_what_keeps_the_timer_from_waking_is_named(
    name: str, missing: int | None, amiss: str
) -> None:
    chip = Chip(name)
    right = {
        "stm32u575": {U5_RCC + 0x94: 1 << 2, U5_RCC + 0xD8: 1 << 11, U5_PWR: 2},
        "stm32h7a3": {0x5800_0090: 1 << 15},
        "stm32l4r5": {0x4001_0420: 1},
    }[name]
    chip.do([(address, value) for address, value in right.items() if address != missing])
    if missing == U5_PWR:
        chip.do([(U5_PWR, 3)])
    if missing == 0x4001_0420:
        chip.do([(missing, 0)])
    assert amiss in chip.parts.wake_blocked()
    assert bool(amiss) == bool(chip.parts.wake_blocked())


def test_stop_falls_back_and_the_way_up_is_needed_again() -> None:
    for name, (parts, hz) in RIGHT.items():
        chip = Chip(name)
        chip.do(list(_steps(parts)))
        chip.parts.clocks.enter_stop()
        chip.parts.clocks.leave_stop()
        assert chip.clock.hz == {"stm32u575": 4_000_000, "stm32h7a3": 64_000_000}[name]
        early = [step for key in ("pll on", "pll lock", "switch") for step in parts[key]]
        assert any(f"{hz} Hz in " in text for text in chip.do(early)), name


def test_a_supply_once_chosen_outlives_all_but_the_power() -> None:
    chip = Chip("stm32h7a3")
    assert chip.do(H7_280MHZ["supply"]) == []
    chip.reset("software")
    assert chip.bus.read(H7_PWR + 0x0C, 4) & 7 == 4
    assert chip.bus.read(H7_RCC + 0x130, 4) >> 24 & 1
    assert chip.do(list(_steps(H7_280MHZ))) == []
    chip.reset("power")
    assert chip.bus.read(H7_PWR + 0x0C, 4) & 7 == 6


def test_an_unknown_chip_is_named() -> None:
    with pytest.raises(TwinError, match="'z80' has no model; known: "):
        soc.find("z80")
