"""rtl/ek_core.v of a folded design: instances and wires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from edgekit.ir.types import DType
from edgekit.target.fpga import verilog
from edgekit.target.fpga.folded import memory, streams
from edgekit.target.fpga.folded.assemble import Ends
from edgekit.target.fpga.folded.layers import Stream
from edgekit.target.fpga.folded.units import (
    Compare,
    Gather,
    Pool,
    Product,
    Resize,
    Search,
    Unit,
    Windows,
)

_PORTS = """\
`default_nettype none

module ek_core (
    input  wire clk,
    input  wire rst,
    input  wire in_valid,
    output wire in_ready,
    input  wire [{in_high}:0] in_data,
    output wire out_valid,
    input  wire out_ready,
    output wire [{out_high}:0] out_data,
    input  wire load_valid,
    input  wire [15:0] load_data
);
"""


def blocks(units: Sequence[Unit]) -> tuple[str, ...]:
    """Return the stems of the files of fpga/rtl that the units need, sorted."""
    found: set[str] = set()
    for unit in units:
        found.add(_MODULES[type(unit)])
        if isinstance(unit, Product):
            found |= {"ek_rom_stream", "ek_dot", "ek_popcount", "ek_compressor"}
        if isinstance(unit, Product | Gather) and unit.memory == "spram":
            found |= {"ek_spram", "ek_spram_stream"}
        if isinstance(unit, Product) and unit.memory == "pair":
            found |= {"ek_spram", "ek_spram_pair"}
        if isinstance(unit, Gather):
            found.add("ek_rom_stream")
        if isinstance(unit, Compare):
            found.add("ek_rom_stream")
    return tuple(sorted(found))


_MODULES: dict[type[Unit], str] = {
    Resize: "ek_width",
    Windows: "ek_sliding_window",
    Gather: "ek_gather",
    Product: "ek_mvtu",
    Pool: "ek_max_pool",
    Compare: "ek_thermometer",
    Search: "ek_multi_threshold",
}


def core_text(
    units: Sequence[Unit], first: Stream, last: Stream, between: Ends, comment: Sequence[str]
) -> str:
    """Return the Verilog of module ek_core.

    Args:
        units: in the order of the data.
        first: the stream that goes in.
        last: the stream that comes out.
        between: beats of both ends.
        comment: lines for the head of the file.
    """
    parts = ["".join(f"{verilog.comment(line)}\n" for line in comment)]
    parts.append(_PORTS.format(in_high=between.in_width - 1, out_high=between.out_width - 1))
    parts.append(_entry(first, between))
    valid, ready, data, pad = "in_valid", "in_ready", "first_data", "1'b0"
    load = "load_valid"
    for unit in units:
        name = unit.name
        parts.append(
            f"\n    wire {name}_valid, {name}_ready;\n"
            f"    wire [{unit.out_width - 1}:0] {name}_data;\n"
        )
        if isinstance(unit, Product) and unit.memory == "pair":
            text, load = streams.pair(memory.pair_of(units, unit), load)
            parts.append(text)
        text, load = _instance(unit, _Before(valid, ready, data, pad), load)
        parts.append(text)
        if pad != "1'b0" and not isinstance(unit, Product):
            parts.append(f"    wire {name}_pad_unused = &{{1'b0, {pad}, 1'b0}};\n")
        pad = f"{name}_pad" if isinstance(unit, Windows) else "1'b0"
        valid, ready, data = f"{name}_valid", f"{name}_ready", f"{name}_data"
    parts.append(_exit(last, between, valid, ready, data, units))
    spare = f"    wire unused = &{{1'b0, {load}, load_data, {_spare_in(first, between)}1'b0}};\n"
    parts.append(f"{spare}endmodule\n\n`default_nettype wire\n")
    return "".join(parts)


def _entry(first: Stream, between: Ends) -> str:
    """The wires from the bytes of a beat to its elements."""
    bits, width = first.bits, between.in_lanes * first.bits
    text = f"    wire [{width - 1}:0] first_data;\n"
    if bits == between.in_bits:
        return text + f"    assign first_data = in_data[{width - 1}:0];\n"
    for lane in range(between.in_lanes):
        text += (
            f"    assign first_data[{lane * bits}+:{bits}] = "
            f"in_data[{lane * between.in_bits}+:{bits}];\n"
        )
    return text


def _spare_in(first: Stream, between: Ends) -> str:
    used = between.in_lanes * between.in_bits
    if first.bits != between.in_bits:
        return "in_data, "
    return f"in_data[{between.in_width - 1}:{used}], " if used < between.in_width else ""


def _exit(
    last: Stream, between: Ends, valid: str, ready: str, data: str, units: Sequence[Unit]
) -> str:
    """The wires from the last unit's elements to the bytes of a beat."""
    have = units[-1].out_width // between.out_lanes
    if last.dtype is DType.BINARY:
        spare = between.out_width - between.out_lanes
        shown = f"{{{{{spare}{{1'b0}}}}, {data}}}" if spare else data
    elif have < between.out_bits:
        more = between.out_bits - have
        shown = f"{{{{{more}{{{data}[{have - 1}]}}}}, {data}}}"
    elif have == between.out_bits:
        shown = data
    else:
        shown = f"{data}[{between.out_bits - 1}:0]"
    text = (
        f"\n    assign out_valid = {valid};\n    assign {ready} = out_ready;\n"
        f"    assign out_data = {shown};\n"
    )
    if last.dtype is not DType.BINARY and have > between.out_bits:
        text += f"    wire out_unused = &{{1'b0, {data}[{have - 1}:{between.out_bits}], 1'b0}};\n"
    return text


@dataclass(frozen=True, slots=True)
class _Before:
    """Names of the wires of the unit before."""

    valid: str
    ready: str
    data: str
    pad: str


def _ports(name: str, before: _Before) -> dict[str, str]:
    return {
        "clk": "clk",
        "rst": "rst",
        "in_valid": before.valid,
        "in_ready": before.ready,
        "in_data": before.data,
        "out_valid": f"{name}_valid",
        "out_ready": f"{name}_ready",
        "out_data": f"{name}_data",
    }


def _instance(unit: Unit, before: _Before, load: str) -> tuple[str, str]:
    """The text of a unit and the load stream after it."""
    ports = _ports(unit.name, before)
    match unit:
        case Resize():
            widths = {"IN_WIDTH": unit.in_width, "OUT_WIDTH": unit.out_width}
            return streams.instance("ek_width", f"u_{unit.name}", dict(widths), ports), load
        case Windows():
            return _windows(unit, ports), load
        case Gather():
            return _gather(unit, ports, load)
        case Product():
            return _product(unit, ports, before.pad, load)
        case Pool():
            low, high = unit.clamp or (0, 0)
            values: dict[str, object] = {
                "LANES": unit.lanes,
                "BITS": unit.bits,
                "WINDOW": unit.cells,
                "CLAMP": int(unit.clamp is not None),
                "LOW": _number(low, unit.bits),
                "HIGH": _number(high, unit.bits),
            }
            return streams.instance("ek_max_pool", f"u_{unit.name}", values, ports), load
        case Compare():
            return _compare(unit, ports), load
        case Search():
            return _search(unit, ports), load
        case _:
            assert_never(unit)


def _number(value: int, bits: int) -> str:
    return f"{bits}'d{value & ((1 << bits) - 1)}"


def _windows(unit: Windows, ports: dict[str, str]) -> str:
    w = unit.window
    one = ((unit.pad_value + 1) // 2) if unit.bits == 1 else unit.pad_value
    values = memory.words(memory.row([one] * unit.lanes), unit.bits)
    parameters: dict[str, object] = {
        "WORD": unit.in_width,
        "FOLDS": unit.folds,
        "HEIGHT": w.height,
        "WIDTH": w.width,
        "KERNEL_H": w.kernel[0],
        "KERNEL_W": w.kernel[1],
        "STRIDE_H": w.stride[0],
        "STRIDE_W": w.stride[1],
        "DILATION_H": w.dilation[0],
        "DILATION_W": w.dilation[1],
        "PAD_TOP": w.pad_top,
        "PAD_LEFT": w.pad_left,
        "OUT_H": w.out_height,
        "OUT_W": w.out_width,
        "REPEAT": unit.repeat,
        "CHANNELS_OUTER": int(unit.channels_outer),
        "DEPTH": unit.depth,
        "PAD_VALUE": memory.literal(values, unit.in_width),
    }
    joined = {**ports, "out_pad": f"{unit.name}_pad"}
    return f"    wire {unit.name}_pad;\n" + streams.instance(
        "ek_sliding_window", f"u_{unit.name}", parameters, joined
    )


def _gather(unit: Gather, ports: dict[str, str], load: str) -> tuple[str, str]:
    name, table, layer = unit.name, f"{unit.name}_table", unit.layer
    text, load = streams.stored(table, unit.list_width, memory.lists(unit), unit.memory, load)
    parameters: dict[str, object] = {
        "LANES": unit.lanes,
        "BITS": layer.input_bits,
        "INPUTS": layer.inputs,
        "WEIGHT_BITS": layer.weight_bits,
        "LENGTH": sum(unit.lengths),
    }
    joined = {
        **ports,
        **{f"list_{end}": f"{table}_{end}" for end in ("valid", "ready", "data")},
        "out_weights": f"{name}_weights",
        "out_last": f"{name}_last",
    }
    text += f"    wire [{unit.lanes * layer.weight_bits - 1}:0] {name}_weights;\n"
    text += f"    wire {name}_last;\n"
    return text + streams.instance("ek_gather", f"u_{name}", parameters, joined), load


def _product(unit: Product, ports: dict[str, str], pad: str, load: str) -> tuple[str, str]:
    name, layer = unit.name, unit.layer
    weights, starts = f"{name}_weight", f"{name}_start"
    text = ""
    if unit.lists is None and unit.memory != "pair":
        text, load = streams.weights(weights, unit, load)
    own = {f"weight_{end}": f"{weights}_{end}" for end in ("valid", "ready", "data")}
    if unit.lists is not None:
        text += f"    wire {name}_weight_ready;\n"
        text += f"    wire {name}_unused = &{{1'b0, {name}_weight_ready, 1'b0}};\n"
        named = unit.lists.name
        own = {
            "weight_valid": "1'b1",
            "weight_ready": f"{name}_weight_ready",
            "weight_data": f"{named}_weights",
        }
    text += streams.rom(starts, unit.pe * layer.acc_bits, memory.starts(unit), False)
    parameters: dict[str, object] = {
        "PE": unit.pe,
        "SIMD": unit.simd,
        "WEIGHT_BITS": layer.weight_bits,
        "INPUT_BITS": layer.input_bits,
        "ACC_BITS": layer.acc_bits,
        "FOLDS": unit.folds,
        "DOUBLE": int(layer.double),
        "SIGN": int(layer.sign),
        "DEPTHWISE": int(layer.depthwise or unit.lists is not None),
        "LISTS": int(unit.lists is not None),
    }
    zero_pad = layer.double and layer.pad_value == 0
    joined = {
        **ports,
        "in_pad": pad if zero_pad else "1'b0",
        "in_last": f"{unit.lists.name}_last" if unit.lists else "1'b0",
        **own,
        **{f"start_{end}": f"{starts}_{end}" for end in ("valid", "ready", "data")},
    }
    text += streams.instance("ek_mvtu", f"u_{name}", parameters, joined)
    if pad != "1'b0" and not zero_pad:
        text += f"    wire {name}_pad_unused = &{{1'b0, {pad}, 1'b0}};\n"
    return text, load


def _compare(unit: Compare, ports: dict[str, str]) -> str:
    name = f"{unit.name}_table"
    count = unit.lanes * unit.table.shape[2]
    text = streams.rom(name, count * (unit.bits + 1), memory.levels(unit), False)
    parameters: dict[str, object] = {
        "LANES": unit.lanes,
        "BITS": unit.bits,
        "LEVELS": unit.table.shape[2],
    }
    joined = {**ports, **{f"table_{end}": f"{name}_{end}" for end in ("valid", "ready", "data")}}
    return text + streams.instance("ek_thermometer", f"u_{unit.name}", parameters, joined)


def _search(unit: Search, ports: dict[str, str]) -> str:
    parameters: dict[str, object] = {
        "LANES": unit.lanes,
        "IN_BITS": unit.bits,
        "OUT_BITS": unit.out_bits,
        "STEPS": unit.steps,
        "GROUPS": unit.table.shape[0],
        "BLOCK": int(unit.memory == "bram"),
        "OFFSET": _number(unit.low, unit.out_bits),
        "TABLES": memory.literal(memory.searched(unit), unit.bits + 1),
    }
    return streams.instance("ek_multi_threshold", f"u_{unit.name}", parameters, ports)
