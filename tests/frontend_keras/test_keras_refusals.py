"""What is not exact, not sound or not safe ends in a typed error that names it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from writers.keras_writer import STE_SIGN, Config, KerasNet, larq

from edgekit import frontend
from edgekit.errors import ConfigError, EdgekitError, UnsupportedError
from edgekit.frontend.bounded import BoundedProcess
from edgekit.frontend.keras import load

pytestmark = pytest.mark.h5py
Edit = Callable[[Config], None]
SIGNS = {"input_quantizer": STE_SIGN}


def small() -> KerasNet:
    return KerasNet((6,), 1).dense(6, 8, bias=True, **SIGNS).norm(8).dense(8, 3, **SIGNS)


def refused(path: Path, process: BoundedProcess) -> EdgekitError:
    with pytest.raises((ConfigError, UnsupportedError)) as caught:
        load(path, process=process)
    return caught.value


def changed(place: int, **settings: object) -> Edit:
    """Change settings of a layer; 1 is the first dense layer."""
    return lambda config: config["config"]["layers"][place]["config"].update(settings)


def renamed(place: int, kind: str) -> Edit:
    return lambda config: config["config"]["layers"][place].update({"class_name": kind})


CONFIGS: dict[str, tuple[Edit, str]] = {
    "lambda": (renamed(2, "Lambda"), "Python code"),
    "unknown layer": (renamed(2, "LayerNormalization"), "LayerNormalization"),
    "float weights": (changed(1, kernel_quantizer=None), "QuantDense quant_dense"),
    "float dense": (renamed(1, "Dense"), "Dense quant_dense"),
    "custom quantizer": (changed(3, kernel_quantizer=larq("MySign")), "MySign"),
    "no_op": (changed(3, kernel_quantizer=larq("NoOp", precision=1)), "NoOp"),
    "bernoulli": (changed(1, input_quantizer="bernoulli()"), "bernoulli"),
    "unknown setting": (changed(1, input_quantizer=larq("SteSign", zero=1)), "zero"),
    "data scale": (changed(1, input_quantizer=larq("MagnitudeAwareSign")), "one scale"),
    "auto activation": (changed(3, input_quantizer="binary(alpha='auto')"), "auto"),
    "code in a text": (changed(3, input_quantizer="__import__('os').getcwd()"), "no quantizer"),
    "wide activation": (changed(3, input_quantizer="quantized_relu(9,0)"), "8 bits"),
    "noise": (changed(3, input_quantizer="quantized_bits(4,0,1,qnoise_factor=0.5)"), "qnoise"),
    "sigmoid": (changed(1, activation="sigmoid"), "sigmoid"),
    "half floats": (changed(1, dtype="float16"), "float16"),
    "mixed": (changed(1, dtype={"config": {"name": "mixed_float16"}}), "mixed_float16"),
    "policy": (changed(1, dtype={"config": 3}), "float32"),
    "axis": (changed(2, axis=[0]), "axis"),
    "epsilon": (changed(2, epsilon=-1e9), "variance"),
    "no epsilon": (changed(2, epsilon="small"), "epsilon"),
    "units": (changed(1, units=9), "shape"),
    "name": (changed(1, name="other"), "no kernel"),
    "batch": (changed(0, batch_input_shape=[4, 6]), "batch"),
    "open shape": (changed(0, batch_input_shape=[None, None]), "fixed"),
    "huge shape": (changed(0, batch_input_shape=[None, 2**20, 2**20, 2**10]), "at most"),
    "integer input": (changed(0, dtype="int32"), "float32"),
    "softmax inside": (changed(1, activation="softmax"), "softmax"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_configurations(case: str, tmp_path: Path, process: BoundedProcess) -> None:
    edit, word = CONFIGS[case]
    net = small()
    config = json.loads(json.dumps(net.model_config()))
    edit(config)
    assert word in refused(net.save(tmp_path / "net.h5", config), process).message


def test_padding_that_is_no_level(tmp_path: Path, process: BoundedProcess) -> None:
    for value in (0.5, 2.0):
        net = KerasNet((5, 5, 2)).conv((3, 3), 2, 4, padding="same", pad_values=value, **SIGNS)
        assert "pad_values" in refused(net.save(tmp_path / "net.h5"), process).message


def test_branches_and_models_of_other_kinds(tmp_path: Path, process: BoundedProcess) -> None:
    net = small()
    for word, edit in (
        ("branches", lambda c: c["layers"][3].update(inbound_nodes=[[["quant_dense", 0, 0, {}]]])),
        ("2 layers", lambda c: c["layers"][2]["inbound_nodes"][0].append(["input_1", 0, 0, {}])),
        ("called 2", lambda c: c["layers"][2]["inbound_nodes"].append([["input_1", 0, 0, {}]])),
        ("reads 0", lambda c: c["layers"][2].update(inbound_nodes=[7])),
        ("2 outputs", lambda c: c.update(output_layers=[["a", 0, 0], ["b", 0, 0]])),
        ("output is", lambda c: c.update(output_layers=[["quant_dense", 0, 0]])),
    ):
        config = json.loads(json.dumps(net.functional_config()))
        edit(config["config"])
        assert word in refused(net.save(tmp_path / "net.h5", config), process).message
    config = {"class_name": "MyModel", "config": {}}
    assert "MyModel" in refused(net.save(tmp_path / "net.h5", config), process).message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(value: float, tmp_path: Path, process: BoundedProcess) -> None:
    for place, name in ((0, "kernel"), (0, "bias"), (1, "moving_mean"), (2, "kernel")):
        net = small()
        net.layers[place][2][name].flat[0] = value
        for suffix in (".h5", ".keras"):
            found = refused(net.save(tmp_path / f"net{suffix}"), process)
            assert name in found.message
            assert "NaN" in found.message


def hdf5(path: Path, edit: Callable[[h5py.File], None]) -> Path:
    small().save(path)
    with h5py.File(path, "a") as file:
        edit(file)
    return path


def external(file: h5py.File) -> None:
    del file["model_weights/quant_dense"]
    file["model_weights/quant_dense"] = h5py.ExternalLink("/etc/passwd", "/")


def soft(file: h5py.File) -> None:
    del file["model_weights/quant_dense"]
    file["model_weights/quant_dense"] = h5py.SoftLink("/model_weights")


def cyclic(file: h5py.File) -> None:
    file["model_weights/quant_dense/again"] = file["model_weights"]


def kernel(file: h5py.File) -> h5py.Group:
    group = file["model_weights/quant_dense/quant_dense"]
    del group["kernel:0"]
    return group


def outside(file: h5py.File) -> None:
    kernel(file).create_dataset("kernel:0", (6, 8), "f4", external=[("/etc/hostname", 0, 192)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((6, 8), "f4")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (6, 8), "f4")
    kernel(file).create_virtual_dataset("kernel:0", layout)


def huge(file: h5py.File) -> None:
    kernel(file).create_dataset("kernel:0", (2**40, 2), "f4", chunks=(1024, 2))


def many(file: h5py.File) -> None:
    for place in range(9):
        file.create_dataset(
            f"model_weights/x{place}", (2**20, 4), "f4", chunks=(1024, 4), compression="gzip"
        )


def texts(file: h5py.File) -> None:
    kernel(file).create_dataset("kernel:0", data=["text"], dtype=h5py.string_dtype())


def without_config(file: h5py.File) -> None:
    del file.attrs["model_config"]


def no_json(file: h5py.File) -> None:
    file.attrs["model_config"] = "{" * 50_000


def list_config(file: h5py.File) -> None:
    file.attrs["model_config"] = [1, 2]


@pytest.mark.parametrize(
    "edit",
    [
        *(external, soft, cyclic, outside, virtual, huge, many, texts),
        *(without_config, no_json, list_config),
    ],
)
def test_hdf5_that_refers_elsewhere_or_is_damaged(
    edit: Callable[[h5py.File], None], tmp_path: Path, process: BoundedProcess
) -> None:
    refused(hdf5(tmp_path / "net.h5", edit), process)


def test_files_that_end_early(tmp_path: Path, process: BoundedProcess) -> None:
    for suffix in (".h5", ".keras"):
        whole = small().save(tmp_path / f"net{suffix}").read_bytes()
        for part in range(1, 10):
            path = tmp_path / f"part{suffix}"
            path.write_bytes(whole[: len(whole) * part // 10])
            refused(path, process)


def members() -> dict[str, bytes]:
    packed = io.BytesIO(small()._archive(small().model_config()))
    with zipfile.ZipFile(packed) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(path: Path, parts: list[tuple[str, bytes]], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return path


def test_archives(tmp_path: Path, process: BoundedProcess) -> None:
    good, path = members(), tmp_path / "net.keras"
    load(zipped(path, list(good.items())), process=process)
    load(zipped(path, list(good.items()), compression=zipfile.ZIP_DEFLATED), process=process)
    bomb = {**good, "model.weights.h5": bytes(32 * 1024 * 1024)}
    found = refused(zipped(path, list(bomb.items()), compression=zipfile.ZIP_DEFLATED), process)
    assert "ratio" in found.message
    long = {**good, "config.json": good["config.json"] + b" " * 9_000_000}
    refused(zipped(path, list(long.items())), process)
    lost = {name: content for name, content in good.items() if name != "config.json"}
    assert "config.json" in refused(zipped(path, list(lost.items())), process).message
    for name in ("../../evil", "/etc/evil", "assets/vocabulary.txt", "data.pkl"):
        assert name in refused(zipped(path, [*good.items(), (name, b"x")]), process).message
    for kind in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        refused(zipped(path, list(good.items()), compression=kind), process)


def test_archive_with_a_member_twice(tmp_path: Path, process: BoundedProcess) -> None:
    path = tmp_path / "net.keras"
    with pytest.warns(UserWarning, match="Duplicate"):
        zipped(path, [*members().items(), ("config.json", b"{}")])
    assert "twice" in refused(path, process).message


def test_archive_whose_sizes_lie(tmp_path: Path, process: BoundedProcess) -> None:
    path = zipped(tmp_path / "net.keras", list(members().items()))
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    data[place + 24 : place + 28] = (10).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    refused(path, process)


def test_foreign_files(tmp_path: Path) -> None:
    pickled = tmp_path / "net.h5"
    pickled.write_bytes(b"\x80\x04\x95")
    with pytest.raises(ConfigError, match="pickle"):
        frontend.load(pickled)
