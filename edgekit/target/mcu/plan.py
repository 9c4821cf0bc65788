"""From a graph and its memory plan to a build plan: sources, firmware files, commands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from edgekit._data import data_dir
from edgekit.board import McuBoard
from edgekit.build.plan import BuildPlan, Command, Toolchain
from edgekit.errors import ConfigError, UnsupportedError
from edgekit.ir.check import macs
from edgekit.ir.graph import Graph
from edgekit.passes.memory import MemoryPlan, Overlap
from edgekit.passes.patches import Needs
from edgekit.target.mcu import compilers, source
from edgekit.target.mcu.code import Context, NodeCode, prefixed, shared
from edgekit.target.mcu.features import FEATURES
from edgekit.target.mcu.fit import check_fit, reads_weights_in_ram
from edgekit.target.mcu.ops import emit_node
from edgekit.target.mcu.scale import ROUND_VALUES

_KERNELS = PurePosixPath("firmware/kernels")
# Directories below firmware/port that several ports share.
_SHARED: dict[str, tuple[str, ...]] = {
    "mps2_an386": ("mps", "qemu"),
    "mps2_an500": ("mps", "qemu"),
    "mps2_an505": ("mps", "qemu"),
    "mps3_an547": ("mps", "qemu"),
    "nrf52840": ("cortex_m",),
    "rp2040": ("cortex_m",),
    "stm32h7a3": ("cortex_m", "stm32"),
    "stm32l4r5": ("cortex_m", "stm32"),
    "stm32u575": ("cortex_m", "stm32"),
    "virt_rv32": ("qemu",),
}


def needs(graph: Graph, board: McuBoard, tensors: Collection[str]) -> Needs:
    """Return what the nodes that write `tensors` need of the arena beside them."""
    codes = _codes(graph, board, tensors)
    return Needs(
        {code.output: code.scratch_bytes for code in codes if code.scratch_bytes},
        {code.output: code.overlap for code in codes if code.overlap is not None},
    )


def scratch_bytes(graph: Graph, board: McuBoard) -> Mapping[str, int]:
    """Return the scratch bytes of each node that needs any, by the tensor it writes."""
    codes = _codes(graph, board)
    return {node.output: node.scratch_bytes for node in codes if node.scratch_bytes}


def overlaps(graph: Graph, board: McuBoard) -> Mapping[str, Overlap]:
    """Return which nodes may write over an input while they read it, by the tensor they write."""
    return {node.output: node.overlap for node in _codes(graph, board) if node.overlap is not None}


def kernels(graph: Graph, board: McuBoard) -> Mapping[str, str]:
    """Return the kernel of each node that has one, by the tensor it writes; a reshape has none."""
    return {node.output: node.kernel for node in _codes(graph, board)}


def weights_bytes(graph: Graph, board: McuBoard) -> Mapping[str, int]:
    """Return the bytes of each node's weights as stored, by the tensor it writes."""
    return {
        code.output: sum(array.size_bytes for array in code.arrays if array.is_weights)
        for code in _codes(graph, board)
    }


def program_of(
    graph: Graph, memory: MemoryPlan, board: McuBoard, *, prefix: str = "model"
) -> source.Program:
    """Return `graph` as a program for the CPU of `board`; what `source` makes of it fits there.

    Raises:
        DoesNotFitError: the model is larger than the board's flash or RAM.
        UnsupportedError: more than one input or output, or nothing to compute.
    """
    codes = shared(prefixed(code, prefix) for code in _codes(graph, board))
    program = source.Program(graph, memory, codes, f"{graph.name} for {board.name}", prefix)
    source.single_edge(graph.inputs, "input")
    source.single_edge(graph.outputs, "output")
    if not program.nodes:
        raise UnsupportedError(
            f"{graph.name} computes nothing: its output holds the bytes of its input",
            hint="there is nothing to put on a board",
        )
    check_fit(program, board)
    return program


def emit(
    graph: Graph,
    memory: MemoryPlan,
    board: McuBoard,
    toolchain: Toolchain,
    *,
    trace: bool = False,
    operating_point: str | None = None,
) -> BuildPlan:
    """Return the plan that builds `graph` into firmware for `board`.

    Args:
        graph: a checked graph with one input and one output.
        memory: offsets for its tensors and for the scratch that `scratch_bytes` asked for.
        board: names CPU, memories, firmware port and clock.
        toolchain: the compiler to use.
        trace: keep every tensor readable after its node (`MODEL_TRACE`).
        operating_point: one of the board's; its default if None.

    Raises:
        DoesNotFitError: the model is larger than the board's flash or RAM.
        UnsupportedError: more than one input or output, or nothing to compute.
        ConfigError: the board names a firmware port that does not exist.
    """
    program = program_of(graph, memory, board)
    files = {
        PurePosixPath("model/model.h"): source.header(program).encode(),
        PurePosixPath("model/model.c"): source.model(program).encode(),
        PurePosixPath("model/model_data.h"): source.data_header(program).encode(),
        PurePosixPath("model/model_data.c"): source.data(program).encode(),
        PurePosixPath("model/model.cmake"): source.cmake(program, roundings_of(program)).encode(),
        **_firmware_files(program, board),
    }
    commands = _commands(files, program, board, toolchain, trace, operating_point)
    products = {"elf": PurePosixPath("firmware.elf")}
    facts = {
        "arena_bytes": program.arena_bytes,
        "arena_lower_bound_bytes": memory.lower_bound_bytes,
        "macs": sum(macs(graph, node) for node in graph.nodes),
    }
    unnamed = BuildPlan(graph.name, board.name, toolchain, files, commands, products, facts)
    files[PurePosixPath("model/build_id.h")] = source.build_id(program, unnamed.digest()).encode()
    return BuildPlan(graph.name, board.name, toolchain, files, commands, products, facts)


def _codes(
    graph: Graph, board: McuBoard, tensors: Collection[str] | None = None
) -> tuple[NodeCode, ...]:
    """Return the C of all nodes, or of those that write `tensors`."""
    features = FEATURES[board.cpu]
    codes = (
        emit_node(Context(graph, i, features), node)
        for i, node in enumerate(graph.nodes)
        if tensors is None or node.y in tensors
    )
    return tuple(code for code in codes if code is not None)


def _firmware_files(program: source.Program, board: McuBoard) -> dict[PurePosixPath, bytes]:
    root = data_dir("firmware")
    port, *others = (root / "port" / name for name in _port_directories(board))
    if not (port / "linker.ld").is_file():
        ports = sorted(script.parent.name for script in (root / "port").glob("*/linker.ld"))
        raise ConfigError(
            f"board {board.name}: firmware port {board.firmware_port!r} does not exist",
            hint=f"ports: {', '.join(ports)}",
        )
    paths = [
        *sorted((root / "include").glob("*.h")),
        *kernel_files(program),
        *_sources(root / "link"),
        *(path for directory in (port, *others) for path in _sources(directory)),
    ]
    files = {
        PurePosixPath("firmware", p.relative_to(root).as_posix()): p.read_bytes() for p in paths
    }
    files[PurePosixPath("linker.ld")] = (port / "linker.ld").read_bytes()
    files[PurePosixPath("sections.ld")] = (root / "port" / "sections.ld").read_bytes()
    memory = "RAM" if reads_weights_in_ram(program, board) else "FLASH"
    files[PurePosixPath("weights.ld")] = f'REGION_ALIAS("WEIGHTS", {memory})\n'.encode()
    return files


def kernel_files(program: source.Program) -> tuple[Path, ...]:
    """Return the sources of the kernels that `program` calls, by name."""
    used = sorted({node.kernel for node in program.nodes})
    return tuple(data_dir("firmware") / "kernels" / f"{kernel}.c" for kernel in used)


def _port_directories(board: McuBoard) -> tuple[str, ...]:
    port = board.firmware_port
    if port is None:
        raise ConfigError(
            f"edgekit has no firmware for {board.name}: its file names no firmware port",
            hint=f"`edgekit package --board {board.name}` makes a library for firmware of your own",
        )
    return (port, *_SHARED.get(port, ()))


def _sources(directory: Path) -> list[Path]:
    return sorted(p for p in directory.glob("*") if p.suffix in {".c", ".h"})


def _commands(
    files: Mapping[PurePosixPath, bytes],
    program: source.Program,
    board: McuBoard,
    toolchain: Toolchain,
    trace: bool,
    operating_point: str | None,
) -> tuple[Command, ...]:
    sources = sorted(path for path in files if path.suffix == ".c")
    ports = [f"firmware/port/{name}" for name in _port_directories(board)]
    roundings = roundings_of(program)
    traced = ("MODEL_TRACE=1",) if trace else ()
    commands = []
    for path in sources:
        include, defines, kernel = ["firmware/include", "model"], traced, True
        if path.parent == _KERNELS:
            defines = (f"EK_ROUNDINGS={roundings[path.stem]}U",)
        elif path.parts[0] == "firmware":
            kernel = False
            include += ["firmware/link", *ports]
            defines = (*traced, *_clock_defines(board, operating_point))
        commands.append(
            compilers.compile_command(
                toolchain, board.cpu, path, include=include, defines=defines, kernel=kernel
            )
        )
    return (*commands, compilers.link_command(toolchain, board.cpu, sources, "firmware.elf"))


def roundings_of(program: source.Program) -> dict[str, int]:
    """Return each kernel's EK_ROUNDINGS: the set of roundings its nodes use."""
    masks: dict[str, int] = {}
    for node in program.nodes:
        bits = sum(1 << ROUND_VALUES[name] for name in node.roundings)
        masks[node.kernel] = masks.get(node.kernel, 0) | bits
    # A kernel that requantizes nothing still includes the header, which wants a rounding.
    return {kernel: mask or 1 for kernel, mask in masks.items()}


def _clock_defines(board: McuBoard, operating_point: str | None) -> tuple[str, ...]:
    name = operating_point or board.contract.operating_point
    if name not in board.operating_points:
        raise ConfigError(
            f"board {board.name} has no operating point {name!r}",
            hint=f"pick one of: {', '.join(sorted(board.operating_points))}",
        )
    point = board.operating_points[name]
    flag = "".join(c if c.isalnum() else "_" for c in name.upper())
    return (f"EK_CLOCK_HZ={point.clock_hz}U", f"EK_OPERATING_POINT_{flag}=1")
