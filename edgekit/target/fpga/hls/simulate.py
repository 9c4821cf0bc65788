"""The generated C++ on this machine: the sources that the HLS tool is given, built and run."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.build import process, tools
from edgekit.build.hold import hold
from edgekit.build.seal import is_whole, seal
from edgekit.errors import ConfigError, ToolError
from edgekit.ir.graph import Graph
from edgekit.target.fpga.hls import wire
from edgekit.target.fpga.hls.project import INTERVAL_CYCLES, generate

# Only the pragmas of HLS are unknown to these compilers.
FLAGS = ("-std=c++14", "-O2", "-Wno-unknown-pragmas")
_TIMEOUT_S = 600.0
_MEMORY_KIB = 4 * 1024**2
# The arrays of a large image lie on the stack.
_LIMITED = f'ulimit -v {_MEMORY_KIB}; ulimit -S -s "$(ulimit -H -s)"; exec "$0" "$@"'


def compiler() -> tuple[str, ...]:
    """Return the argv prefix of a C++ compiler: g++, else clang++, else zig.

    Raises:
        ToolError: there is none.
    """
    for name in ("g++", "clang++"):
        path = shutil.which(name)
        if path is not None:
            return (path,)
    zig = tools.find("zig")
    if zig is None:
        raise ToolError(
            "no C++ compiler is installed; it is needed to run the HLS C++ on this machine",
            hint="apt-get install g++, or pip install 'edgekit[virtual]'",
        )
    return (*zig, "c++")


def csim(
    graph: Graph,
    inputs: NDArray[np.int8],
    work: Path,
    *,
    interval_cycles: int = INTERVAL_CYCLES,
    prefix: Sequence[str] | None = None,
) -> NDArray[np.int8]:
    """Return what the HLS C++ of `graph` answers.

    Args:
        graph: what `generate` takes.
        inputs: (n, input bytes) as `edges.to_bytes` gives them.
        work: programs are kept in its `build` and not built twice.
        interval_cycles: as for `generate`.
        prefix: starts the compiler; None: the one that is found.

    Returns:
        (n, output bytes), which `edges.from_bytes` reads.

    Raises:
        UnsupportedError: as `generate`.
        ConfigError: the rows are not as long as the input.
        ToolError: no compiler, or it failed, or the program died, ran too long or answered
            too little.
    """
    source = graph.tensors[graph.inputs[0].tensor]
    sink = graph.tensors[graph.outputs[0].tensor]
    if inputs.ndim != 2 or inputs.shape[1] != wire.size_bytes(source):
        raise ConfigError(
            f"the samples are {inputs.shape}; (n, {wire.size_bytes(source)}) bytes are wanted"
        )
    program = _program(graph, work, interval_cycles, tuple(prefix or compiler()))
    if not len(inputs):
        return np.empty((0, wire.size_bytes(sink)), np.int8)
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        given, taken = Path(folder) / "input.hex", Path(folder) / "output.hex"
        given.write_text(wire.to_hex(inputs), encoding="ascii")
        argv = ("sh", "-c", _LIMITED, str(program.resolve()), str(given), str(taken))
        _call(argv, program.parent, "run.log", "the HLS C++")
        try:
            text = taken.read_text(encoding="ascii")
            return wire.from_hex(text, len(inputs), wire.size_bytes(sink))
        except (OSError, ValueError) as exc:
            raise ToolError(
                f"the HLS C++ did not answer all {len(inputs)} samples",
                hint=f"its sources are in {program.parent}",
            ) from exc


def _program(graph: Graph, work: Path, interval_cycles: int, prefix: tuple[str, ...]) -> Path:
    files = generate(graph, interval_cycles=interval_cycles)
    argv = (*prefix, *FLAGS, "model.cpp", "testbench.cpp", "-o", "testbench.part")
    state = hashlib.blake2b("\0".join(argv).encode(), digest_size=16)
    for name, data in files.items():
        state.update(f"\0{name}\0{len(data)}\0".encode())
        state.update(data)
    directory = work / "build" / state.hexdigest() / "hls"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with hold(directory, wait=True):
            program = directory / "testbench"
            if not is_whole(program):
                for name, data in files.items():
                    (directory / name).write_bytes(data)
                _call(argv, directory, "build.log", prefix[0])
                (directory / "testbench.part").replace(program)
                seal(program)
    except OSError as exc:
        raise ConfigError(
            f"work directory {work} cannot be written: {exc.strerror}",
            hint="choose one with --work",
        ) from exc
    return program


def _call(argv: Sequence[str], directory: Path, log: str, name: str) -> None:
    """Run a program in `directory` to its end; `log` there keeps what it prints.

    Raises:
        ToolError: it cannot be started, ran out of time or memory, or failed.
    """
    try:
        outcome = process.run_program(name, argv, directory, directory / log, timeout_s=_TIMEOUT_S)
    except OSError as exc:
        raise ToolError(f"{name} cannot be started: {exc.strerror}: {' '.join(argv)}") from exc
    if outcome.ending != "ok":
        raise outcome.error()
