"""The verb `train`: a network from a training file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli import options
from edgekit.cli.output import progress, say, show_json
from edgekit.errors import ToolError

if TYPE_CHECKING:
    from edgekit.train.run import Trained

_NEEDED = ("torch", "safetensors")


def train(
    config: Annotated[Path, typer.Argument(help="Training file, .yaml.", show_default=False)],
    work: Annotated[
        Path | None, typer.Option("-o", "--work", help="Work directory [build/train/NAME].")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Seed instead of the file's.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Forget the checkpoint and begin again.")
    ] = False,
    json: options.Json = False,
) -> int:
    """Train a network; run it again to resume after an interruption."""
    _need_packages()
    from edgekit.train import config as settings
    from edgekit.train import run

    wanted = settings.load(config)
    if seed is not None:
        wanted = wanted.model_copy(update={"seed": seed})
    with progress() as stages:
        trained = run.train(
            wanted, work or Path("build", "train", wanted.name), stages, restart=restart
        )
    if json:
        show_json(trained.result)
    else:
        _show(trained)
    return 0


def _need_packages() -> None:
    from importlib.util import find_spec

    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ToolError(
            f"{' and '.join(missing)}, which training needs, is not installed",
            hint="pip install 'edgekit[train]'",
        )


def _show(trained: Trained) -> None:
    result = trained.result
    samples = result["samples"]
    for part in ("validation", "test"):
        share = result["accuracy"][part]
        if share is not None:
            say(f"{part:<11} {100 * share:.2f} % of {samples[part]:,} samples")
    say(f"{'bits':<11} {_bits(result['bits'])}")
    for key in ("checkpoint", "model", "graph"):
        if result.get(key):
            say(f"{key:<11} {result[key]}")


def _bits(bits: dict[str, Any]) -> str:
    parts = [f"{bits[key]:,} of {key}" for key in ("weights", "tables", "connections") if bits[key]]
    return ", ".join(parts)
