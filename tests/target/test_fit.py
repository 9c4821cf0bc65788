"""Where the weights go: to RAM if the board gains by it and inputs keep their room."""

from __future__ import annotations

from native_model import arena_of, board
from small_graph import small_graph

from edgekit.board import Board
from edgekit.target.mcu.fit import RAM_RESERVE_BYTES, reads_weights_in_ram
from edgekit.target.mcu.plan import program_of


def moved(target: Board) -> bool:
    graph = small_graph()
    return reads_weights_in_ram(program_of(graph, arena_of(graph, target), target), target)


def with_ram(size_bytes: int) -> Board:
    ram = board().ram.model_copy(update={"size_bytes": size_bytes})
    return board().model_copy(update={"weights_in": "ram", "ram": ram})


def test_weights_move_where_the_board_says_so():
    assert not moved(board())
    assert moved(board().model_copy(update={"weights_in": "ram"}))


def test_weights_stay_where_inputs_would_lose_their_room():
    graph = small_graph()
    program = program_of(graph, arena_of(graph, board()), board())
    weights = sum(a.size_bytes for n in program.nodes for a in n.arrays if a.kind == "w")
    inputs = max(64 * graph.tensors[graph.inputs[0].tensor].size, 32 * 1024)
    enough = program.arena_bytes + weights + inputs + RAM_RESERVE_BYTES
    assert moved(with_ram(enough))
    assert not moved(with_ram(enough - 1))
