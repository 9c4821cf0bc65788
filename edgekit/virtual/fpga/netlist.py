"""Netlists of iCE40 parts, as yosys writes them in JSON, laid out for fpga/sim/ek_netlist.hpp."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ToolError, UnsupportedError
from edgekit.virtual.fpga.pins import routed_pins

Words = NDArray[np.uint32]

_LUT_DELAY, _CARRY_DELAY = 30, 7  # as in ek_netlist.hpp, units of 40 ps
_MAJORITY = 0xE8E8
_FLIP_FLOP = re.compile(r"SB_DFF(N?)(E?)(SR|SS|R|S)?$")
_ALIASES = {"SB_GB": ("USER_SIGNAL_TO_GLOBAL_BUFFER", "GLOBAL_BUFFER_OUTPUT")}
_LOW, _HIGH = 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class Netlist:
    """Cells and nets of one clock domain; nets 0 and 1 are the constants.

    Rows of the tables are the structs of ek_netlist.hpp. `counted` are the nets whose toggles
    are the design's: outputs of cells and memories, and the input ports but the clock.
    """

    nets: int
    cells: Words  # (n, 7), in topological order
    luts: int  # cells that are no carries
    flip_flops: Words  # (n, 5)
    block_rams: Words  # (n, 204)
    big_rams: Words  # (n, 55)
    ports: Mapping[str, tuple[int, ...]]  # net of each bit, least significant first
    counted: NDArray[np.bool_]
    weights: NDArray[np.float64]  # (nets,): pins that each net reaches through routing

    def to_bytes(self) -> bytes:
        """Return the file that the simulator loads."""
        tables = (self.cells, self.flip_flops, self.block_rams, self.big_rams)
        head = np.array([self.nets, *(len(t) for t in tables)], np.uint32)
        return b"".join(t.astype("<u4").tobytes() for t in (head, *tables))


def parse(text: bytes, top: str) -> Netlist:
    """Read the JSON that yosys' `write_json` made of module `top` after `synth_ice40 -json`.

    Raises:
        ToolError: this is no such file.
        UnsupportedError: a cell that the simulator does not know, a second clock, or a loop.
    """
    try:
        module = json.loads(text)["modules"][top]
        return _Reader(module).netlist()
    except (ValueError, KeyError) as exc:
        raise ToolError(f"the netlist of {top} cannot be read: {exc!r}") from exc


class _Reader:
    """Numbers the nets of one module and sorts its cells into tables."""

    def __init__(self, module: Mapping[str, Any]) -> None:
        self._ports = module["ports"]
        self._cells = module["cells"]
        self._numbers: dict[int, int] = {}
        self._nets = 2
        self._clocks: set[int] = set()
        self._logic: list[list[int]] = []
        self._flip_flops: list[list[int]] = []
        self._block_rams: list[list[int]] = []
        self._big_rams: list[list[int]] = []

    def netlist(self) -> Netlist:
        self._alias()
        for name, cell in self._cells.items():
            self._add(name, cell)
        if len(self._clocks) > 1:
            raise UnsupportedError(
                f"the netlist has {len(self._clocks)} clocks", hint="one clock is simulated"
            )
        ports = {name: self._bits(port["bits"]) for name, port in self._ports.items()}
        cells = _table(_sorted(self._logic, self._nets), 7)
        counted = np.zeros(self._nets, np.bool_)
        for driven in self._driven(ports):
            counted[driven] = True
        counted[[_LOW, _HIGH, *self._clocks]] = False
        luts = int((cells[:, 6] == _LUT_DELAY).sum())
        return Netlist(
            nets=self._nets,
            cells=cells,
            luts=luts,
            flip_flops=_table(self._flip_flops, 5),
            block_rams=_table(self._block_rams, 204),
            big_rams=_table(self._big_rams, 55),
            ports=ports,
            counted=counted,
            weights=np.where(counted, self._weights(), 0.0),
        )

    def _weights(self) -> NDArray[np.float64]:
        weights = np.zeros(self._nets)
        for bit, pins in routed_pins({"cells": self._cells}).items():
            weights[self._net(bit)] += pins
        return weights

    def _bits(self, bits: Sequence[int | str]) -> tuple[int, ...]:
        return tuple(self._net(bit) for bit in bits)

    def _net(self, bit: int | str) -> int:
        if isinstance(bit, str):
            return _HIGH if bit == "1" else _LOW  # x and z are what nobody reads
        if bit not in self._numbers:
            self._numbers[bit] = self._fresh()
        return self._numbers[bit]

    def _fresh(self) -> int:
        self._nets += 1
        return self._nets - 1

    def _alias(self) -> None:
        """Give both sides of a buffer one number, before anybody asks for either."""
        for cell in self._cells.values():
            if cell["type"] in _ALIASES:
                source, sink = (cell["connections"][pin][0] for pin in _ALIASES[cell["type"]])
                self._numbers[sink] = self._net(source)

    def _pins(self, cell: Mapping[str, Any], pin: str, width: int, default: int) -> list[int]:
        """Return the nets of an input; what is not connected is `default`."""
        bits = self._bits(cell["connections"].get(pin, ()))
        return [*bits, *[default] * (width - len(bits))]

    def _outs(self, cell: Mapping[str, Any], pin: str, width: int) -> list[int]:
        """Return the nets of an output; what is not connected gets a net of its own."""
        bits = [self._net(b) for b in cell["connections"].get(pin, ())]
        return [*bits, *(self._fresh() for _ in range(width - len(bits)))]

    def _clock(self, cell: Mapping[str, Any], pin: str) -> None:
        bits = self._bits(cell["connections"][pin])
        self._clocks.update(net for net in bits if net > 1)  # a ROM's write clock is constant

    def _add(self, name: str, cell: Mapping[str, Any]) -> None:
        kind = cell["type"]
        if kind == "SB_LUT4":
            pins = [self._pins(cell, f"I{i}", 1, _LOW)[0] for i in range(4)]
            init = int(cell["parameters"]["LUT_INIT"], 2)
            self._logic.append([*pins, self._outs(cell, "O", 1)[0], init, _LUT_DELAY])
        elif kind == "SB_CARRY":
            pins = [self._pins(cell, pin, 1, _LOW)[0] for pin in ("I0", "I1", "CI")]
            self._logic.append([*pins, _LOW, self._outs(cell, "CO", 1)[0], _MAJORITY, _CARRY_DELAY])
        elif (form := _FLIP_FLOP.match(kind)) is not None:
            self._add_flip_flop(name, cell, form)
        elif kind == "SB_RAM40_4K":
            self._add_block_ram(cell)
        elif kind == "SB_SPRAM256KA":
            self._add_big_ram(cell)
        elif kind not in _ALIASES:
            raise UnsupportedError(
                f"{name}: a cell {kind} is not simulated here",
                hint="Verilator simulates it: write the netlist as Verilog",
            )

    def _add_flip_flop(self, name: str, cell: Mapping[str, Any], form: re.Match[str]) -> None:
        falling, _enable, reset = form.groups()
        if falling or reset in ("R", "S"):
            raise UnsupportedError(
                f"{name}: a {cell['type']} has a falling edge or an asynchronous reset",
                hint="blocks have one rising clock and a synchronous reset",
            )
        self._clock(cell, "C")
        d, q = self._pins(cell, "D", 1, _LOW)[0], self._outs(cell, "Q", 1)[0]
        enable = self._pins(cell, "E", 1, _HIGH)[0]
        at_reset = self._pins(cell, "S" if reset == "SS" else "R", 1, _LOW)[0]
        self._flip_flops.append([d, q, enable, at_reset, int(reset == "SS")])

    def _add_block_ram(self, cell: Mapping[str, Any]) -> None:
        self._clock(cell, "RCLK")
        self._clock(cell, "WCLK")
        parameters = cell["parameters"]
        init = "".join(parameters.get(f"INIT_{i:X}", "").zfill(256) for i in range(15, -1, -1))
        bits = int(re.sub("[xz]", "0", init), 2).to_bytes(512, "little")
        self._block_rams.append(
            [
                *self._pins(cell, "RADDR", 11, _LOW),
                *self._outs(cell, "RDATA", 16),
                *self._pins(cell, "RE", 1, _LOW),
                *self._pins(cell, "RCLKE", 1, _HIGH),
                *self._pins(cell, "WADDR", 11, _LOW),
                *self._pins(cell, "WDATA", 16, _LOW),
                *self._pins(cell, "MASK", 16, _LOW),
                *self._pins(cell, "WE", 1, _LOW),
                *self._pins(cell, "WCLKE", 1, _HIGH),
                int(parameters["READ_MODE"], 2),
                int(parameters["WRITE_MODE"], 2),
                *np.frombuffer(bits, "<u4").tolist(),
            ]
        )

    def _add_big_ram(self, cell: Mapping[str, Any]) -> None:
        self._clock(cell, "CLOCK")
        single = ("WREN", "CHIPSELECT", "STANDBY", "SLEEP", "POWEROFF")
        self._big_rams.append(
            [
                *self._pins(cell, "ADDRESS", 14, _LOW),
                *self._pins(cell, "DATAIN", 16, _LOW),
                *self._pins(cell, "MASKWREN", 4, _LOW),
                *(self._pins(cell, pin, 1, _LOW)[0] for pin in single),
                *self._outs(cell, "DATAOUT", 16),
            ]
        )

    def _driven(self, ports: Mapping[str, tuple[int, ...]]) -> Iterator[list[int]]:
        yield [row[4] for row in self._logic]
        yield [row[1] for row in self._flip_flops]
        yield from (row[11:27] for row in self._block_rams)
        yield from (row[39:55] for row in self._big_rams)
        for name, port in self._ports.items():
            if port["direction"] == "input":
                yield list(ports[name])


def _table(rows: Sequence[Sequence[int]], columns: int) -> Words:
    return np.array(rows, np.uint32).reshape(len(rows), columns)


def _sorted(logic: Sequence[list[int]], nets: int) -> list[list[int]]:
    """Return the cells so that each comes after those that drive it (Kahn)."""
    driver = [-1] * nets
    for i, row in enumerate(logic):
        driver[row[4]] = i
    readers: list[list[int]] = [[] for _ in logic]
    waits = [0] * len(logic)
    for i, row in enumerate(logic):
        for net in row[:4]:
            if driver[net] >= 0:
                readers[driver[net]].append(i)
                waits[i] += 1
    ready = [i for i, n in enumerate(waits) if n == 0]
    for i in ready:  # grows while it is walked
        for reader in readers[i]:
            waits[reader] -= 1
            if waits[reader] == 0:
                ready.append(reader)
    if len(ready) < len(logic):
        raise UnsupportedError(f"{len(logic) - len(ready)} cells of the netlist drive themselves")
    return [logic[i] for i in ready]
