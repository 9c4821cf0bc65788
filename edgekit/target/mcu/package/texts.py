"""What a package says of its model: the values of `@name@` in the files of firmware/package."""

from __future__ import annotations

from edgekit.ir.types import DType, Edge
from edgekit.target.mcu import ctext
from edgekit.target.mcu.package.library import Library
from edgekit.target.mcu.package.machines import MACHINES
from edgekit.target.mcu.source import single_edge

_ROUND = {"half_away": "roundf", "half_even": "rintf"}


def values_of(library: Library, version: str) -> dict[str, str]:
    """Return a text for each `@name@`; what is of the model file's own stands in Markdown only."""
    program, cpu = library.program, library.board.cpu
    source = single_edge(program.graph.inputs, "input")
    sink = single_edge(program.graph.outputs, "output")
    machine = MACHINES[cpu]
    target = cpu if library.board.name == cpu else f"{library.board.name}, a {cpu}"
    return {
        "at": "@",
        "prefix": library.prefix,
        "PREFIX": library.prefix.upper(),
        "version": version,
        "title": f"Integer network {program.graph.name} for {cpu}",
        "target": target,
        "cpu": cpu,
        "input_bytes": str(len(library.example.input)),
        "output_bytes": str(len(library.example.output)),
        "arena_bytes": str(program.arena_bytes),
        "weights_bytes": str(library.weights_bytes),
        "tables_bytes": str(library.tables_bytes),
        "input_text": _input_text(library, source),
        "quantize": _quantize(library.prefix.upper(), source),
        "output_text": _output_text(library, sink),
        "example_input": _bytes(library.example.input),
        "example_output": _bytes(library.example.output),
        "qemu": machine.qemu,
        "machine": machine.machine,
        "compiler": machine.compiler,
        "cpu_flags": machine.cpu_flags,
        "code_origin": f"{machine.code_origin:#010x}",
        "code_kib": str(machine.code_kib),
        "data_origin": f"{machine.data_origin:#010x}",
        "data_kib": str(machine.data_kib),
    }


def _bytes(data: bytes) -> str:
    return ctext.array([byte - 256 if byte > 127 else byte for byte in data])


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(str(extent) for extent in shape)


def _code(name: str) -> str:
    return f"`{ctext.comment(name).replace('`', '_')}`"


def _input_text(library: Library, edge: Edge) -> str:
    macro = library.prefix.upper()
    tensor = library.program.graph.tensors[edge.tensor]
    rows = [
        f"{_shape(tensor.shape)} values of int{edge.dtype.bits}, row-major, channels last. Scale "
        f"{edge.scale:.9g}, zero point {edge.zero_point} (`{macro}_INPUT_SCALE`, "
        f"`{macro}_INPUT_ZERO_POINT`).",
        f"The source model's input is {_code(edge.source_name)}, {edge.source_dtype} of "
        f"{_shape(edge.source_shape)}, batch axis first.",
    ]
    if edge.dtype is DType.INT16:
        rows.append(f"`(int16_t *){library.prefix}_input()` points to them.")
    if edge.transpose is not None:
        rows.append(f"Its axes are taken in the order {', '.join(map(str, edge.transpose))}.")
    if edge.source_offset:
        rows.append(f"Its integers are those of this library plus {edge.source_offset}.")
    if edge.source_dtype == "float32":
        rows.append(
            "A real value becomes an input so, with the division in float32 and halves rounded as "
            "the source model rounds them; anything else gives other outputs now and then:"
        )
    else:
        rows.append(
            "The source model itself takes integers; a real value becomes one by its scale and "
            "zero point, for example so:"
        )
    return "\n".join(rows)


def _quantize(macro: str, edge: Edge) -> str:
    kind = f"int{edge.dtype.bits}_t"
    low, high = f"{edge.dtype.low}.0F", f"{edge.dtype.high}.0F"
    return f"""#include <math.h>

static {kind} quantize(float real)
{{
    const float v = {_ROUND[edge.rounding]}(real / {macro}_INPUT_SCALE) + {macro}_INPUT_ZERO_POINT;
    return ({kind})(v < {low} ? {low} : (v > {high} ? {high} : v));
}}"""


def _output_text(library: Library, edge: Edge) -> str:
    macro = library.prefix.upper()
    tensor = library.program.graph.tensors[edge.tensor]
    rows = [
        f"{_shape(tensor.shape)} values of int{edge.dtype.bits}; "
        f"real = (output - {edge.zero_point}) × {edge.scale:.9g} "
        f"(`{macro}_OUTPUT_ZERO_POINT`, `{macro}_OUTPUT_SCALE`).",
        f"The source model's output is {_code(edge.source_name)}, {edge.source_dtype} of "
        f"{_shape(edge.source_shape)}, batch axis first.",
    ]
    if edge.dtype is DType.INT16:
        rows.append(f"`(const int16_t *){library.prefix}_output()` points to them.")
    if edge.transpose is not None:
        rows.append(f"Its axes are here in the order {', '.join(map(str, edge.transpose))}.")
    if edge.source_offset:
        rows.append(f"Its integers are those of this library plus {edge.source_offset}.")
    operators = [op for op in edge.host_ops if op not in ("quantize", "dequantize")]
    if operators:
        rows.append(
            f"The source model goes on in float from there: {', '.join(operators)}. That is left "
            "to the caller; the largest output stays the largest."
        )
    return "\n".join(rows)
