"""The container: damaged files, limits and dispatch."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from writers.tflite_small import Small
from writers.tflite_writer import write

from edgekit import frontend
from edgekit.errors import ConfigError, EdgekitError
from edgekit.frontend import limits
from edgekit.frontend.tflite import load_bytes
from edgekit.frontend.tflite.flatbuffer import Bytes
from edgekit.frontend.tflite.parse import parse


def small_file() -> bytes:
    return write(Small(1, (5, 4, 2)).conv(3, (3, 3)).spec)


def test_every_truncation_is_a_typed_error() -> None:
    data = small_file()
    for length in range(len(data)):
        with pytest.raises(EdgekitError):
            load_bytes(data[:length], "cut")


def test_every_word_as_an_extreme_is_typed_or_loads() -> None:
    data = small_file()
    loaded = 0
    for place in range(0, len(data) - 3, 4):
        for value in (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(data)):
            changed = data[:place] + struct.pack("<I", value) + data[place + 4 :]
            try:
                load_bytes(changed, "word")
                loaded += 1
            except EdgekitError:
                pass
    assert loaded > 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"x", "not an ONNX file"),
        (b"not a model at all", "not a model"),
        (b"\x89HDF\r\n\x1a\n" + bytes(20), "HDF5"),
        (b"PK\x03\x04" + bytes(20), "zip"),
        (b"\x80\x04\x95" + bytes(20), "pickle"),
        (b"\xff\xff\xff\xffTFL3" + bytes(20), "damaged"),
        (b"\x00\x00\x00\x00TFL3", "null offset"),
    ],
)
def test_other_files(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(data)
    with pytest.raises(EdgekitError, match=message) as caught:
        frontend.load(path)
    assert caught.value.exit_code in (2, 3)
    assert caught.value.hint


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        frontend.load(tmp_path / "none.tflite")
    with pytest.raises(ConfigError, match="not a file"):
        frontend.load(tmp_path)


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.tflite"
    with path.open("wb") as file:
        file.truncate(limits.MAX_FILE_BYTES + 1)
    with pytest.raises(ConfigError, match="at most"):
        frontend.load(path)


def test_dispatch_ignores_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really.onnx"
    path.write_bytes(small_file())
    graph = frontend.load(path)
    assert graph.source.format == "tflite"
    assert graph.name == "really"


def test_the_same_file_gives_the_same_graph() -> None:
    data = small_file()
    one, two = load_bytes(data, "m"), load_bytes(data, "m")
    assert one.nodes == two.nodes
    assert one.tensors == two.tensors
    for name, values in one.constants.items():
        np.testing.assert_array_equal(values, two.constants[name])


def test_many_tensors_that_share_one_buffer_are_bounded() -> None:
    # 1 MiB of weights, claimed by 40 operators: 40 MiB of int8 would be 320 MiB while loading.
    small = Small(1, (1024,)).dense(1024)
    for _ in range(39):
        small.dense(1024)
        small.spec.ops[-1].inputs[1] = 1
        small.spec.tensors[-3].data = b""
    data = write(small.spec)
    assert len(data) < 3 * 1024 * 1024
    with pytest.raises(EdgekitError, match=r"(weights so far|bias scale)"):
        load_bytes(data, "shared")


def test_reader_against_the_schema_package() -> None:
    import tflite

    data = small_file()
    model = parse(data)
    graph = tflite.Model.GetRootAs(data, 0).Subgraphs(0)
    assert len(model.tensors) == graph.TensorsLength()
    for place, tensor in enumerate(model.tensors):
        other = graph.Tensors(place)
        assert tensor.name == other.Name().decode()
        assert tensor.shape == tuple(other.ShapeAsNumpy())
        assert tensor.type_code == other.Type()
        np.testing.assert_array_equal(
            tensor.quantization.scales, other.Quantization().ScaleAsNumpy()
        )
    assert model.operators[0].inputs == tuple(graph.Operators(0).InputsAsNumpy())


def test_a_table_that_points_at_itself_ends() -> None:
    # Root offset 8, whose field directory lies on the table itself.
    data = struct.pack("<I4si", 8, b"TFL3", 0) + struct.pack("<HHHH", 8, 8, 4, 4)
    with pytest.raises(EdgekitError):
        load_bytes(data, "loop")
    with pytest.raises(ConfigError):
        Bytes(b"").root()
