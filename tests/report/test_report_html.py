"""report.html: self-contained, escaped, drawn; opened in a browser."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from report.sample import ERRORED, FAILED, HOSTILE, MISMATCHED, PASSED, UNSURE

from edgekit.report import files, json_form, reduce
from edgekit.report.html import render
from edgekit.report.html.axis import Axis, labels
from edgekit.report.types import Detail, Histogram, Report

SAMPLES = {
    "passed": PASSED,
    "failed": FAILED,
    "unsure": UNSURE,
    "mismatched": MISMATCHED,
    "errored": ERRORED,
    "hostile": HOSTILE,
    "empty": Report(None, None, None),
    "no pictures": dataclasses.replace(PASSED, detail=Detail()),
}


class Page(HTMLParser):
    """Tags with attributes, and the text that a reader sees."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += f"{data}\n"


@pytest.mark.parametrize("report", SAMPLES.values(), ids=SAMPLES)
def test_nothing_is_fetched_and_nothing_runs(report: Report) -> None:
    document = render(report)
    page = Page(document)
    assert page.open == []
    assert {tag for tag, _ in page.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "div", "span"),
        *("section", "table", "thead", "tbody", "tfoot", "tr", "th", "td", "code", "strong", "i"),
        *("svg", "text", "line", "rect", "polygon", "polyline"),
    }
    for _, attributes in page.tags:
        assert not {"src", "href", "xlink:href", "action"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert "url(" not in document
    assert "@import" not in document
    assert not re.search(r"https?://", document)
    assert len(document) < 400_000


def test_the_verdict_with_scope_and_source() -> None:
    text = Page(render(PASSED)).text
    assert "PASS" in text
    assert "Scope: supply, average at 1 inference/s." in text
    assert "modelled" in text
    assert "measured" not in text.replace("energy contract", "")
    for words in ("tflite-ref", "600 of 600 samples gave the same integers everywhere."):
        assert words in text


def test_hostile_names_stay_text() -> None:
    document = render(HOSTILE)
    page = Page(document)
    assert "<script" not in document
    assert "<img" not in document
    assert '<script>alert("x")</script>\\x1b[2J on nucleo-l4r5zi' in page.text
    assert '</td><img src=x onerror="alert(1)">' in page.text


def test_the_broken_link_of_the_chain() -> None:
    first = MISMATCHED.equality
    assert first is not None
    assert first.first_difference is not None
    adjacent = dataclasses.replace(
        MISMATCHED,
        equality=dataclasses.replace(
            first,
            first_difference=dataclasses.replace(first.first_difference, between=("c", "board")),
        ),
    )
    assert re.findall(r'class="sign[^>]*>(.)<', render(adjacent)) == ["=", "=", "≠"]
    assert re.findall(r'class="sign[^>]*>(.)<', render(MISMATCHED)) == ["=", "?", "?"]
    assert re.findall(r'class="sign[^>]*>(.)<', render(PASSED)) == ["=", "=", "="]


def test_rectangles_of_the_memory_map_do_not_leave_the_picture() -> None:
    tags = [a for tag, a in Page(render(PASSED)).tags if tag == "rect"]
    drawn = [a for a in tags if (a["class"] or "").startswith("tensor")]
    assert len(drawn) == len(PASSED.detail.memory)
    for a in drawn:
        x, y, width, height = (float(a[k] or "nan") for k in ("x", "y", "width", "height"))
        assert 72 <= x <= x + width <= 944
        assert 22 <= y <= y + height <= 300.01


def test_equal_latencies_are_one_bar() -> None:
    found = reduce.histogram(np.full(600, 154_601.0))
    assert found == Histogram((154_601.0, 154_601.0), (600,))
    detail = dataclasses.replace(PASSED.detail, latencies=found)
    document = render(dataclasses.replace(PASSED, detail=detail))
    assert "histogram of latencies" in document
    assert not re.search(r'="-?(nan|inf)"', document)


def test_histogram_keeps_every_inference() -> None:
    values = np.random.default_rng(3).normal(1_000, 30, 500)
    found = reduce.histogram(values)
    assert sum(found.counts) == 500
    assert len(found.edges_us) == len(found.counts) + 1
    assert reduce.histogram(np.array([])) == Histogram((), ())


def test_ticks_are_round_and_inside() -> None:
    axis = Axis(0.0, 17.25, 0.0, 100.0)
    assert axis.ticks(6) == (0.0, 5.0, 10.0, 15.0)
    assert labels((0.0, 0.2, 0.4)) == ("0.0", "0.2", "0.4")
    assert labels((0.0, 5_000.0)) == ("0", "5,000")
    assert Axis(3.0, 3.0, 0.0, 10.0)(3.0) == 5.0


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """A file name's bytes may be no UTF-8; Python holds such a byte as half a surrogate."""
    report = dataclasses.replace(PASSED, model="l\udce9")
    files.write(report, tmp_path)
    assert json_form.load(tmp_path / "report.json") == report
    assert "l\\udce9" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_report_without_room_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()  # cannot be replaced by a file
    with pytest.raises(OSError, match="directory"):
        files.write(PASSED, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_files_appear_whole(tmp_path: Path) -> None:
    paths = files.write(PASSED, tmp_path / "new")
    assert [p.name for p in paths] == ["report.json", "report.html", "junit.xml"]
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(p.name for p in paths)


def browse(page: Path, profile: Path, *arguments: str) -> str:
    done = subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={profile}",
            *arguments,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


@pytest.mark.chromium
@pytest.mark.parametrize("name", ["passed", "hostile", "errored"])
def test_a_browser_draws_it(tmp_path: Path, name: str) -> None:
    page = tmp_path / "report.html"
    page.write_text(render(SAMPLES[name]), encoding="utf-8")
    # The page itself asks for nothing: a policy of its own forbids it.
    dom = browse(page, tmp_path / "profile", "--dump-dom")
    assert "<h2>What it rests on</h2>" in dom
    assert "<script" not in dom
    assert "<img" not in dom
    if name != "errored":
        assert dom.count("<svg") == 5
        assert dom.count("</svg>") == 5


@pytest.mark.chromium
def test_a_browser_takes_a_picture(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(render(PASSED), encoding="utf-8")
    shot = tmp_path / "shot.png"
    browse(page, tmp_path / "profile", "--window-size=1100,3000", f"--screenshot={shot}")
    data = shot.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(data) > 100_000  # an empty page compresses to a few kilobytes
