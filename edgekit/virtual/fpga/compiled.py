"""Designs compiled into simulators, each kept by the digest of everything that went into it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal, assert_never

from edgekit._data import data_dir
from edgekit.build.hold import hold
from edgekit.build.seal import is_whole, seal
from edgekit.errors import ToolError
from edgekit.virtual.fpga import programs

Simulator = Literal["cxxrtl", "verilator", "iverilog"]

_LIMIT_S = 1800.0  # a hard-wired network of some thousand LUTs is minutes of C++
_PRIMITIVE = re.compile(rb"\bSB_\w+")
_DECLARED = re.compile(rb"\bmodule\s+(SB_\w+)")
_DUT = "ek_dut.hpp"
_OPTIONS = ("-std=c++17", "-O2", "-w", "-fPIC")
_QUIET = ("-DVM_TRACE=0", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0")


@dataclass(frozen=True, slots=True)
class Design:
    """What is simulated: the sources of `top` and the program of fpga/sim that drives it."""

    top: str
    sources: Mapping[PurePosixPath, bytes]  # Verilog and memory files, read from where they lie
    bench: str  # stem of fpga/sim/BENCH.cpp, or BENCH.v for iverilog
    numbers: Mapping[str, int] = field(default_factory=dict)  # constants of the bench


def verilog(sources: Mapping[PurePosixPath, bytes]) -> tuple[str, ...]:
    """Return the names of the Verilog files of a design, sorted."""
    return tuple(sorted(str(name) for name in sources if name.suffix == ".v"))


def build(design: Design, simulator: Simulator, cache: Path, *, shared: bool = False) -> Path:
    """Compile a design, or find it compiled, below `cache`; returns the program.

    Args:
        design: what is simulated.
        simulator: who compiles it.
        cache: directory of all compiled simulators; any number of processes may share it.
        shared: a shared library instead of a program (not iverilog).

    Raises ToolError where a program is missing or fails; its log stays in the directory.
    """
    design = _with_primitives(design)
    used = _programs(simulator)
    directory = cache / f"{simulator}-{_digest(design, used, shared)}"
    product = directory / ("simulator.so" if shared else "simulator")
    if is_whole(product):
        return product
    directory.mkdir(parents=True, exist_ok=True)
    with hold(directory, wait=True):
        if not is_whole(product):
            _write(design, directory)
            part = product.with_suffix(".part")
            _compile(design, simulator, used, part, shared)
            if not part.is_file():
                raise ToolError(f"{simulator} ended without {part}", hint=f"see {directory}")
            part.replace(product)
            seal(product)
    return product


def build_plain(bench: str, cache: Path) -> Path:
    """Compile a program of fpga/sim that needs no design, or find it compiled, below `cache`.

    Raises ToolError where there is no C++ compiler, or it fails.
    """
    compiler, folder = programs.cxx(), data_dir("fpga") / "sim"
    digest = hashlib.sha256(compiler.version.encode())
    for path in sorted(folder.glob(f"{bench}.[ch]pp")):
        digest.update(path.read_bytes())
    directory = cache / f"{bench}-{digest.hexdigest()[:24]}"
    product = directory / "simulator"
    directory.mkdir(parents=True, exist_ok=True)
    with hold(directory, wait=True):
        if not is_whole(product):
            part = product.with_suffix(".part")
            source = str(folder / f"{bench}.cpp")
            argv = (*compiler.argv, "-std=c++17", "-O2", "-o", part.name, source)
            programs.run(argv, directory, directory / "logs/cxx.log", _LIMIT_S)
            part.replace(product)
            seal(product)
    return product


def _folders(design: Design) -> list[str]:
    """Return the options that say where included files lie: all three take the same."""
    return sorted({f"-I{name.parent}" for name in design.sources if name.suffix == ".vh"})


def _with_primitives(design: Design) -> Design:
    """Add our models of a part's primitives, those that the design names."""
    named = {m.decode() for data in design.sources.values() for m in _PRIMITIVE.findall(data)}
    held = {m.decode() for data in design.sources.values() for m in _DECLARED.findall(data)}
    models = {
        PurePosixPath("sim") / f"{name}.v": path.read_bytes()
        for name in sorted(named - held)
        if (path := data_dir("fpga") / "sim" / f"{name}.v").is_file()
    }
    return Design(design.top, {**design.sources, **models}, design.bench, design.numbers)


def _programs(simulator: Simulator) -> tuple[programs.Program, ...]:
    match simulator:
        case "cxxrtl":
            return programs.yosys(), programs.cxx()
        case "verilator":
            return programs.verilator(), programs.cxx()
        case "iverilog":
            return (programs.iverilog(),)
        case _:
            assert_never(simulator)


def _bench_files(design: Design) -> tuple[Path, ...]:
    folder = data_dir("fpga") / "sim"
    return folder / f"{design.bench}.cpp", folder / f"{design.bench}.v", folder / _DUT


def _digest(design: Design, used: tuple[programs.Program, ...], shared: bool) -> str:
    digest = hashlib.sha256(repr((design.top, sorted(design.numbers.items()), shared)).encode())
    for program in used:
        digest.update(program.version.encode() + b"\0")
    for path in (p for p in _bench_files(design) if p.is_file()):
        digest.update(path.read_bytes())
    for name in sorted(design.sources):
        data = design.sources[name]
        digest.update(f"{name} {len(data)}\0".encode() + data)
    return digest.hexdigest()[:24]


def _write(design: Design, directory: Path) -> None:
    for name, data in design.sources.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _compile(
    design: Design,
    simulator: Simulator,
    used: tuple[programs.Program, ...],
    product: Path,
    shared: bool,
) -> None:
    directory = product.parent
    if simulator == "iverilog":
        _iverilog(design, used[0], product)
        return
    writer, compiler = used
    assert writer.include is not None
    if simulator == "cxxrtl":
        extra = _cxxrtl(design, writer, directory)
    else:
        extra = _verilated(design, writer, compiler, directory)
    bench, _, dut = _bench_files(design)
    argv = (
        *compiler.argv,
        *_OPTIONS,
        *("-I.", f"-I{writer.include}", f"-I{dut.parent}"),
        *(("-shared",) if shared else ()),
        *(f"-D{name}={value}" for name, value in design.numbers.items()),
        *("-o", product.name, str(bench), *extra),
    )
    programs.run(argv, directory, directory / "logs/cxx.log", _LIMIT_S)


def _cxxrtl(design: Design, yosys: programs.Program, directory: Path) -> list[str]:
    files = " ".join((*_folders(design), *verilog(design.sources)))
    script = (
        f"read_verilog {files}; hierarchy -check -top {design.top}; "
        "proc; flatten; opt -full; clean; write_cxxrtl -O6 -g0 design.cc"
    )
    programs.run(
        (*yosys.argv, "-q", "-p", script), directory, directory / "logs/yosys.log", _LIMIT_S
    )
    # It would stop at an address beyond a memory's end even where nothing is written there.
    return ["-DCXXRTL_NDEBUG", "-DEK_CXXRTL", f"-DEK_TOP_CLASS=p_{design.top.replace('_', '__')}"]


def _verilated(
    design: Design, verilator: programs.Program, compiler: programs.Program, directory: Path
) -> list[str]:
    options = ("--cc", "--Mdir", "obj", "-Wno-fatal", "-Wno-lint", "--top-module", design.top)
    argv = (*verilator.argv, *options, *_folders(design), *verilog(design.sources))
    programs.run(argv, directory, directory / "logs/verilator.log", _LIMIT_S)
    # One unit: most of the time of each goes into Verilator's own headers.
    made = sorted(p.name for p in (directory / "obj").glob("*.cpp"))
    (directory / "all.cpp").write_text("".join(f'#include "obj/{n}"\n' for n in made))
    return [
        *("-DEK_VERILATOR", f"-DEK_TOP_CLASS=V{design.top}", f'-DEK_TOP_HEADER="V{design.top}.h"'),
        *(*_QUIET, "-Iobj", "all.cpp", *_runtime(verilator, compiler, directory.parent)),
        *compiler.libraries,
    ]


def _runtime(
    verilator: programs.Program, compiler: programs.Program, cache: Path
) -> tuple[str, ...]:
    """Compile Verilator's run-time sources once for all designs; returns the object files."""
    assert verilator.include is not None
    what = f"{verilator.version} {compiler.version} {verilator.include}"
    directory = cache / f"verilator-{hashlib.sha256(what.encode()).hexdigest()[:24]}"
    directory.mkdir(exist_ok=True)
    objects = [directory / f"verilated{part}.o" for part in ("", "_threads")]
    with hold(directory, wait=True):
        for made in (o for o in objects if not is_whole(o)):
            part = made.with_suffix(".part.o")
            source = str(verilator.include / f"{made.stem}.cpp")
            argv = (*compiler.argv, *_OPTIONS, *_QUIET, f"-I{verilator.include}", "-c", source)
            log = directory / f"{made.stem}.log"
            programs.run((*argv, "-o", part.name), directory, log, _LIMIT_S)
            part.replace(made)
            seal(made)
    return tuple(str(made.resolve()) for made in objects)


def _iverilog(design: Design, program: programs.Program, product: Path) -> None:
    _, bench, _ = _bench_files(design)
    numbers = [f"-P{design.bench}.{name}={value}" for name, value in design.numbers.items()]
    options = ("-g2005", "-s", design.bench, *numbers, "-o", product.name)
    options = (*options, *_folders(design))
    argv = (*program.argv, *options, str(bench), *verilog(design.sources))
    programs.run(argv, product.parent, product.parent / "logs/iverilog.log", _LIMIT_S)
