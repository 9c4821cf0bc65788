"""A wrong kernel: exit 7, with the layer, the element and both values, and nothing metered."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deploying import BOARD, mutant
from writers.tflite_small import SAME, Small
from writers.tflite_writer import write

from edgekit.config import Options
from edgekit.ir import interp
from edgekit.passes import optimize
from edgekit.pipeline import data, deploy, stages, station
from edgekit.pipeline.settings import Settings, resolve
from edgekit.report import files
from edgekit.report.types import Report
from edgekit.target.mcu import plan

pytestmark = [pytest.mark.virtual, pytest.mark.gcc, pytest.mark.tflite]

CHAIN = ("tflite-ref", "graph", "c", "board")


def network(path: Path) -> Path:
    """Eight layers with a branch: every kernel but the convolution's and the sum's occurs once."""
    small = Small(10, (8, 8, 3))
    small.conv(8, (3, 3))
    trunk = small.at
    small.depthwise(1, (3, 3))
    small.conv(8, (1, 1))
    small.add(trunk)
    small.pool("MAX_POOL_2D", (2, 2), (2, 2), padding=SAME)
    small.conv(6, (3, 3))
    small.pool("AVERAGE_POOL_2D", (2, 2), (2, 2))
    small.reshape((1, 24))
    small.dense(5)
    path.write_bytes(write(small.spec))
    return path


@pytest.fixture
def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Settings of a deployment whose firmware has one wrong kernel."""

    def make(kernel: str, element: int, model: Callable[[Path], Path] = network) -> Settings:
        firmware = mutant(tmp_path / "firmware", kernel, element)
        monkeypatch.setattr(plan, "data_dir", lambda name: firmware)
        options = Options(
            model=model(tmp_path / "net.tflite"), board=BOARD, virtual=True, work=tmp_path / "w"
        )
        settings = resolve(options, start=tmp_path)
        return replace(settings, data=_data(tmp_path / "d.npz", settings))

    return make


def _data(path: Path, settings: Settings) -> Path:
    samples = data.random(stages.load(settings.model), 6, 1)
    np.savez(path, x=samples.source)
    return path


def check_layer(report: Report, settings: Settings, position: int, element: int) -> None:
    """The layer named is the one at `position`, with the interpreter's value and the wrong one."""
    assert report.equality is not None
    found = report.equality.first_difference
    assert found is not None
    graph = stages.load(settings.model)
    lowered = optimize(graph)
    samples = data.read(settings.data, graph, seed=0)
    tensors = interp.run(lowered, {graph.inputs[0].tensor: samples.integers}, keep=True)
    node = lowered.nodes[position]
    right = tensors[node.y][found.sample]
    assert found.layer == node.label
    assert found.tensor == node.y
    assert found.index == tuple(int(i) for i in np.unravel_index(element, right.shape))
    assert found.expected == right[found.index]
    assert found.actual == np.int8(right[found.index] ^ 0x40)
    assert found.between == ("graph", "c")  # the same sources are wrong on the host too


@pytest.mark.parametrize(
    ("kernel", "element", "op"),
    [
        ("ek_depthwise_s8", 77, "DepthwiseConv2D"),
        ("ek_add_linear_s8", 100, "Add"),
    ],
)
def test_the_wrong_layer_is_named(
    kernel: str, element: int, op: str, wrong: Callable[..., Settings]
) -> None:
    settings = wrong(kernel, element)
    nodes = optimize(stages.load(settings.model)).nodes
    (position,) = (i for i, node in enumerate(nodes) if type(node).__name__ == op)
    report = deploy.deploy(settings)
    assert report.error is None
    assert report.exit_code == 7
    assert report.equality is not None
    assert report.equality.chain == CHAIN
    assert 0 < report.equality.mismatches <= report.equality.samples == 6
    check_layer(report, settings, position, element)
    assert report.power is None  # nothing was metered
    assert report.verdict is None
    assert report.why == "the outputs are wrong, so nothing was metered"
    assert not (settings.work / "trace.npz").exists()
    assert report.latency is not None
    _check_files(report, settings.work)


def _check_files(report: Report, work: Path) -> None:
    files.write(report, work)
    found = report.equality.first_difference if report.equality else None
    assert found is not None
    stored = json.loads((work / "report.json").read_text(encoding="utf-8"))
    assert stored["equality"]["first_difference"]["layer"] == found.layer
    failures = ElementTree.parse(work / "junit.xml").getroot().findall(".//failure")
    assert failures
    words = " ".join(f"{f.get('message')} {f.text}" for f in failures)
    assert found.layer in words
    assert str(found.expected) in words
    assert str(found.actual) in words
    assert found.layer in (work / "report.html").read_text(encoding="utf-8")


def branched(path: Path) -> Path:
    """A branch that loses channel 0, and a sum with what comes before the branch."""
    small = Small(9, (8, 8, 4))
    small.pool("MAX_POOL_2D", (2, 2), (2, 2))
    trunk = small.at
    small.depthwise(1, (3, 3))
    weights = small.spec.tensors[small.spec.ops[-1].inputs[1]]
    kept = np.frombuffer(weights.data or b"", np.int8).reshape(weights.shape).copy()
    kept[..., 0] = 0
    weights.data = kept.tobytes()
    small.conv(4, (3, 3))
    small.conv(4, (1, 1))
    small.add(trunk)
    small.reshape((1, 64))
    small.dense(5)
    path.write_bytes(write(small.spec))
    return path


def test_a_wrong_layer_behind_a_branch(wrong: Callable[..., Settings]) -> None:
    """Layers between the wrong one and the sum that shows it are right, and so is every other."""
    settings = wrong("ek_maxpool_s8", 8, branched)
    report = deploy.verify(settings)
    assert report.exit_code == 7
    check_layer(report, settings, 0, 8)


def test_wrong_only_on_the_board(
    wrong: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that the host's compiler does not show is one of the board's link."""
    settings = wrong("ek_maxpool_s8", 5)
    source = tmp_path / "firmware" / "kernels" / "ek_maxpool_s8.c"
    text = source.read_text(encoding="utf-8")
    planted = (
        "    for (int32_t i = 5; i <= 16; i++) {\n        y[i] = (int8_t)(y[i] ^ 0x40);\n    }\n"
    )
    assert planted in text
    source.write_text(text.replace(planted, f"#if defined(__arm__)\n{planted}#endif\n"))
    report = deploy.verify(settings)
    assert report.exit_code == 7
    assert report.equality is not None
    found = report.equality.first_difference
    assert found is not None
    assert found.between == ("c", "board")
    assert found.layer == next(
        node.label
        for node in optimize(stages.load(settings.model)).nodes
        if type(node).__name__ == "MaxPool"
    )
    assert found.actual == np.int8(found.expected ^ 0x40)


def test_a_kernel_that_dies_on_the_host(wrong: Callable[..., Settings], tmp_path: Path) -> None:
    """It ends its own process, not ours; on the board the same code may have run."""
    settings = wrong("ek_maxpool_s8", 5)
    source = tmp_path / "firmware" / "kernels" / "ek_maxpool_s8.c"
    text = source.read_text(encoding="utf-8")
    planted = (
        "    for (int32_t i = 5; i <= 16; i++) {\n        y[i] = (int8_t)(y[i] ^ 0x40);\n    }\n"
    )
    source.write_text(
        text.replace(planted, "#if !defined(__arm__)\n    __builtin_trap();\n#endif\n")
    )
    report = deploy.verify(settings)
    assert report.exit_code == 5
    assert report.error is not None
    assert "the generated C ended with status -" in report.error.message
    assert (settings.work / "outputs.npz").is_file()


def test_a_kernel_that_never_ends_on_the_board(
    wrong: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The board answers nothing: a device's error, not a hang."""
    settings = wrong("ek_maxpool_s8", 5)
    source = tmp_path / "firmware" / "kernels" / "ek_maxpool_s8.c"
    text = source.read_text(encoding="utf-8")
    planted = (
        "    for (int32_t i = 5; i <= 16; i++) {\n        y[i] = (int8_t)(y[i] ^ 0x40);\n    }\n"
    )
    loop = "    for (volatile int32_t again = 1; again != 0;) {\n    }\n"
    source.write_text(text.replace(planted, loop))
    monkeypatch.setattr(station, "_BOOT_S", 1.0)
    report = deploy.verify(settings)
    assert report.exit_code == 6
    assert report.error is not None
    assert "did no inference" in report.error.message
