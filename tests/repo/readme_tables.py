"""The tables of README.md: boards from their files, operators from operators.json."""

from __future__ import annotations

import re

from repo import operator_table

from edgekit import board as boards
from edgekit.board import Contract, FpgaBoard, McuBoard

_FORMATS = {
    operator_table.TFLITE: ("TFLite", "tflite_runtime, reference kernels"),
    operator_table.ONNX: ("ONNX", "onnxruntime"),
    operator_table.MICROSOFT: ("ONNX, com.microsoft", "onnxruntime"),
    operator_table.QONNX: ("QONNX, FINN", "qonnx"),
    operator_table.KERAS: ("Larq, QKeras", "Keras' arithmetic in float32, by numpy"),
}
_HOST = (
    "`LOG_SOFTMAX`, `QLinearSoftmax` and a `Softmax` of floats run on the host, behind the last "
    "integer tensor. ONNX average pools are exact where the window is the whole image; elsewhere, "
    "and for `ReduceMean`, onnxruntime computes them in float, and `edgekit check` says so."
)


def board_table() -> str:
    """Return one row per board file."""
    head = ("board", "CPU or part", "target", "default contract", "emulated", "run on hardware")
    return _table(head, [_board_row(boards.find(name)) for name in boards.names()])


def operator_rows() -> str:
    """Return one row per source format, and what is left to the host."""
    listed = operator_table.listed()
    rows = [
        (title, ", ".join(f"`{name}`" for name in sorted(listed[section])), reference)
        for section, (title, reference) in _FORMATS.items()
    ]
    return _table(("format", "operators", "compared with"), rows) + f"\n\n{_HOST}"


def rendered(text: str) -> str:
    """Return `text` with what is between the markers as it should be now."""
    for name, table in (("boards", board_table()), ("operators", operator_rows())):
        block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        assert len(block.findall(text)) == 1, f"README.md needs one block of {name} markers"
        text = block.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)
    return text


def _board_row(board: McuBoard | FpgaBoard) -> tuple[str, ...]:
    return (
        f"[{board.name}](boards/{board.name}.yaml)",
        board.cpu if isinstance(board, McuBoard) else board.part.device,
        board.target,
        _contract(board.contract),
        "yes" if board.emulated else "no",
        "yes" if board.run_on_hardware else "no",
    )


def _contract(contract: Contract) -> str:
    rate = "" if contract.rate_hz is None else f" at {contract.rate_hz:g} Hz"
    return (
        f"{contract.limit_mw:g} mW, {contract.scope}, {contract.mode}{rate}, "
        f"{contract.operating_point}"
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
