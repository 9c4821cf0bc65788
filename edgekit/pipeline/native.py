"""The generated C on the host: the same model and kernel sources, called sample by sample.

The library runs in a process of its own, so that a wrong kernel can only end that process.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.build import tools
from edgekit.build.plan import BuildPlan
from edgekit.build.seal import is_whole, seal
from edgekit.errors import ToolError

_TIMEOUT_S = 600.0


def compiler() -> tuple[str, ...] | None:
    """Return the argv prefix of a host C compiler: cc, else zig; None without either."""
    path = shutil.which("cc") or shutil.which("gcc")
    if path is not None:
        return (path,)
    zig = tools.find("zig")
    return None if zig is None else (*zig, "cc")


def run(
    plan: BuildPlan, inputs: NDArray[np.int8], output_bytes: int, work: Path
) -> NDArray[np.int8] | None:
    """Return the outputs (n, bytes) of the plan's C code built for this machine.

    None when there is no host compiler. Raises ToolError when the code does not compile or dies.
    """
    prefix = compiler()
    if prefix is None:
        return None
    library = _library(plan, prefix, work / "build" / plan.digest() / "host")
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        given, taken = Path(folder) / "in.npy", Path(folder) / "out.npy"
        np.save(given, inputs, allow_pickle=False)
        size = str(output_bytes)
        argv = (sys.executable, "-m", __name__, str(library), size, str(given), str(taken))
        try:
            done = subprocess.run(
                argv, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as exc:
            raise ToolError(f"the generated C did not end within {_TIMEOUT_S:.0f} s") from exc
        if done.returncode != 0 or not taken.is_file():
            raise ToolError(
                f"the generated C ended with status {done.returncode} on this machine",
                hint=done.stderr.strip()[-500:],
            )
        result: NDArray[np.int8] = np.load(taken, allow_pickle=False)
    return result


def _library(plan: BuildPlan, prefix: tuple[str, ...], directory: Path) -> Path:
    library = directory / "model.so"
    if is_whole(library):
        return library
    wanted = ("model/", "firmware/kernels/", "firmware/include/")
    files = {n: d for n, d in plan.files.items() if str(n).startswith(wanted)}
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    sources = sorted(str(n) for n in files if n.suffix == ".c")
    flags = ("-std=c99", "-O2", "-ffp-contract=off", "-shared", "-fPIC")
    includes = ("-Imodel", "-Ifirmware/include", "-Ifirmware/kernels")
    argv = (*prefix, *flags, *includes, *sources, "-o", "model.so.part")
    done = subprocess.run(
        argv, cwd=directory, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise ToolError(
            f"{prefix[0]} ended with status {done.returncode} on the generated C\n"
            + done.stderr[-2000:]
        )
    (directory / "model.so.part").replace(library)
    seal(library)
    return library


def _worker(library: str, output_bytes: str, given: str, taken: str) -> None:
    model = ctypes.CDLL(library)
    model.model_input.restype = ctypes.c_void_p
    model.model_output.restype = ctypes.c_void_p
    size = int(output_bytes)
    inputs = np.ascontiguousarray(np.load(given, allow_pickle=False))
    outputs = np.empty((inputs.shape[0], size), np.int8)
    for i, row in enumerate(inputs):
        ctypes.memmove(model.model_input(), row.ctypes.data, row.size)
        model.model_run()
        ctypes.memmove(outputs[i].ctypes.data, model.model_output(), size)
    np.save(taken, outputs, allow_pickle=False)


if __name__ == "__main__":
    _worker(*sys.argv[1:])
