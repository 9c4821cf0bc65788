"""docs/reference/model-sets.md: what of published sets of single-operator models is exact.

The tests that run a set write its section; a session with EDGEKIT_GOLDEN=refresh changes the page.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "docs/reference/model-sets.md"

Row = tuple[str, ...]


def check(section: str, head: Row, rows: list[Row]) -> None:
    """Compare a section of the page, or write it anew."""
    lines = [head, tuple("---" for _ in head), *rows]
    table = "\n".join(f"| {' | '.join(_cell(cell) for cell in cells)} |" for cells in lines)
    block = re.compile(rf"(<!-- {section} -->\n).*?(<!-- /{section} -->)", re.DOTALL)
    current = PATH.read_text(encoding="utf-8")
    assert len(block.findall(current)) == 1, f"{PATH.name} needs one block of {section} markers"
    wanted = block.sub(lambda found: f"{found[1]}{table}\n{found[2]}", current)
    if os.environ.get("EDGEKIT_GOLDEN") == "refresh" and wanted != current:
        PATH.write_text(wanted, encoding="utf-8")
        pytest.fail(f"{PATH.name} was written anew; look at the change and commit it")
    assert current == wanted, "the page differs from what the set gives now: `make golden`"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
