"""One table: the fixed digits networks, every sample of their test set, everything that answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from writers import fixed_digits
from writers.fixed_digits import FixedNet

from edgekit import board as boards
from edgekit._data import data_dir
from edgekit.config import FpgaWish
from edgekit.device.serial_port import open_port
from edgekit.device.session import run_samples
from edgekit.export import hls4ml_run
from edgekit.ir import edges, interp
from edgekit.target.fpga import hls, plan
from edgekit.target.fpga.plan import Design
from edgekit.virtual.fpga import start_fpga_twin
from edgekit.virtual.fpga.bench import run_core
from edgekit.virtual.fpga.compiled import Simulator
from edgekit.virtual.fpga.process import sources_in

pytestmark = [
    *(pytest.mark.nightly, pytest.mark.data, pytest.mark.virtual, pytest.mark.cc),
    *(pytest.mark.yowasp, pytest.mark.verilator, pytest.mark.hls4ml),
]
BOARD = boards.fpga(boards.find("icebreaker"))
Answers = np.ndarray


@dataclass(frozen=True)
class Case:
    """A network, its design for a board, its inputs on the wire, and room to work in."""

    net: FixedNet
    design: Design
    stored: np.ndarray
    work: Path

    def stored_scores(self, scores: np.ndarray) -> Answers:
        tensor = self.net.graph.tensors[self.net.graph.outputs[0].tensor]
        return edges.to_bytes(tensor, scores.reshape(len(self.stored), -1))


def interpreted(case: Case) -> Answers:
    graph = case.net.graph
    outputs = interp.run(graph, {graph.inputs[0].tensor: case.net.x})
    return case.stored_scores(outputs[graph.outputs[0].tensor])


def simulated(simulator: Simulator) -> Callable[[Case], Answers]:
    def run(case: Case) -> Answers:
        inputs, blocks = case.stored.view(np.uint8), data_dir("fpga") / "rtl"
        done = run_core(case.design.core, blocks, inputs, simulator, case.work)
        assert done.cycles.interval == 1
        return done.outputs.view(np.int8)

    return run


def hls_cpp(case: Case) -> Answers:
    return hls.csim(case.net.graph, case.stored, case.work)


def hls4ml(case: Case) -> Answers:
    return case.stored_scores(hls4ml_run.csim(case.net.graph, case.net.x))


def on_board(simulator: Simulator) -> Callable[[Case], Answers]:
    def run(case: Case) -> Answers:
        directory = case.work / "build"
        for name, data in case.design.plan.files.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(data)
        sources, work = sources_in(directory), case.work / f"twin-{simulator}"
        with (
            start_fpga_twin(sources, BOARD, work, cache=case.work, simulator=simulator) as twin,
            contextlib.closing(open_port(twin.link_url)) as port,
        ):
            return run_samples(port, case.stored).outputs

    return run


LINKS: dict[str, Callable[[Case], Answers]] = {
    "interp": interpreted,
    "RTL, CXXRTL": simulated("cxxrtl"),
    "RTL, Verilator": simulated("verilator"),
    "HLS C++": hls_cpp,
    "hls4ml": hls4ml,
    "board, CXXRTL": on_board("cxxrtl"),
    "board, Verilator": on_board("verilator"),
}


@pytest.mark.parametrize("name", fixed_digits.NAMES)
def test_everybody_gives_the_source_s_scores(name: str, shared_data: Path, tmp_path: Path) -> None:
    net = fixed_digits.load(shared_data, name)
    wish = FpgaWish(style="hardwired")
    # Larger than the part in one case, which a simulator does not mind.
    part = BOARD.part.model_copy(update={"lut": 20_000, "ff": 20_000})
    board = BOARD.model_copy(update={"part": part})
    design = plan.design(net.graph, board, wish, operating_point="run_12mhz", rate_hz=10.0)
    source = net.graph.tensors[net.graph.inputs[0].tensor]
    case = Case(net, design, edges.to_bytes(source, net.x), tmp_path)
    wanted = case.stored_scores(net.scores)
    assert len(wanted) == 450
    differ = {
        link: int((answer(case) != wanted).any(axis=1).sum()) for link, answer in LINKS.items()
    }
    assert differ == dict.fromkeys(LINKS, 0)
