"""README.md: its tables are current, its commands exist, its links lead somewhere."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from repo import readme_tables

_LINK = re.compile(r"\]\(([^()\s]+)\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def test_golden_tables(root: Path) -> None:
    path = root / "README.md"
    text = path.read_text(encoding="utf-8")
    current = readme_tables.rendered(text)
    if os.environ.get("EDGEKIT_GOLDEN") == "refresh" and text != current:
        path.write_text(current, encoding="utf-8")
        text = current
    assert text == current, "a table is stale: `make golden`"


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_commands_are_named_and_exist(root: Path, command: str) -> None:
    assert re.search(rf"^\s*{command}\b", (root / "README.md").read_text(), re.MULTILINE)
    target = command.removeprefix("make ")
    assert re.search(rf"^{target}:", (root / "Makefile").read_text(), re.MULTILINE)


def test_relative_links_resolve(root: Path) -> None:
    checked, broken = 0, []
    for page in (root / "README.md", *sorted((root / "docs").rglob("*.md"))):
        for found in _LINK.finditer(_CODE.sub("", page.read_text(encoding="utf-8"))):
            target = found[1] or found[2]
            if re.match(r"[a-z]+:|#", target):
                continue
            checked += 1
            if not (page.parent / target.partition("#")[0]).exists():
                broken.append(f"{page.relative_to(root)}: {target}")
    assert broken == []
    assert checked > 5


def test_a_broken_link_is_found() -> None:
    text = "a [b](c.md) `[d](e.md)` [f](https://g)\n\n[h]: i/j.md\n"
    found = [m[1] or m[2] for m in _LINK.finditer(_CODE.sub("", text))]
    assert found == ["c.md", "https://g", "i/j.md"]
