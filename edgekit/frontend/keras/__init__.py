"""Larq and QKeras models from `.h5` and `.keras` files, read without TensorFlow."""

from __future__ import annotations

from pathlib import Path

from edgekit.frontend.bounded import BoundedProcess
from edgekit.frontend.keras.archive import bounded, read_archive
from edgekit.frontend.keras.convert import convert
from edgekit.frontend.keras.reader import model_of
from edgekit.ir.graph import Graph
from edgekit.ir.types import InputGrid


def load(
    path: Path, grid: InputGrid | None = None, *, process: BoundedProcess | None = None
) -> Graph:
    """Return the integer graph of the Keras model in `path`.

    Args:
        path: a `.h5` or `.keras` file of `model.save()`.
        grid: integers that the input's real numbers stand for, wanted where the first layer of
            weights has no quantizer before it.
        process: reads the HDF5 part; one is started, and ended, where none is given.

    Raises:
        ConfigError: the file is damaged, over a limit, or holds no model.
        UnsupportedError: a layer, quantizer or setting without an exact integer meaning; names it.
        ToolError: h5py is not installed.
    """
    if process is not None:
        return convert(model_of(read_archive(path, bounded(process))), grid)
    with BoundedProcess() as own:
        return convert(model_of(read_archive(path, bounded(own))), grid)
