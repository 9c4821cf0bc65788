"""The source operators that tests found exact against a reference runtime: operators.json.

The differential tests add the operators of every model that came out exact. A session with
EDGEKIT_GOLDEN=refresh, in one process and without a filter, writes what was added.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.frontend.keras import config as keras_config
from edgekit.frontend.keras import hdf5
from edgekit.frontend.keras.archive import read_archive
from edgekit.frontend.onnx import reader
from edgekit.frontend.tflite.parse import parse

PATH = Path(__file__).with_name("operators.json")
SECTIONS = ("tflite", "onnx", "onnx (com.microsoft)", "qonnx", "keras")
TFLITE, ONNX, MICROSOFT, QONNX, KERAS = SECTIONS


class Proven:
    """Operators by section of the table."""

    def __init__(self) -> None:
        self.found: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, path: Path) -> None:
        """Take in the operators of a model that equals its reference."""
        if path.suffix == ".tflite":
            self.found[TFLITE] |= {op.name for op in parse(path.read_bytes()).operators}
            return
        if path.suffix in (".h5", ".keras"):
            chain = keras_config.parse(read_archive(path, hdf5.read)).chain
            self.found[KERAS] |= {layer.kind for layer in chain}
            return
        operators = reader.read(path).operators
        if any(op.domain == reader.QONNX for op in operators):
            self.found[QONNX] |= {op.kind for op in operators}
            return
        for op in operators:
            self.found[MICROSOFT if op.domain else ONNX].add(op.kind)


def collect(config: pytest.Config, proven: Proven | None = None) -> Iterator[Proven]:
    """Yield a collector for one session; the body of the session fixtures."""
    proven = proven or Proven()
    yield proven
    alone = not hasattr(config, "workerinput")  # xdist: each process sees a part of the models
    if os.environ.get("EDGEKIT_GOLDEN") == "refresh" and alone and not config.option.keyword:
        write({**listed(), **proven.found})


def listed() -> dict[str, set[str]]:
    """Return the table as it was last written."""
    if not PATH.is_file():
        return {}
    return {section: set(names) for section, names in json.loads(PATH.read_text()).items()}


def write(table: dict[str, set[str]]) -> None:
    """Write the table, sorted."""
    ordered = {section: sorted(table.get(section, ())) for section in SECTIONS}
    PATH.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")
