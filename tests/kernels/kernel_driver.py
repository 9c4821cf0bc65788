"""Runs single kernels, compiled for the host as one shared library, through ctypes.

Parameter structures are read from edgekit.h, so they cannot differ from it. All buffers lie
between guard bytes, scratch starts as noise, and inputs must come back unchanged.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from writers.flat_bytes import from_bytes, to_bytes

from edgekit.ir.types import DType
from edgekit.pipeline import native
from edgekit.target.mcu.code import NodeCode
from edgekit.target.mcu.scale import ROUND_VALUES

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
STRICT = (
    *("-std=c99", "-ffreestanding", "-ffp-contract=off", "-Wall", "-Wextra", "-Wpedantic"),
    *("-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Wundef", "-Wvla", "-Werror"),
)
_GUARD = 256
_GUARD_BYTE = 0x5A
_TYPES = {"int32_t": ctypes.c_int32, "int16_t": ctypes.c_int16, "int8_t": ctypes.c_int8}


def host_library(
    directory: Path,
    *,
    sources: Sequence[Path] = (),
    flags: Sequence[str] = ("-O2",),
) -> Path:
    """Compile the kernels (or `sources`) into a shared library below `directory`."""
    compiler = native.compiler()
    assert compiler is not None, "no C compiler on this machine"
    sources = list(sources) or sorted((FIRMWARE / "kernels").glob("*.c"))
    output = directory / "kernels.so"
    include = f"-I{FIRMWARE / 'include'}"
    # fmaf comes from libm where the host has no such instruction.
    argv = [*compiler, *STRICT, *flags, include, "-fPIC", "-shared", *map(str, sources)]
    subprocess.run([*argv, "-lm", "-o", str(output)], check=True)
    return output


def structures(pointers: type = ctypes.c_void_p) -> dict[str, type[ctypes.Structure]]:
    """Return every struct of edgekit.h and of what it includes as a ctypes class."""
    parts = ("bin_params", "bit_tables", "codes", "moves", "mve_params", "wide")
    names = ("edgekit.h", *(f"ek_{part}.h" for part in parts))
    headers = (FIRMWARE / "include" / name for name in names)
    text = re.sub(r"/\*.*?\*/", "", "".join(path.read_text() for path in headers), flags=re.S)
    found: dict[str, type[ctypes.Structure]] = {}
    for body, name in re.findall(r"typedef struct \{(.*?)\} (\w+);", text, flags=re.S):
        fields = []
        for kind, pointer, field in re.findall(r"(?:const )?(\w+) (\*?)(\w+);", body):
            base = pointers if pointer else _TYPES.get(kind) or found[kind]
            fields.append((field, base))
        found[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
    for known, name in re.findall(r"typedef (\w+_params) (\w+);", text):
        found[name] = found[known]
    return found


class Kernels:
    """A loaded kernel library."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._structures = structures()
        self._noise = np.random.default_rng(0)

    def run(
        self,
        code: NodeCode,
        inputs: Sequence[NDArray[np.int64]],
        size: int,
        dtype: DType = DType.INT8,
    ) -> NDArray[np.int64]:
        """Run the node's kernel on flat values of `dtype` and return its `size` outputs."""
        given = [to_bytes(dtype, np.asarray(x)[np.newaxis])[0] for x in inputs]
        return from_bytes(dtype, self.run_bytes(code, given, size * dtype.bits // 8))

    def run_bytes(
        self,
        code: NodeCode,
        inputs: Sequence[NDArray[np.int8]],
        size_bytes: int,
        generated: Mapping[str, int] | None = None,
    ) -> NDArray[np.int8]:
        """Run the node's kernel on stored tensors and return the `size_bytes` of its output.

        `generated` holds the addresses of generated functions by name.
        """
        keep: list[object] = []
        arrays = {a.name: _constant(a.c_type, a.values, keep) for a in code.arrays}
        arrays |= generated or {}
        params = fill(self._structures[f"{code.kernel}_params"], code.params, arrays)
        buffers = [_Guarded(x) for x in inputs]
        scratch = _Guarded(self._noise.integers(-128, 128, code.scratch_bytes).astype(np.int8))
        out = _Guarded(self._noise.integers(-128, 128, size_bytes).astype(np.int8))
        arguments = [ctypes.byref(params)]
        arguments += [scratch.pointer()] if code.scratch_bytes else []
        pointers = [b.pointer() for b in buffers]
        listed = (ctypes.c_void_p * len(pointers))(*(p.value for p in pointers))
        arguments += [listed] if code.listed else pointers
        arguments += [out.pointer()]
        getattr(self._library, code.kernel)(*arguments)
        for buffer, x in zip(buffers, inputs, strict=True):
            np.testing.assert_array_equal(buffer.values(), x)
        scratch.values()
        return out.values().astype(np.int8)

    def run_overlapped(
        self, code: NodeCode, x: NDArray[np.int64], size: int, behind_bytes: int
    ) -> NDArray[np.int64]:
        """Run the node's kernel with its output starting `behind_bytes` below its input."""
        keep: list[object] = []
        arrays = {a.name: _constant(a.c_type, a.values, keep) for a in code.arrays}
        params = fill(self._structures[f"{code.kernel}_params"], code.params, arrays)
        scratch = _Guarded(self._noise.integers(-128, 128, code.scratch_bytes).astype(np.int8))
        x_start, y_start = max(behind_bytes, 0), max(-behind_bytes, 0)
        room = max(x_start + x.size, y_start + size)
        shared = _Guarded(self._noise.integers(-128, 128, room).astype(np.int8))
        address = shared.pointer().value or 0
        shared.write(x_start, x.astype(np.int8).ravel())
        places = [ctypes.c_void_p(address + start) for start in (x_start, y_start)]
        work = [scratch.pointer()] if code.scratch_bytes else []
        getattr(self._library, code.kernel)(ctypes.byref(params), *work, *places)
        scratch.values()
        return shared.values()[y_start : y_start + size]


def fill(
    kind: type[ctypes.Structure], fields: Mapping[str, object], arrays: Mapping[str, int]
) -> ctypes.Structure:
    """Return a struct with `fields`; `arrays` are the addresses that names stand for."""
    filled = kind()
    for name, value in fields.items():
        if isinstance(value, Mapping):
            nested = dict(kind._fields_)[name]  # type: ignore[misc]
            setattr(filled, name, fill(nested, value, arrays))
        elif isinstance(value, str):
            setattr(filled, name, {**arrays, **ROUND_VALUES, "0": 0}[value])
        else:
            setattr(filled, name, value)
    return filled


def _constant(c_type: str, values: Sequence[int], keep: list[object]) -> int:
    array = np.array(values, c_type.removesuffix("_t"))
    keep.append(array)
    buffer = ctypes.create_string_buffer(array.tobytes(), max(array.nbytes, 1))
    keep.append(buffer)
    return ctypes.addressof(buffer)


class _Guarded:
    """Bytes between two guards, starting at a multiple of 4 that is no multiple of 8."""

    def __init__(self, values: NDArray[np.int8]) -> None:
        self._size = values.size
        self._memory = np.full(values.size + 2 * _GUARD + 8, _GUARD_BYTE, np.uint8)
        self._start = _GUARD + (4 - self._memory.ctypes.data - _GUARD) % 8
        self._memory[self._start : self._start + self._size] = values.view(np.uint8)

    def pointer(self) -> ctypes.c_void_p:
        return ctypes.c_void_p(self._memory.ctypes.data + self._start)

    def write(self, start: int, values: NDArray[np.int8]) -> None:
        """Replace the bytes from `start` on."""
        first = self._start + start
        self._memory[first : first + values.size] = values.view(np.uint8)

    def values(self) -> NDArray[np.int64]:
        """Return the bytes as integers; a touched guard is an error."""
        end = self._start + self._size
        outside = np.concatenate([self._memory[: self._start], self._memory[end:]])
        assert (outside == _GUARD_BYTE).all(), "the kernel wrote outside its buffer"
        return self._memory[self._start : end].view(np.int8).astype(np.int64)
