"""Generated C, compiled for the host and run through its public interface."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from writers.flat_bytes import from_bytes, to_bytes

from edgekit.board import Board, find
from edgekit.build.plan import BuildPlan
from edgekit.build.run import write_files
from edgekit.ir.graph import Graph
from edgekit.ir.types import DType
from edgekit.passes import memory
from edgekit.passes.memory import MemoryPlan
from edgekit.pipeline import native
from edgekit.target.mcu import emit, overlaps, scratch_bytes

STRICT = (
    *("-std=c99", "-ffreestanding", "-O2", "-ffp-contract=off", "-fPIC", "-shared"),
    *("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wstrict-prototypes"),
    *("-Wundef", "-Wvla", "-Werror"),
)


def board() -> Board:
    return find("nucleo-l4r5zi")


def arena_of(graph: Graph, target: Board) -> MemoryPlan:
    return memory.plan(graph, scratch_bytes(graph, target), overlaps(graph, target))


def plan_of(graph: Graph, *, trace: bool = True) -> BuildPlan:
    layout = arena_of(graph, board())
    return emit(graph, layout, board(), "gcc", trace=trace)


def is_model(path: PurePosixPath) -> bool:
    """Model or kernel: everything a user of the C needs."""
    return path.parts[0] == "model" or path.parts[:2] in (
        ("firmware", "kernels"),
        ("firmware", "include"),
    )


class NativeModel:
    """A plan's model.c and kernels as a shared library, with or without tracing."""

    def __init__(self, plan: BuildPlan, directory: Path, dtype: DType = DType.INT8) -> None:
        self._dtype = dtype  # of every activation
        write_files(plan, directory)
        sources = [str(directory / p) for p in plan.files if is_model(p) and p.suffix == ".c"]
        library = directory / "model.so"
        traced = any("-DMODEL_TRACE=1" in command.argv for command in plan.commands)
        compiler = native.compiler()
        assert compiler is not None, "no C compiler on this machine"
        argv = [*compiler, *STRICT, *(["-DMODEL_TRACE=1"] if traced else [])]
        argv += [f"-I{directory / 'firmware/include'}", f"-I{directory / 'model'}"]
        subprocess.run([*argv, *sources, "-lm", "-o", str(library)], check=True)
        self._library = ctypes.CDLL(str(library))
        for name in ("model_input", "model_output"):
            getattr(self._library, name).restype = ctypes.c_void_p
        if traced:
            self._library.model_trace_tensor.restype = ctypes.c_void_p

    def run(self, x: NDArray[np.int64], size: int) -> NDArray[np.int64]:
        """Return the `size` outputs of one inference."""
        self._start(x)
        return self._values(self._library.model_output(), size * self._dtype.bits // 8)

    def tensor(self, x: NDArray[np.int64], node: int) -> NDArray[np.int64]:
        """Return what `node` wrote, having stopped after it."""
        ctypes.c_int32.in_dll(self._library, "model_trace_stop").value = node
        self._start(x)
        size = ctypes.c_int32()
        address = self._library.model_trace_tensor(node, ctypes.byref(size))
        ctypes.c_int32.in_dll(self._library, "model_trace_stop").value = -1
        return self._values(address, size.value)

    def _start(self, x: NDArray[np.int64]) -> None:
        data = to_bytes(self._dtype, x[np.newaxis]).tobytes()
        ctypes.memmove(self._library.model_input(), data, len(data))
        self._library.model_run()

    def _values(self, address: int, size_bytes: int) -> NDArray[np.int64]:
        stored = np.frombuffer(ctypes.string_at(address, size_bytes), np.int8)
        return from_bytes(self._dtype, stored)
