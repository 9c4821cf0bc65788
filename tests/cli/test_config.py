"""edgekit.yaml, and how options and the board's defaults join it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import board, config
from edgekit.config import ContractWish, GridWish, Options, Project
from edgekit.errors import ConfigError
from edgekit.ir.types import InputGrid
from edgekit.pipeline import settings, stages

BOARD = "nucleo-l4r5zi"


def write(folder: Path, text: str) -> Path:
    path = folder / "edgekit.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config.load(write(folder, text))
    return caught.value


def test_every_key(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "model: m.onnx\ndata: d/x.npz\nboard: nucleo-l4r5zi\nvirtual: true\nport: /dev/ttyACM0\n"
        "meter: 'ppk2:'\ncontract: {limit_mw: 15, scope: supply, mode: average, rate_hz: 10,\n"
        "  operating_point: run_120mhz}\n",
    )
    assert config.load(path) == Project(
        model=tmp_path / "m.onnx",
        data=tmp_path / "d" / "x.npz",
        board=BOARD,
        virtual=True,
        port="/dev/ttyACM0",
        meter="ppk2:",
        contract=ContractWish(
            limit_mw=15.0,
            scope="supply",
            mode="average",
            rate_hz=10.0,
            operating_point="run_120mhz",
        ),
    )


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "model: ../m.onnx\nboard: boards/mine.yaml\nmeter: replay:trace.npz\n")
    project = config.load(path)
    assert project.model == tmp_path / ".." / "m.onnx"
    assert project.board == str(tmp_path / "boards" / "mine.yaml")
    assert project.meter == f"replay:{tmp_path / 'trace.npz'}"


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert config.load(write(tmp_path, "# nothing\n")) == Project()


def test_found_upwards(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    path = write(tmp_path, "")
    assert config.find(deep) == path.resolve()
    (tmp_path / "a" / "edgekit.yaml").mkdir()  # a directory of that name is no file
    assert config.find(deep) == path.resolve()
    nearer = write(deep, "")
    assert config.find(deep) == nearer.resolve()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("modell: m.onnx", "unknown key 'modell'", "did you mean 'model'?"),
        ("contract: {limit_mv: 15}", "unknown key 'contract.limit_mv'", "did you mean 'limit_mw'?"),
        (
            "zebra: 1",
            "unknown key 'zebra'",
            "valid keys here: model, data, board, virtual, port, meter, arena_limit_bytes, "
            "input_grid, contract",
        ),
        (
            "contract: {limit_mw: -1}",
            "contract.limit_mw: input should be greater than 0, found -1",
            "",
        ),
        (
            "contract: {limit_mw: .nan}",
            "contract.limit_mw: input should be a finite number, found nan",
            "",
        ),
        (
            "contract: {mode: mean}",
            "contract.mode: input should be 'average' or 'active', found 'mean'",
            "",
        ),
        ("virtual: maybe", "virtual: input should be a valid boolean", ""),
        ("- a\n- b", "holds a list, wanted keys with values", ""),
        ("search: {trials: 3}", "section 'search' belongs to `edgekit search`", "remove"),
        ("compress: {recpe: r.yaml}", "unknown key 'compress.recpe'", "did you mean 'recipe'?"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str, hint: str) -> None:
    error = refusal(tmp_path, text)
    assert message in error.message
    assert str(tmp_path / "edgekit.yaml") in error.message
    assert error.hint.startswith(hint)
    assert error.exit_code == 2


def test_two_mistakes_are_both_named(tmp_path: Path) -> None:
    error = refusal(tmp_path, "modle: x\ncontract: {rate: 1}\n")
    assert "unknown key 'modle'" in error.message
    assert "unknown key 'contract.rate'" in error.message
    assert sorted(error.hint.split("; ")) == ["did you mean 'model'?", "did you mean 'rate_hz'?"]


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "!!python/object:os.system {}", "\x00"])
def test_what_is_not_yaml(tmp_path: Path, text: str) -> None:
    assert "is not YAML" in refusal(tmp_path, text).message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        config.load(tmp_path / "none.yaml")
    path = tmp_path / "edgekit.yaml"
    path.write_bytes(b"model: \xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        config.load(path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "m.tflite").write_bytes(b"")
    (tmp_path / "x.npz").write_bytes(b"")
    write(
        tmp_path,
        f"model: m.tflite\ndata: x.npz\nboard: {BOARD}\nvirtual: true\nport: /dev/ttyACM3\n"
        "contract: {limit_mw: 12, rate_hz: 4}\n",
    )
    return tmp_path


def test_file_over_the_boards_defaults(project: Path) -> None:
    found = settings.resolve(Options(), start=project)
    default = board.find(BOARD).contract
    assert found.contract == board.Contract(
        limit_mw=12.0,
        scope=default.scope,
        mode=default.mode,
        rate_hz=4.0,
        operating_point=default.operating_point,
    )
    assert found.work == project.resolve() / "build" / "edgekit"
    assert (found.model, found.data) == (project / "m.tflite", project / "x.npz")
    assert found.virtual
    assert found.port is None  # of no use to a virtual board


def test_options_over_the_file(project: Path) -> None:
    wanted = Options(
        virtual=False,
        port="usb:0483:374b:1",
        meter="ppk2:",
        limit_mw=3.0,
        mode="active",
        scope="vdd_mcu",
        operating_point="run_48mhz",
        work=Path("there"),
        seed=7,
    )
    found = settings.resolve(wanted, start=project)
    assert (found.virtual, found.port, found.meter) == (False, "usb:0483:374b:1", "ppk2:")
    assert (found.contract.limit_mw, found.contract.scope) == (3.0, "vdd_mcu")
    assert (found.contract.mode, found.contract.rate_hz) == ("active", None)
    assert (found.contract.operating_point, found.work, found.seed) == (
        "run_48mhz",
        Path("there"),
        7,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(board="nucleo"), "no board is called 'nucleo'"),
        (Options(operating_point="fast"), f"{BOARD} has no operating point 'fast'"),
        (Options(scope="plug"), f"{BOARD} has no scope 'plug'"),
        (Options(port="/dev/ttyACM1"), "names hardware, but the board is virtual"),
        (Options(model=Path("none.onnx")), "model file none.onnx does not exist"),
        (Options(data=Path("none.npz")), "data file none.npz does not exist"),
    ],
)
def test_what_contradicts_is_named(project: Path, options: Options, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings.resolve(options, start=project)
    assert message in caught.value.message
    assert caught.value.exit_code == 2


def test_without_a_project_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no board was named"):
        settings.resolve(Options(), start=tmp_path)
    with pytest.raises(ConfigError, match="no model was named"):
        settings.resolve(Options(board=BOARD), start=tmp_path)


def test_an_average_needs_a_rate() -> None:
    found = board.find(BOARD)
    bare = found.model_copy(
        update={"contract": found.contract.model_copy(update={"rate_hz": None})}
    )
    with pytest.raises(ConfigError, match="mode 'average' needs a rate"):
        settings.contract_of(Options(), ContractWish(), bare)


@pytest.mark.parametrize("limit_mw", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_that_is_no_limit(limit_mw: float) -> None:
    with pytest.raises(ConfigError, match="a positive number is wanted"):
        settings.contract_of(Options(limit_mw=limit_mw), ContractWish(), board.find(BOARD))


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, 1e-4, 1.1e6, float("nan"), float("inf")])
def test_a_rate_that_no_period_can_hold(rate_hz: float) -> None:
    with pytest.raises(ConfigError, match="inferences per second found"):
        settings.contract_of(Options(rate_hz=rate_hz), ContractWish(), board.find(BOARD))


@pytest.mark.parametrize("text", ["[" * 100_000, "model: 2020-13-45\n", "? [a]\n: 1\n"])
def test_what_the_yaml_reader_itself_chokes_on(tmp_path: Path, text: str) -> None:
    assert "is not YAML" in refusal(tmp_path, text).message
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="is not YAML"):
        board.find(str(path))


@pytest.mark.parametrize(
    ("said", "grid"),
    [
        ("1/255", InputGrid(1 / 255, 0, "uint8")),
        ("0.5,3", InputGrid(0.5, 3, "uint8")),
        ("2,-1,int8", InputGrid(2.0, -1, "int8")),
    ],
)
def test_grid_of_an_input(said: str, grid: InputGrid) -> None:
    assert settings.grid_of(Options(input_grid=said), Project()) == grid
    wish = Project(input_grid=GridWish(scale=7.0))
    assert settings.grid_of(Options(input_grid=said), wish) == grid
    assert settings.grid_of(Options(), wish) == InputGrid(7.0, 0, "uint8")


@pytest.mark.parametrize(
    "said", ["", "x", "0", "-1", "1/0", "1/2/3", "1e999", "inf", "1,2,int16", "1,x", "1,2,int8,4"]
)
def test_grid_that_is_none(said: str) -> None:
    with pytest.raises(ConfigError, match=r"SCALE\[,ZERO\[,TYPE\]\]"):
        settings.grid_of(Options(input_grid=said), Project())


def test_a_grid_for_a_model_that_states_its_input() -> None:
    model = Path(__file__).resolve().parents[2] / "examples" / "digits" / "digits.onnx"
    with pytest.raises(ConfigError, match="states its own input"):
        stages.load(model, InputGrid(1 / 255, 0, "uint8"))
