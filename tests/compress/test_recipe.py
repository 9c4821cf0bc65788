from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.compress import recipe
from edgekit.errors import ConfigError

GOOD = """
data: {kind: npz, path: samples.npz}
input_scale: 0.5
steps:
  - {kind: channels, fraction: 0.25, block: 4}
  - {kind: prune, sparsity: 0.8, rounds: 3, rewind: true, train: {epochs: 1}}
  - {kind: svd, layers: [dense], energy: 0.9}
  - {kind: tensor_train, layer: dense, outputs: [4, 4], inputs: [8, 8], ranks: [3]}
  - {kind: quantize, weights: int4, layers: {first: int8}}
  - {kind: train, epochs: 2}
"""


def test_a_recipe_is_read_and_its_paths_are_its_own(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(GOOD)
    found = recipe.load(file)
    assert found.data.path == tmp_path / "samples.npz"
    kinds = [step.kind for step in found.steps]
    assert kinds == ["channels", "prune", "svd", "tensor_train", "quantize", "train"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("fraction", "fracton"), "steps.0.channels.fraction: Field required"),
        (("fraction: 0.25", "fraction: 1.0"), "steps.0.channels.fraction: Input should be less"),
        (("sparsity: 0.8", "sparsity: 1.0"), "steps.1.prune.sparsity: Input should be less than 1"),
        (("sparsity: 0.8", "n: 2"), "steps.1.prune: method magnitude needs `sparsity`"),
        (("sparsity: 0.8,", "method: n_of_m, n: 9, m: 8,"), "steps.1.prune: n 9 is above m 8"),
        ((", train: {epochs: 1}", ""), "more than one round, or rewinding, needs `train`"),
        (("energy: 0.9", ""), "steps.2.svd: either `rank` or `energy` is wanted"),
        (("weights: int4", "weights: int5"), "steps.4.quantize.weights: Input should be"),
        (
            ("kind: quantize, weights: int4, layers: {first: int8}", "kind: mixed"),
            "one of `weights",
        ),
        (("kind: train, epochs: 2", "kind: quantize"), "2 steps `quantize` or `mixed`; exactly 1"),
        (("kind: train, epochs: 2", "kind: svd, layers: [a], rank: 1"), "steps.5: `svd` behind"),
        (("input_scale: 0.5", "input_scale: .nan"), "input_scale: "),
        (("kind: npz", "kind: parquet"), "data: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    file = tmp_path / "r.yaml"
    assert change[0] in GOOD
    file.write_text(GOOD.replace(*change))
    with pytest.raises(ConfigError) as caught:
        recipe.load(file)
    assert message in caught.value.message


def test_a_misspelt_key_gets_a_hint(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(GOOD.replace("fraction", "fracton"))
    with pytest.raises(ConfigError) as caught:
        recipe.load(file)
    assert "steps.0.channels.fracton: unknown key" in caught.value.message
    assert caught.value.hint == "did you mean `fraction`?"


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "", "\x00", "steps: 3"])
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"recipe .*r\.yaml"):
        recipe.load(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        recipe.load(tmp_path / "absent.yaml")


def test_the_examples_are_recipes(root: Path) -> None:
    found = [
        recipe.load(path)
        for path in sorted((root / "examples").glob("*/*.yaml"))
        if "\nsteps:" in path.read_text(encoding="utf-8")
    ]
    assert len(found) >= 2


def test_torch_is_not_imported_before_a_step_trains() -> None:
    code = "import sys, edgekit.pipeline.compress; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
