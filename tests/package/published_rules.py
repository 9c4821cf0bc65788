"""What each ecosystem publishes of its metadata, as checks that raise AssertionError.

Said here in our own words, from:
- Arduino: the library specification of arduino-cli, and the JSON schemas and rules of arduino-lint.
- PlatformIO: the manifest schema of platformio-core (package/manifest/schema.py).
- Zephyr: the schema in scripts/zephyr_module.py, and what that script does with the paths.
- CMSIS-Pack: PACK.xsd 1.7.60 of Open-CMSIS-Pack-Spec: the elements and attributes used here.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

SEMVER = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
ARDUINO_CATEGORIES = (
    *("Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing"),
    *("Data Storage", "Data Processing", "Other"),
)
ARDUINO_REQUIRED = (
    *("name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url"),
    "architectures",
)


def arduino(root: Path) -> None:
    """Check library.properties, keywords.txt and the directories."""
    rows = (root / "library.properties").read_text().splitlines()
    fields = dict(row.split("=", 1) for row in rows if row and not row.startswith("#"))
    assert len(fields) == len(rows), "a field stands twice"
    assert set(ARDUINO_REQUIRED) <= set(fields), "a required field is missing"
    assert all(fields[name] for name in ARDUINO_REQUIRED), "a required field is empty"
    name = fields["name"]
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9 _.\-]*", name), "name"
    assert len(name) <= 63, "name"
    for field in ("name", "maintainer"):
        assert not fields[field].lower().startswith("arduino"), field
    assert re.fullmatch(SEMVER, fields["version"]), "version"
    assert fields["category"] in ARDUINO_CATEGORIES, "category"
    assert re.match(r"[a-z][a-z0-9+.-]*:\S", fields["url"]), "url is a URI"
    assert not fields["paragraph"].startswith(fields["sentence"]), "paragraph repeats sentence"
    headers = {path.name for path in (root / "src").glob("*.h")}
    assert set(fields["includes"].split(",")) <= headers, "includes"
    for row in (root / "keywords.txt").read_text().splitlines():
        assert re.fullmatch(r"\w+\t(KEYWORD[123]|LITERAL[12])", row), row
    for sketch in root.rglob("*.ino"):
        assert sketch.stem == sketch.parent.name, "a sketch is named like its directory"
        assert sketch.parent.parent == root / "examples", "sketches are in examples"
    assert list((root / "examples").glob("*/*.ino")), "no example"


def platformio(root: Path) -> None:
    """Check library.json and what it names."""
    manifest = json.loads((root / "library.json").read_text())
    known = {
        *("name", "version", "description", "keywords", "authors", "license", "frameworks"),
        *("platforms", "headers", "examples", "repository", "homepage", "dependencies", "export"),
        *("scripts", "build", "downloadUrl"),
    }
    assert set(manifest) <= known, "unknown key"
    assert re.fullmatch(r"[^:;/,@<>]{1,100}", manifest["name"]), "name"
    assert re.fullmatch(SEMVER, manifest["version"]), "version"
    assert len(manifest["version"]) <= 50, "version"
    assert 1 <= len(manifest["description"]) <= 1000, "description"
    assert manifest["license"] == "Apache-2.0", "license is an SPDX identifier"
    for keyword in manifest["keywords"]:
        assert re.fullmatch(r"[a-z\d\-_+. ]{1,50}", keyword), "keywords"
    for field in ("frameworks", "platforms"):
        assert re.fullmatch(r"[a-z\d\-_]+|\*", manifest[field]), field
    for author in manifest["authors"]:
        assert 1 <= len(author["name"]) <= 100, "authors"
    headers = {path.name for path in (root / "include").glob("*.h")}
    assert headers == set(manifest["headers"]), "headers"
    for example in manifest["examples"]:
        assert re.fullmatch(r"[a-zA-Z\d\-_/. ]{1,255}", example["name"]), "example"
        for name in example["files"]:
            assert (root / example["base"] / name).is_file(), name
    assert (root / "src").is_dir(), "src"


_TEXT, _FLAG, _TEXTS = "text", "flag", "texts"
_ROOTS = ("board", "dts", "soc", "arch", "module_ext", "sca", "snippet")
ZEPHYR_MODULE: dict[str, Any] = {
    "name": _TEXT,
    "build": {
        **{f"{p}{n}": _TEXT for p in ("", "sysbuild-") for n in ("cmake", "kconfig")},
        **{f"{p}{n}-ext": _FLAG for p in ("", "sysbuild-") for n in ("cmake", "kconfig")},
        "depends": _TEXTS,
        "settings": {f"{name}_root": _TEXT for name in _ROOTS},
    },
    "tests": _TEXTS,
    "samples": _TEXTS,
    "boards": _TEXTS,
}


def zephyr(root: Path) -> None:
    """Check zephyr/module.yml, the paths in it, and the Kconfig symbol."""
    module = yaml.safe_load((root / "zephyr" / "module.yml").read_text())
    _check_map(module, ZEPHYR_MODULE, "module.yml")
    assert (root / module["build"]["cmake"] / "CMakeLists.txt").is_file(), "build.cmake"
    assert (root / module["build"]["kconfig"]).is_file(), "build.kconfig"
    for directory in module["samples"]:
        samples = list((root / directory).rglob("sample.yaml"))
        assert samples, "no sample"
        for path in samples:
            assert {"sample", "tests"} <= set(yaml.safe_load(path.read_text())), "sample.yaml"
            assert (path.parent / "CMakeLists.txt").is_file(), "sample without CMakeLists.txt"
            assert (path.parent / "prj.conf").is_file(), "sample without prj.conf"
    kconfig = (root / module["build"]["kconfig"]).read_text()
    (symbol,) = re.findall(r"^config ([A-Z][A-Z0-9_]*)\n\tbool \"", kconfig, re.MULTILINE)
    cmake = (root / module["build"]["cmake"] / "CMakeLists.txt").read_text()
    assert f"if(CONFIG_{symbol})" in cmake, "Kconfig symbol"


def _check_map(value: object, schema: Mapping[str, Any], where: str) -> None:
    assert isinstance(value, dict), where
    for key, item in value.items():
        assert key in schema, f"{where}: unknown key {key}"
        kind = schema[key]
        if isinstance(kind, dict):
            _check_map(item, kind, f"{where}: {key}")
        elif kind == _TEXTS:
            assert isinstance(item, list), key
            assert all(isinstance(text, str) for text in item), key
        else:
            assert isinstance(item, bool if kind == _FLAG else str), f"{where}: {key}"


# Children that must be there, and that may; all at most once at the top.
PDSC_REQUIRED = {"name", "vendor", "description", "url", "releases"}
PDSC_OPTIONAL = {"license", "keywords", "components", "requirements", "conditions", "repository"}
FILE_CATEGORIES = {"doc", "header", "include", "library", "object", "source", "linkerScript"}
FILE_ATTRIBUTES = {"category", "name", "attr", "select", "condition", "language", "scope", "path"}
COMPONENT_REQUIRED = {"Cclass", "Cgroup"}
COMPONENT_OPTIONAL = {"Csub", "Cvariant", "Cversion", "Cvendor", "condition", "maxInstances"}
_QUALITY = r"(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"


def cmsis_pack(root: Path) -> None:
    """Check the .pdsc, its name and every file that it names."""
    (path,) = root.glob("*.pdsc")
    package = ElementTree.parse(path).getroot()
    assert package.tag == "package", "root element"
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?", package.attrib["schemaVersion"]), "schemaVersion"
    tags = [child.tag for child in package]
    assert len(tags) == len(set(tags)), "an element stands twice"
    assert set(tags) >= PDSC_REQUIRED, "a required element is missing"
    assert set(tags) <= PDSC_REQUIRED | PDSC_OPTIONAL, "unknown element"
    vendor, name = package.findtext("vendor", ""), package.findtext("name", "")
    for text in (vendor, name):
        assert re.fullmatch(r"[\-_A-Za-z0-9]+", text), "vendor and name"
    assert path.name == f"{vendor}.{name}.pdsc", "name of the description"
    releases = package.findall("releases/release")
    assert releases, "no release"
    for release in releases:
        assert set(release.attrib) <= {"version", "date", "url", "tag"}, "release"
        version = r"[0-9]+\.[0-9]+\.[0-9]+" + _QUALITY + r"(\+[0-9A-Za-z.-]+)?"
        assert re.fullmatch(version, release.attrib["version"]), "version of the release"
    assert (root / package.findtext("license", "")).is_file(), "license"
    components = package.findall("components/component")
    assert components, "no component"
    for component in components:
        _check_component(component, root)


def _check_component(component: ElementTree.Element, root: Path) -> None:
    attributes = set(component.attrib)
    assert attributes >= COMPONENT_REQUIRED, "a required attribute is missing"
    assert attributes <= COMPONENT_REQUIRED | COMPONENT_OPTIONAL, "unknown attribute"
    part = r"[A-Za-z0-9][A-Za-z0-9_+()'/\-\s.]{1,31}"
    for key in ("Cclass", "Cgroup"):
        assert re.fullmatch(part, component.attrib[key]), key
    assert re.fullmatch(r"([A-Za-z0-9][\w+():/\- .]{0,31})?", component.get("Csub", "")), "Csub"
    assert re.fullmatch(r"(0|[1-9]\d*)\.\d+(\.\d+)?" + _QUALITY, component.get("Cversion", ""))
    tags = {child.tag for child in component}
    assert {"description", "files"} <= tags, "a required element is missing"
    assert tags <= {"description", "files", "RTE_Components_h"}, "unknown element"
    files = component.findall("files/file")
    for file in files:
        assert {"category", "name"} <= set(file.attrib) <= FILE_ATTRIBUTES, "file"
        assert file.attrib["category"] in FILE_CATEGORIES, "category"
        assert file.get("attr", "config") in {"config", "template"}, "attr"
        assert (root / file.attrib["name"]).is_file(), file.attrib["name"]
    listed = {file.attrib["name"] for file in files}
    sources = {path.relative_to(root).as_posix() for path in (root / "src").glob("*.c")}
    assert sources <= listed, "a source is not listed"


CHECKS: dict[str, Callable[[Path], None]] = {
    "arduino": arduino,
    "platformio": platformio,
    "zephyr": zephyr,
    "cmsis-pack": cmsis_pack,
}
