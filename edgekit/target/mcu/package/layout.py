"""The formats: which directory each kind of file goes to, and which templates it has.

Templates are the files below firmware/package/FORMAT: `@name@` in them stands for a value of
`texts`, and what is called `model` in C and in paths gets the prefix.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from edgekit._data import data_dir
from edgekit.target.mcu.package import texts
from edgekit.target.mcu.package.library import Library
from edgekit.target.mcu.package.names import with_own_model

_VALUE = re.compile(r"@(\w+)@")
_PATH = re.compile(r"\bmodel(?=[./]|$)")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold

Format = Literal["cmake", "zephyr", "arduino", "platformio", "cmsis-pack"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Directories of a format, `model` for the prefix, and how it lists its source files."""

    example: str  # where the stored input goes
    headers: str = "include"  # where the public header goes; all other sources are in src
    list_name: str = ""  # the `@name@` of the list, and a row of it
    list_row: str = ""
    is_pack: bool = False  # is also zipped


FORMATS: dict[Format, Layout] = {
    "cmake": Layout("examples/qemu", list_name="cmake_sources", list_row="  src/{}"),
    "zephyr": Layout(
        "samples/model/src",
        list_name="zephyr_sources",
        list_row="    ${{CMAKE_CURRENT_LIST_DIR}}/../src/{}",
    ),
    # One directory for everything: Arduino knows no private headers.
    "arduino": Layout("examples/model", headers="src"),
    "platformio": Layout("examples/model/src"),
    "cmsis-pack": Layout(
        "example",
        list_name="pdsc_files",
        list_row='        <file category="source" name="src/{}"/>',
        is_pack=True,
    ),
}


def files_of(library: Library, form: Format, version: str) -> dict[PurePosixPath, bytes]:
    """Return every file of the package by path; the same library gives the same bytes."""
    layout, prefix = FORMATS[form], library.prefix
    root = data_dir("firmware") / "package"
    values = texts.values_of(library, version)
    if layout.list_name:
        rows = [layout.list_row.format(n) for n in library.sources if n.endswith(".c")]
        values[layout.list_name] = "\n".join(sorted(rows))
    values["use"] = _filled((root / form / "use.md").read_text(encoding="utf-8"), values).rstrip()
    found = {f"{layout.headers}/{prefix}.h": library.header}
    found |= {f"src/{name}": text for name, text in library.sources.items()}
    for path in sorted((root / form).rglob("*")):
        if path.is_file() and path.name != "use.md":
            place = _PATH.sub(prefix, path.relative_to(root / form).as_posix())
            found[place] = _rendered(path, values, prefix)
    common = root / "common"
    found[f"{_PATH.sub(prefix, layout.example)}/{prefix}_example.h"] = _rendered(
        common / "example.h", values, prefix
    )
    found["README.md"] = _rendered(common / "README.md", values, prefix)
    found["LICENSE"] = (root.parent / "LICENSE").read_text(encoding="utf-8")
    files = {PurePosixPath(path): text.encode() for path, text in sorted(found.items())}
    if layout.is_pack:
        files[PurePosixPath(f"edgekit.{prefix}.{version}.pack")] = _zipped(files)
    return files


def _rendered(path: Path, values: Mapping[str, str], prefix: str) -> str:
    text = path.read_text(encoding="utf-8")
    # Names first: what values bring along, such as the model's own name, stays as it is.
    if path.suffix in {".c", ".h", ".ino"}:
        text = with_own_model(text, prefix)
    return _filled(text, values)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _VALUE.sub(lambda match: values[match.group(1)], text)


def _zipped(files: Mapping[PurePosixPath, bytes]) -> bytes:
    """Return a zip with fixed dates, uncompressed: compressors differ from machine to machine."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
        for path, data in sorted(files.items()):
            entry = zipfile.ZipInfo(str(path), _EPOCH)
            entry.create_system = 3  # Unix, wherever this runs
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return memory.getvalue()
