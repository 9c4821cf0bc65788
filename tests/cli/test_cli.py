"""The command line as a user meets it: text, JSON, exit codes. Deployments are stood in for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from report.sample import ERRORED, FAILED, MISMATCHED, PASSED, UNSURE

from edgekit.cli import app
from edgekit.cli.output import complain
from edgekit.errors import DeviceError
from edgekit.pipeline.settings import Settings
from edgekit.progress import Progress, Silent
from edgekit.report import json_form
from edgekit.report.types import Report

BOARD = "nucleo-l4r5zi"
Deploy = Callable[..., Report]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project directory as the working directory."""
    (tmp_path / "m.tflite").write_bytes(b"")
    (tmp_path / "edgekit.yaml").write_text(f"model: m.tflite\nboard: {BOARD}\nvirtual: true\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Callable[[Deploy], None]:
    """Put a stand-in where the real deployment is."""

    def put(deploy: Deploy) -> None:
        module: Any = ModuleType("edgekit.pipeline.deploy")
        module.deploy = module.measure = module.verify = deploy
        monkeypatch.setitem(sys.modules, "edgekit.pipeline.deploy", module)

    return put


def answering(report: Report, seen: list[Settings] | None = None) -> Deploy:
    def deploy(settings: Settings, *, progress: Progress) -> Report:
        assert isinstance(progress, Silent)  # stderr is no terminal here
        if seen is not None:
            seen.append(settings)
        return report

    return deploy


@pytest.mark.parametrize("verb", ["deploy", "measure", "verify"])
@pytest.mark.parametrize(
    ("report", "code"),
    [(PASSED, 0), (ERRORED, 4), (MISMATCHED, 7), (FAILED, 8), (UNSURE, 9)],
    ids=["pass", "error", "wrong", "over", "unsure"],
)
def test_exit_code_files_and_json_of_each_ending(
    project: Path,
    pipeline: Callable[[Deploy], None],
    capsys: pytest.CaptureFixture[str],
    verb: str,
    report: Report,
    code: int,
) -> None:
    pipeline(answering(report))
    assert app.run([verb, "--json"]) == code
    caught = capsys.readouterr()
    assert json.loads(caught.out) == json_form.to_json(report, detail=False)
    assert caught.err == ("" if report.error is None else caught.err)
    work = project / "build" / "edgekit"
    assert json_form.load(work / "report.json") == report
    assert sorted(p.name for p in work.iterdir()) == ["junit.xml", "report.html", "report.json"]


def test_the_table_on_stdout_and_the_error_on_stderr(
    project: Path, pipeline: Callable[[Deploy], None], capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline(answering(PASSED))
    assert app.run(["deploy"]) == 0
    caught = capsys.readouterr()
    assert "600 of 600 bit-equal" in caught.out
    assert caught.out.endswith(f"report: {project / 'build' / 'edgekit' / 'report.html'}\n")
    assert caught.err == ""
    pipeline(answering(ERRORED))
    assert app.run(["deploy"]) == 4
    caught = capsys.readouterr()
    assert caught.out == ""
    assert caught.err == (
        "error: the model needs 812,000 bytes of RAM, the board has 655,360\n"
        " hint: largest tensors: t1 401,408, t2 200,704, t3 100,352\n"
    )


def test_options_reach_the_deployment(project: Path, pipeline: Callable[[Deploy], None]) -> None:
    seen: list[Settings] = []
    pipeline(answering(PASSED, seen))
    argv = "deploy --no-virtual --port socket://localhost:1 --meter ppk2: --budget-mw 3 --scope"
    argv += " vdd_mcu --mode average --rate-hz 2 --operating-point run_48mhz --seed 5 -o there"
    assert app.run(argv.split()) == 0
    (settings,) = seen
    assert (settings.virtual, settings.port, settings.meter) == (
        False,
        "socket://localhost:1",
        "ppk2:",
    )
    contract = settings.contract
    assert (contract.limit_mw, contract.scope, contract.mode) == (3.0, "vdd_mcu", "average")
    assert (contract.rate_hz, contract.operating_point) == (2.0, "run_48mhz")
    assert (settings.seed, settings.work) == (5, Path("there"))
    assert (project / "there" / "report.html").is_file()


def test_a_stored_report_is_shown_and_drawn_again(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["report"]) == 2
    assert "hint: run `edgekit deploy` first" in capsys.readouterr().err
    stored = project / "old.json"
    stored.write_text(json_form.dumps(FAILED))
    assert app.run(["report", str(stored), "-o", "again"]) == 8
    assert "verdict: FAIL: 46.10 - 2.90 mW is more than 15 mW" in capsys.readouterr().out
    assert sorted(p.name for p in (project / "again").iterdir()) == ["junit.xml", "report.html"]


def test_a_work_directory_that_cannot_be_written(
    project: Path, pipeline: Callable[[Deploy], None], capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline(answering(PASSED))
    (project / "file").write_text("")
    assert app.run(["deploy", "-o", "file/below"]) == 2
    assert "the report cannot be written to file/below" in capsys.readouterr().err
    digits = str(Path(__file__).parents[2] / "examples/digits/digits.onnx")
    assert app.run(["compile", digits, "-o", "file/below"]) == 2
    assert "work directory file/below cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["deploi"], "No such command 'deploi'"),
        (["deploy", "--bord", "x"], "No such option: --bord"),
        (["deploy", "--budget-mw", "-3"], "Invalid value for '--budget-mw'"),
        (["deploy", "--mode", "mean"], "Invalid value for '--mode'"),
        (["deploy", "--seed", "x"], "Invalid value for '--seed'"),
        (["deploy", "--board", "nucleo"], "no board is called 'nucleo'"),
        (["deploy", "--config", "none.yaml"], "none.yaml cannot be read"),
        (["boards", "nucleo"], "no board is called 'nucleo'"),
        (["gate"], "Missing argument 'report'"),
        (["compile", "--dump-passes", "--json"], "--dump-passes prints text"),
    ],
)
def test_usage_errors(
    project: Path, capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    assert app.run(argv) == 2
    caught = capsys.readouterr()
    assert caught.err.startswith("error: ")
    assert message in caught.err
    assert "Traceback" not in caught.err
    if "--json" not in argv:
        assert caught.out == ""
        assert app.run([*argv, "--json"]) == 2
        caught = capsys.readouterr()
    body = json.loads(caught.out)
    assert body["error"]["kind"] == "config"
    assert message in body["error"]["message"]


def test_a_misspelt_key_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "edgekit.yaml").write_text("bord: x\n")
    assert app.run(["deploy"]) == 2
    err = capsys.readouterr().err
    assert "unknown key 'bord'" in err
    assert "hint: did you mean 'board'?" in err


def test_an_error_that_a_verb_raises(
    project: Path, pipeline: Callable[[Deploy], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def unplugged(settings: Settings, *, progress: Progress) -> Report:
        raise DeviceError("gone\x1b[2J", hint="plug it in")

    pipeline(unplugged)
    assert app.run(["verify", "--json"]) == 6
    caught = capsys.readouterr()
    assert caught.err == "error: gone\\x1b[2J\n hint: plug it in\n"
    assert json.loads(caught.out)["error"] == {
        "kind": "device",
        "message": "gone\x1b[2J",
        "hint": "plug it in",
    }


def test_a_bug_keeps_its_traceback(
    project: Path, pipeline: Callable[[Deploy], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(settings: Settings, *, progress: Progress) -> Report:
        raise ZeroDivisionError("division by zero")

    pipeline(broken)
    assert app.run(["deploy", "--json"]) == 1
    caught = capsys.readouterr()
    assert "Traceback" in caught.err
    assert "ZeroDivisionError: division by zero" in caught.err
    assert json.loads(caught.out)["error"]["kind"] == "bug"


def test_long_messages_keep_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    complain("gcc ended with status 1\nlast\tline", "see log")
    assert capsys.readouterr().err == (
        "error: gcc ended with status 1\nlast line\n hint: see log\n"
    )


def test_check(root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = str(root / "examples" / "digits" / "digits.onnx")
    assert app.run(["check", model, "--json", "--dump-passes"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["reference"] == "onnxruntime"
    assert body["macs"] == sum(layer["macs"] for layer in body["layers"]) > 0
    assert len(body["model_hash"]) == 64
    assert body["passes"][0]["graph"].startswith("graph digits\n")
    assert list(body["savings"]) == [entry["name"] for entry in body["passes"]]
    assert body["savings"]["fold-dead-channels"]["macs"][1] == body["macs"]
    assert app.run(["check", model, "--json", "--no-fold"]) == 0
    assert "fold-dead-channels" not in json.loads(capsys.readouterr().out)["savings"]
    assert app.run(["check", model, "--dump-passes"]) == 0
    shown = capsys.readouterr().out
    assert "# after " in shown
    assert "digits: every layer runs in integers, exactly as onnxruntime does" in shown
    junk = tmp_path / "junk.tflite"
    junk.write_bytes(b"\0" * 100)
    assert app.run(["check", str(junk), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "config"


def test_check_tries_every_style_of_an_fpga(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(root / "examples" / "digits_binary" / "digits_binary.safetensors")
    assert app.run(["check", model, "--board", "icebreaker", "--json"]) == 0
    hardwired, folded = json.loads(capsys.readouterr().out)["styles"]
    assert "look-up tables for its weights in logic" in hardwired["why"]
    assert hardwired["lut"] is None
    assert (folded["style"], folded["why"]) == ("folded", "")
    assert 1000 < folded["lut"] <= folded["part"]["lut"] == 5280
    assert app.run(["check", model, "--board", "icebreaker"]) == 0
    assert "hardwired: no: " in capsys.readouterr().out
    model = str(root / "examples" / "digits" / "digits.onnx")
    assert app.run(["check", model, "--board", "icebreaker", "--json"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert "has no hard-wired form; folded: " in error["message"]


def test_an_arena_that_is_too_small(
    root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said as an option or in the project file; the option wins."""
    model = root / "examples" / "digits" / "digits.onnx"
    monkeypatch.chdir(tmp_path)
    Path("edgekit.yaml").write_text(f"model: {model}\nboard: {BOARD}\narena_limit_bytes: 64\n")
    for verb in ("check", "compile"):
        assert app.run([verb, "--json"]) == 4
        error = json.loads(capsys.readouterr().out)["error"]
        assert "at most 64 bytes is wanted; the smallest found has" in error["message"]
    assert app.run(["check", "--json", "--arena-limit", "5000"]) == 0
    assert json.loads(capsys.readouterr().out)["arena_bytes"] <= 5000
    Path("edgekit.yaml").write_text(f"model: {model}\nboard: {BOARD}\narena_limit_bytes: 0\n")
    assert app.run(["check", "--json"]) == 2


def test_boards(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["boards"]) == 0
    assert BOARD in capsys.readouterr().out
    assert app.run(["boards", "--json"]) == 0
    (row,) = [b for b in json.loads(capsys.readouterr().out)["boards"] if b["name"] == BOARD]
    assert row["ram_bytes"] == 655_360
    assert row["contract"]["limit_mw"] == 15.0
    assert app.run(["boards", BOARD]) == 0
    shown = capsys.readouterr().out
    for words in ("run_120mhz", "vdd_mcu", "PF13", "not yet reported by anybody"):
        assert words in shown
    assert app.run(["boards", BOARD, "--json"]) == 0
    point = json.loads(capsys.readouterr().out)["board"]["operating_points"]["run_120mhz"]
    assert set(point["run_ua"]) >= {"value", "unit", "source", "verified"}


def test_init_writes_a_file_that_loads_and_never_overwrites(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from edgekit import config

    name = 'we"ird: #name.onnx'
    assert app.run(["init", str(tmp_path), "--model", name]) == 0
    project = config.load(tmp_path / "edgekit.yaml")
    assert project.model == tmp_path / name
    assert (project.board, project.virtual, project.contract.limit_mw) == (BOARD, True, 15.0)
    (tmp_path / "edgekit.yaml").write_text("mine")
    assert app.run(["init", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "edgekit.yaml").read_text() == "mine"
    assert app.run(["init", str(tmp_path / "none")]) == 2
    assert app.run(["init", str(tmp_path), "--board", "x"]) == 2


def test_every_commented_key_of_init_is_one(tmp_path: Path) -> None:
    from edgekit import config

    assert app.run(["init", str(tmp_path)]) == 0
    path = tmp_path / "edgekit.yaml"
    keys = ("data", "port", "meter", "  scope", "  mode", "  rate_hz", "  operating_point")
    text = path.read_text()
    for key in keys:
        bare = key.strip()
        before = f"{key[: len(key) - len(bare)]}# {bare}:"
        assert before in text
        text = text.replace(before, f"{key}:")
    path.write_text(text)
    project = config.load(path)
    assert project.contract.operating_point == "run_120mhz"
    assert project.meter == "ppk2:"


def test_doctor(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from serial.tools import list_ports
    from serial.tools.list_ports_common import ListPortInfo

    def port(device: str, vid: int, pid: int) -> ListPortInfo:
        info = ListPortInfo(device)
        info.vid, info.pid, info.serial_number = vid, pid, "66FF"
        info.description = "STM32\x1b[2J"
        info.hwid = "USB"
        return info

    found = [port("/dev/ttyACM1", 0x1915, 0xC00A), port("/dev/ttyACM0", 0x0483, 0x374B)]
    monkeypatch.setattr(list_ports, "comports", lambda: found)
    monkeypatch.setenv("PATH", str(project))  # no tool at all
    assert app.run(["doctor", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert [(p["device"], p["seems"]) for p in body["ports"]] == [
        ("/dev/ttyACM0", f"board {BOARD}"),
        ("/dev/ttyACM1", "meter ppk2"),
    ]
    assert body["config_file"] == str(project / "edgekit.yaml")
    missing = {t["name"]: t for t in body["tools"] if t["version"] is None}
    assert missing["openocd"]["install"] == "apt-get install openocd"
    assert missing["openocd"]["enables"]
    assert app.run(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "missing" in shown
    assert "\x1b" not in shown


def test_doctor_says_what_is_wrong_with_the_project_file(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "edgekit.yaml").write_text("bord: x\n")
    monkeypatch.setenv("PATH", str(project))
    assert app.run(["doctor"]) == 0
    assert "which is wrong:" in capsys.readouterr().out
