"""Does the model fit the board? Asked before any tool runs."""

from __future__ import annotations

from edgekit.board import McuBoard
from edgekit.errors import DoesNotFitError
from edgekit.passes.memory import tensor_bytes
from edgekit.target.mcu.code import UNROLLED_TERM_BYTES
from edgekit.target.mcu.source import Program

# Beside the model: vectors, port, link, application; their buffers and the stack.
FLASH_RESERVE_BYTES = 32 * 1024
RAM_RESERVE_BYTES = 16 * 1024
_STORED_INPUTS = 64  # that the link keeps in what is left of the RAM
_LEAST_STORE_BYTES = 32 * 1024
_PARAMETERS_BYTES = 128  # a node's parameter struct, call and literals, rounded up


def arena_room_bytes(board: McuBoard) -> int:
    """Return the largest arena that the board's RAM has room for."""
    return board.ram.size_bytes - RAM_RESERVE_BYTES


def reads_weights_in_ram(program: Program, board: McuBoard) -> bool:
    """Tell whether the weights are copied to RAM: the board gains and has room left for inputs."""
    weights = sum(a.size_bytes for node in program.nodes for a in node.arrays if a.is_weights)
    inputs = _STORED_INPUTS * program.graph.tensors[program.graph.inputs[0].tensor].size
    needed = program.arena_bytes + RAM_RESERVE_BYTES + weights + max(inputs, _LEAST_STORE_BYTES)
    return board.weights_in == "ram" and needed <= board.ram.size_bytes


def check_fit(program: Program, board: McuBoard) -> None:
    """Raise DoesNotFitError if arena or constants exceed the board's memories."""
    graph = program.graph
    activations = {
        n: tensor_bytes(graph.tensors[n]) for n in program.memory.offsets if n in graph.tensors
    }
    _check(
        program.arena_bytes + RAM_RESERVE_BYTES,
        board.ram.size_bytes,
        f"{program.title}: RAM of {board.name}",
        activations,
        "use smaller images or fewer channels in the early layers, or a board with more RAM",
    )
    constants = {
        f"{array.name} ({graph.nodes[node.index].label})": array.size_bytes
        for node in program.nodes
        for array in node.arrays
    }
    for node in program.nodes:
        if node.unrolled is not None:
            label = f"{node.unrolled.name} ({graph.nodes[node.index].label})"
            constants[label] = node.unrolled.terms * UNROLLED_TERM_BYTES
    flash = sum(constants.values()) + _PARAMETERS_BYTES * len(program.nodes) + FLASH_RESERVE_BYTES
    _check(
        flash,
        board.flash_memory.size_bytes,
        f"{program.title}: flash of {board.name}",
        constants,
        "prune or narrow the largest layers, or take a board with more flash",
    )


def _check(needed: int, available: int, what: str, sizes: dict[str, int], hint: str) -> None:
    if needed <= available:
        return
    largest = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:3]
    rows = ", ".join(f"{name} {size:,} bytes" for name, size in largest)
    raise DoesNotFitError(
        f"{what}: {needed:,} bytes are needed, {available:,} are available; largest: {rows}",
        hint=hint,
    )
