"""Runs a command that must not outlive whoever started it: `python -m edgekit.virtual.guard CMD…`.

For emulators that do not end when their standard input does. The command's own standard input is
closed; the guard kills it when the guard's standard input closes, and exits with its status, or
128 and the number of the signal that ended it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading


def main(argv: list[str]) -> int:
    """Run `argv` until it ends or standard input closes."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL)

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        child.kill()

    threading.Thread(target=watch, daemon=True).start()
    status = child.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # the thread may still wait on standard input
