"""The logic between registers of a synthesized iCE40 netlist, for proofs and simulation."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ToolError
from edgekit.target.fpga.hardwired.bdd import ONE, ZERO, Bdd, Node

Words = NDArray[np.uint64]

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_MAJORITY = 0b11101000
# What a flip-flop holds next: (kind, pin of a synchronous reset or set that is 0, 1).
_FLIP_FLOPS = {"SB_DFF": None, "SB_DFFE": None, "SB_DFFSR": 0, "SB_DFFSS": 1}


@dataclass(frozen=True, slots=True)
class Gate:
    """A look-up table, or a carry cell as one."""

    table: int
    inputs: tuple[int, ...]  # nets; constants are 0 and 1


@dataclass(frozen=True, slots=True, eq=False)
class Netlist:
    """Gates by the net they drive, registers by theirs; `names` are the bits of named wires."""

    gates: Mapping[int, Gate]
    registers: Mapping[int, int]  # output net: net of what it holds next
    names: Mapping[str, tuple[int, ...]]


def read_netlist(text: bytes, top: str) -> Netlist:
    """Read what yosys `synth_ice40 -json` wrote of module `top`; enables count as set.

    Raises:
        ToolError: this is no such file, or it has a cell that is no table, carry or flip-flop.
    """
    try:
        module: Mapping[str, Any] = json.loads(text)["modules"][top]
        cells, wires = module["cells"], module["netnames"]
    except (ValueError, KeyError) as exc:
        raise ToolError(f"the netlist of {top} cannot be read: {exc!r}") from exc
    gates: dict[int, Gate] = {}
    registers: dict[int, int] = {}
    spare = -1  # nets of reset logic, which has no number
    for name, cell in cells.items():
        pins = {pin: _net(bits[0]) for pin, bits in cell["connections"].items()}
        kind = cell["type"]
        if kind == "SB_LUT4":
            table = int(cell["parameters"]["LUT_INIT"], 2)
            gates[pins["O"]] = Gate(table, tuple(pins[f"I{i}"] for i in range(4)))
        elif kind == "SB_CARRY":
            gates[pins["CO"]] = Gate(_MAJORITY, (pins["I0"], pins["I1"], pins["CI"]))
        elif kind in _FLIP_FLOPS:
            data, forced = pins["D"], _FLIP_FLOPS[kind]
            if forced is not None:
                control = pins["R" if forced == 0 else "S"]
                gates[spare] = Gate(0b1110 if forced else 0b0010, (data, control))
                data, spare = spare, spare - 1
            registers[pins["Q"]] = data
        else:
            raise ToolError(f"cell {name} of the netlist is a {kind}, which has no Boolean form")
    names = {name: tuple(_net(bit) for bit in wire["bits"]) for name, wire in wires.items()}
    return Netlist(gates, registers, names)


def _net(bit: int | str) -> int:
    if isinstance(bit, int):
        return bit
    return 1 if bit == "1" else 0


def cone(netlist: Netlist, net: int, stops: Container[int] = ()) -> tuple[list[int], list[int]]:
    """Return (gates in order, leaves in the order in which a walk meets them) of `net`.

    `stops` are leaves whatever drives them.
    """
    order: list[int] = []
    leaves: list[int] = []
    seen = {ZERO, ONE}
    stack: list[tuple[int, bool]] = [(net, False)]
    while stack:
        at, done = stack.pop()
        if done:
            order.append(at)
        elif at not in seen:
            seen.add(at)
            gate = netlist.gates.get(at)
            if gate is None or at in stops:
                leaves.append(at)
                continue
            stack.append((at, True))
            stack += [(net, False) for net in reversed(gate.inputs)]
    return order, leaves


def function(netlist: Netlist, net: int, bdd: Bdd, leaves: Mapping[int, Node]) -> Node:
    """Return `net` as a function of the functions `leaves`."""
    values: dict[int, Node] = {0: ZERO, 1: ONE, **leaves}
    for at in cone(netlist, net, leaves)[0]:
        gate = netlist.gates[at]
        values[at] = bdd.table(gate.table, [values[i] for i in gate.inputs])
    return values[net]


def plain(netlist: Netlist, net: int) -> tuple[int, int]:
    """Return (net, inverted) behind buffers and inverters; constants are net 0."""
    inverted = 0
    while True:
        if net in (ZERO, ONE):
            return ZERO, inverted ^ net
        gate = netlist.gates.get(net)
        if gate is None:
            return net, inverted
        table, inputs = reduced(gate)
        if len(inputs) > 1:
            return net, inverted
        inverted ^= table & 1
        net = inputs[0] if inputs else ZERO


def reduced(gate: Gate) -> tuple[int, tuple[int, ...]]:
    """Return the table of `gate` over the inputs that matter to it."""
    table, inputs = gate.table, list(gate.inputs)
    for place in reversed(range(len(inputs))):
        halves = [0, 0]
        for index in range(1 << len(inputs)):
            rest = (index & ((1 << place) - 1)) | (index >> (place + 1) << place)
            halves[index >> place & 1] |= (table >> index & 1) << rest
        if inputs[place] in (ZERO, ONE):
            table = halves[inputs[place]]
        elif halves[0] == halves[1]:
            table = halves[0]
        else:
            continue
        del inputs[place]
    return table, tuple(inputs)


def simulate(
    netlist: Netlist, nets: Iterable[int], leaves: Mapping[int, Words]
) -> dict[int, Words]:
    """Return the values of `nets`, 64 samples a word; a leaf without one is 0."""
    size = len(next(iter(leaves.values())))
    values: dict[int, Words] = {
        0: np.zeros(size, np.uint64),
        1: np.full(size, _ALL),
        **leaves,
    }
    for net in nets:
        order, found = cone(netlist, net)
        for leaf in found:
            values.setdefault(leaf, values[0])
        for at in order:
            if at not in values:
                gate = netlist.gates[at]
                values[at] = _table(gate.table, [values[i] for i in gate.inputs])
    return values


def clocked(netlist: Netlist, inputs: Mapping[int, Words], clocks: int) -> dict[int, Words]:
    """Return what all registers hold after `clocks` clocks with the nets `inputs` held still."""
    size = len(next(iter(inputs.values())))
    state = {net: np.zeros(size, np.uint64) for net in netlist.registers} | dict(inputs)
    for _ in range(clocks):
        values = simulate(netlist, netlist.registers.values(), state)
        state = {net: values[data] for net, data in netlist.registers.items()} | dict(inputs)
    return state


def _table(table: int, inputs: list[Words]) -> Words:
    if len(inputs) == 1:
        pairs = {0: inputs[0] ^ inputs[0], 1: ~inputs[0], 2: inputs[0], 3: inputs[0] | ~inputs[0]}
        return np.asarray(pairs[table & 3])
    half = 1 << (len(inputs) - 1)
    low = _table(table & ((1 << half) - 1), inputs[:-1])
    high = _table(table >> half, inputs[:-1])
    return np.asarray(low ^ (inputs[-1] & (low ^ high)))
