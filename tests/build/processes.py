"""What became of a process that was killed."""

from __future__ import annotations

import time
from pathlib import Path


def ended(pid: int) -> bool:
    """Say whether a killed process is gone; a busy machine takes its time."""
    status = Path(f"/proc/{pid}/status")
    for _ in range(100):
        try:
            if "State:\tZ" in status.read_text():
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False
