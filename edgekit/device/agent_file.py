"""The agent as the one file that goes to a board: a zip that a bare Python 3.10 unpacks and runs.

It holds the agent, and the very modules that declare and code the link on this side, so that the
layout is written once.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

_EDGEKIT = Path(__file__).resolve().parent.parent
_AGENT = sorted(p.name for p in (_EDGEKIT / "device" / "agent").glob("*.py"))
_SHARED = ("errors.py", "device/layout.py", "device/wire.py", "device/frames.py")
_MAIN = b"import sys\n\nfrom edgekit.device.agent.main import main\n\nsys.exit(main())\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is written


def agent_file() -> bytes:
    """Return the agent as a zip file; `python3 DIRECTORY` runs it where it is unpacked."""
    files = {"__main__.py": _MAIN, "edgekit/__init__.py": b"", "edgekit/device/__init__.py": b""}
    for name in _SHARED:
        files[f"edgekit/{name}"] = (_EDGEKIT / name).read_bytes()
    for name in _AGENT:
        files[f"edgekit/device/agent/{name}"] = (_EDGEKIT / "device/agent" / name).read_bytes()
    files["cobs/__init__.py"] = b""
    files["cobs/cobs.py"] = files["edgekit/device/agent/cobs.py"]
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return target.getvalue()
