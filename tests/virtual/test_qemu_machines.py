"""The machines of QEMU: equal outputs, exact counts."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.build import run as executor
from edgekit.errors import DeviceError
from edgekit.ir import interp
from edgekit.passes import memory, optimize
from edgekit.target import mcu
from edgekit.virtual import qemu

pytestmark = pytest.mark.virtual
_M = pytest.mark
BUILDS = [
    pytest.param("cortex-m33", "gcc", marks=[_M.qemu, _M.gcc]),
    pytest.param("cortex-m7", "gcc", marks=[_M.qemu, _M.gcc]),
    pytest.param("cortex-m55", "gcc", marks=[_M.qemu, _M.gcc]),
    pytest.param("cortex-m55", "zig", marks=[_M.qemu, _M.zig]),
    pytest.param("rv32imc", "gcc", marks=[_M.qemu_riscv, _M.riscv]),
    pytest.param("rv32imc", "zig", marks=[_M.qemu_riscv, _M.zig]),
]


def _image(board, cpu, toolchain, graph, work):
    target = qemu.oracle_board(board.model_copy(update={"cpu": cpu}))
    graph = optimize(graph)
    arena = memory.plan(graph, mcu.scratch_bytes(graph, target), mcu.overlaps(graph, target))
    return executor.execute(mcu.emit(graph, arena, target, toolchain), work).products["elf"]


@pytest.mark.parametrize(("cpu", "toolchain"), BUILDS)
def test_outputs_equal_the_graph(cpu, toolchain, board, small_graph, samples, tmp_path):
    elf = _image(board, cpu, toolchain, small_graph, tmp_path)
    run = qemu.count(elf, np.concatenate([samples, samples]), cpu)
    source, result = small_graph.inputs[0].tensor, small_graph.outputs[0].tensor
    x = samples.reshape(len(samples), *small_graph.tensors[source].shape).astype(np.int64)
    expected = interp.run(small_graph, {source: x})[result].reshape(len(samples), -1)
    np.testing.assert_array_equal(run.outputs, np.concatenate([expected, expected]))
    # To the instruction: the same inputs count the same, whatever went before.
    np.testing.assert_array_equal(*np.split(run.instructions, 2))
    assert run.instructions.min() > 10_000


def test_a_core_without_a_machine_is_told(board):
    with pytest.raises(DeviceError, match="no machine of QEMU runs code for cortex-m0plus"):
        qemu.oracle_board(board.model_copy(update={"cpu": "cortex-m0plus"}))
