"""A bug planted in a copy of the firmware, and whether cases notice it."""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path

from kernel_driver import FIRMWARE, Kernels

_EQUAL, _BROKEN, _DIFFERENT = 0, 1, 3


def plant(copy: Path, file: str, old: str, new: str) -> None:
    """Copy headers and kernels into `copy` and replace `old`, which `file` must hold."""
    for part in ("include", "kernels"):
        shutil.copytree(FIRMWARE / part, copy / part)
    text = (copy / file).read_text()
    assert text.count(old) >= 1, f"{file} does not hold {old!r}"
    (copy / file).write_text(text.replace(old, new))


def differs(library: Path, wrong: Callable[[Kernels], bool]) -> bool:
    """Tell whether `wrong` finds a difference, in a process of its own: a mutant may crash.

    An overwritten guard counts as one; any other exception is a broken test.
    """
    child = os.fork()
    if child == 0:
        status = _BROKEN
        try:
            status = _DIFFERENT if wrong(Kernels(library)) else _EQUAL
        except AssertionError:
            status = _DIFFERENT
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (_EQUAL, _DIFFERENT) or status < 0, f"exit status {status}"
    return status != _EQUAL
