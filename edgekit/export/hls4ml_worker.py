"""Runs hls4ml in a process of its own: `python -m edgekit.export.hls4ml_worker FOLDER`.

FOLDER holds `model.onnx` and `request.json`; the project is written to FOLDER/project. With
`x.npy`, float32 (n, inputs), it is compiled and `y.npy` is what its C simulation computes. An
error goes to `error.json` as {kind, message}. hls4ml talks much and loads compiled code.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

_BOARD = {"board": "pynq-z2", "part": "xc7z020clg400-1", "io_type": "io_stream"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "Vitis": {"part": "xc7z020clg400-1", "io_type": "io_parallel"},
    "VivadoAccelerator": _BOARD,
}


def run(folder: Path) -> None:
    """Write the project in `folder`; compile and run it where there is data."""
    hls4ml = importlib.import_module("hls4ml")
    wrapper = importlib.import_module("qonnx.core.modelwrapper").ModelWrapper
    cleanup = importlib.import_module("qonnx.util.cleanup").cleanup_model
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    backend = request["backend"]
    model = cleanup(wrapper(str(folder / "model.onnx")))
    config = hls4ml.utils.config_from_onnx_model(
        model, granularity="name", backend=backend, default_precision=request["precision"]
    )
    converted = hls4ml.converters.convert_from_onnx_model(
        model,
        output_dir=str(folder / "project"),
        project_name="ek_model",
        backend=backend,
        hls_config=config,
        **_OPTIONS[backend],
    )
    converted.write()
    if (folder / "x.npy").is_file():
        converted.compile()
        x = np.load(folder / "x.npy", allow_pickle=False)
        np.save(folder / "y.npy", converted.predict(x), allow_pickle=False)


def main() -> None:
    """Run, and report what fails: every failure of hls4ml, with its kind."""
    folder = Path(sys.argv[1])
    try:
        run(folder)
    except Exception as error:
        text = json.dumps({"kind": type(error).__name__, "message": str(error)})
        (folder / "error.json").write_text(text, encoding="utf-8")
        raise


if __name__ == "__main__":
    main()
