"""Metadata against what each ecosystem publishes; every rule is seen to be able to fail."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from made_packages import graph_of, made, written
from published_rules import CHECKS

CHANGES = {
    "arduino": [
        ("library.properties", r"^version=.*", "version=1"),
        ("library.properties", r"^category=.*", "category=Machine Learning"),
        ("library.properties", r"^maintainer=.*", "maintainer=Arduino"),
        ("library.properties", r"^url=.*", "url=here"),
        ("library.properties", r"^sentence=.*\n", ""),
        ("library.properties", r"^includes=.*", "includes=other.h"),
        ("keywords.txt", r"\t", " "),
    ],
    "platformio": [
        ("library.json", r'"name": "kws"', '"name": "a/b"'),
        ("library.json", r'"version": "[^"]*"', '"version": "1"'),
        ("library.json", r'"int8"', '"Int8"'),
        ("library.json", r'"headers": .*', '"headers": ["other.h"],'),
        ("library.json", r"src/main.c", "main.c"),
        ("library.json", r'"license"', '"licence"'),
    ],
    "zephyr": [
        ("zephyr/module.yml", r"^name:", "nam:"),
        ("zephyr/module.yml", r"cmake: zephyr", "cmake: elsewhere"),
        ("zephyr/module.yml", r"zephyr/Kconfig", "Kconfig"),
        ("zephyr/module.yml", r"  - samples", "  samples: 1"),
        ("zephyr/Kconfig", r"EDGEKIT_KWS", "EDGEKIT_KWT"),
    ],
    "cmsis-pack": [
        ("edgekit.kws.pdsc", r"<vendor>edgekit", "<vendor>edge kit"),
        ("edgekit.kws.pdsc", r"<url>.*</url>", ""),
        ("edgekit.kws.pdsc", r'release version="[^"]*"', 'release version="1"'),
        ("edgekit.kws.pdsc", r'category="source"', 'category="sauce"'),
        ("edgekit.kws.pdsc", r"src/kws.c", "src/other.c"),
        ("edgekit.kws.pdsc", r'Cgroup="edgekit" ', ""),
        ("edgekit.kws.pdsc", r"Cversion=", "version="),
        ("edgekit.kws.pdsc", r"<files>", "<files/><fils>"),
    ],
}


@pytest.mark.parametrize("form", CHECKS)
def test_metadata(tmp_path, form):
    CHECKS[form](written(made(form), tmp_path / "kws"))


def test_a_wild_input_name_does_no_harm():
    """Names of tensors come from the model file as they are."""
    graph = graph_of()
    edge = replace(graph.inputs[0], source_name="``` \n# é | @prefix@ ${x} */")
    package = made("cmake", graph=replace(graph, inputs=(edge,)))
    text = package.files[PurePosixPath("README.md")].decode()
    assert "`___ ?# ? | @prefix@ ${x} * /`" in text


@pytest.mark.parametrize(
    ("form", "name", "pattern", "change"), [(f, *row) for f in CHANGES for row in CHANGES[f]]
)
def test_broken_metadata_is_found(tmp_path, form, name, pattern, change):
    directory = written(made(form), tmp_path / "kws")
    path = directory / name
    text = path.read_text()
    changed = re.sub(pattern, change, text, count=1, flags=re.MULTILINE)
    assert changed != text
    path.write_text(changed.replace("</files>", "</fils>") if "fils" in change else changed)
    with pytest.raises((AssertionError, KeyError)):
        CHECKS[form](directory)
