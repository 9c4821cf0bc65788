"""Streams of constants in the Verilog of a folded design: from logic, block RAM and SPRAM."""

from __future__ import annotations

from edgekit.target.fpga.folded import memory
from edgekit.target.fpga.folded.units import NIBBLE_BITS, NIBBLES, Memory, Product


def instance(block: str, name: str, parameters: dict[str, object], ports: dict[str, str]) -> str:
    """An instance with named parameters and ports."""
    given = ",\n".join(f"        .{key}({value})" for key, value in parameters.items())
    joined = ",\n".join(f"        .{key}({value})" for key, value in ports.items())
    return f"    {block} #(\n{given}\n    ) {name} (\n{joined}\n    );\n"


def rom(name: str, width: int, values: list[int], block: bool) -> str:
    """A stream of constants `name`_valid, _ready, _data."""
    parameters: dict[str, object] = {
        "WIDTH": width,
        "DEPTH": len(values),
        "BLOCK": int(block),
        "WORDS": memory.literal(values, width),
    }
    ports = {
        "clk": "clk",
        "rst": "rst",
        "out_valid": f"{name}_valid",
        "out_ready": f"{name}_ready",
        "out_data": f"{name}_data",
    }
    return _wires(name, width) + instance("ek_rom_stream", f"u_{name}", parameters, ports)


def _wires(name: str, width: int) -> str:
    return f"    wire {name}_valid, {name}_ready;\n    wire [{width - 1}:0] {name}_data;\n"


def stored(name: str, width: int, values: list[int], where: Memory, load: str) -> tuple[str, str]:
    """A stream of words in any memory, and the load stream behind it."""
    if where != "spram":
        return rom(name, width, values, where == "bram"), load
    return spram(name, width, len(values), load)


def spram(name: str, width: int, depth: int, load: str) -> tuple[str, str]:
    """A stream of words in SPRAM, and the load stream behind it."""
    ports = {
        "clk": "clk",
        "rst": "rst",
        "load_valid": load,
        "load_data": "load_data",
        "load_pass": f"{name}_load",
        "out_valid": f"{name}_valid",
        "out_ready": f"{name}_ready",
        "out_data": f"{name}_data",
    }
    parameters: dict[str, object] = {"WIDTH": width, "DEPTH": depth}
    text = _wires(name, width) + f"    wire {name}_load;\n"
    return text + instance("ek_spram_stream", f"u_{name}", parameters, ports), f"{name}_load"


def _split(name: str, unit: Product, load: str) -> tuple[str, str]:
    """A stream of weights whose low bits lie in SPRAM, the others in block RAM."""
    low, width, values = unit.spram_bits, unit.weight_width, memory.weights(unit)
    text, load = spram(f"{name}_low", low, len(values), load)
    text += rom(f"{name}_high", width - low, [value >> low for value in values], True)
    text += _wires(name, width)
    for part in ("low", "high"):
        text += f"    assign {name}_{part}_ready = {name}_ready;\n"
    text += f"    assign {name}_valid = {name}_low_valid & {name}_high_valid;\n"
    text += f"    assign {name}_data = {{{name}_high_data, {name}_low_data}};\n"
    return text, load


def weights(name: str, unit: Product, load: str) -> tuple[str, str]:
    """The stream of a layer's own weights, and the load stream behind it."""
    if 0 < unit.spram_bits < unit.weight_width:
        return _split(name, unit, load)
    return stored(name, unit.weight_width, memory.weights(unit), unit.memory, load)


def pair(sharing: tuple[Product, ...], load: str) -> tuple[str, str]:
    """The streams of weights of layers that share an SPRAM, and the load stream behind it."""
    if not sharing:
        return "", load
    name = f"{sharing[0].name}_pair"
    words = [unit.weight_words // NIBBLES for unit in sharing]
    text = f"    wire {name}_load;\n    wire [1:0] {name}_valid, {name}_ready;\n"
    text += f"    wire [7:0] {name}_data;\n"
    for place, unit in enumerate(sharing):
        stream, width = f"{unit.name}_weight", unit.weight_width
        low, high = NIBBLE_BITS * place, NIBBLE_BITS * (place + 1) - 1
        text += _wires(stream, width)
        text += f"    assign {stream}_valid = {name}_valid[{place}];\n"
        text += f"    assign {name}_ready[{place}] = {stream}_ready;\n"
        text += f"    assign {stream}_data = {name}_data[{low}+:{width}];\n"
        if width < NIBBLE_BITS:
            spare = f"{name}_data[{high}:{low + width}]"
            text += f"    wire {stream}_unused = &{{1'b0, {spare}, 1'b0}};\n"
    if len(sharing) == 1:
        text += f"    assign {name}_ready[1] = 1'b0;\n"
        text += f"    wire {name}_unused = &{{1'b0, {name}_valid[1], {name}_data[7:4], 1'b0}};\n"
    ports = {
        **{"clk": "clk", "rst": "rst", "load_valid": load, "load_data": "load_data"},
        "load_pass": f"{name}_load",
        **{f"out_{end}": f"{name}_{end}" for end in ("valid", "ready", "data")},
    }
    both = ", ".join(f"16'd{count}" for count in reversed([*words, 0][:2]))
    text += instance("ek_spram_pair", f"u_{name}", {"WORDS": f"{{{both}}}"}, ports)
    return text, f"{name}_load"
