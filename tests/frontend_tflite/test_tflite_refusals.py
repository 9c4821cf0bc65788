"""What the loader refuses, and that it says where and what would help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from writers.tflite_small import Small
from writers.tflite_writer import FLOAT32, INT16, UINT8, ModelSpec, write

from edgekit import frontend
from edgekit.errors import EdgekitError, UnsupportedError

Change = Callable[[ModelSpec], None]


def network() -> ModelSpec:
    """Tensors: 0 input, 1 filter, 2 bias, 3 conv, 4 sum, 5 flat, 6 new shape, 7 and 8 dense, 9."""
    small = Small(1, (4, 4, 2), scale=0.05, zero=3).conv(2, (3, 3)).add(0).reshape((1, 32))
    return small.dense(5).spec


def option(op: int, **fields: object) -> Change:
    def change(spec: ModelSpec) -> None:
        options = spec.ops[op].options
        assert options is not None
        options[1].update(fields)

    return change


def tensor(place: int, **fields: object) -> Change:
    def change(spec: ModelSpec) -> None:
        for name, value in fields.items():
            assert hasattr(spec.tensors[place], name)
            setattr(spec.tensors[place], name, value)

    return change


def op(place: int, **fields: object) -> Change:
    def change(spec: ModelSpec) -> None:
        for name, value in fields.items():
            assert hasattr(spec.ops[place], name)
            setattr(spec.ops[place], name, value)

    return change


def whole(**fields: object) -> Change:
    def change(spec: ModelSpec) -> None:
        for name, value in fields.items():
            assert hasattr(spec, name)
            setattr(spec, name, value)

    return change


CASES: list[tuple[str, Change, str]] = [
    ("unknown operator", op(1, code="ATAN2"), r"ATAN2 \(node 1, shape 1x4x4x2"),
    ("custom operator", op(1, code="CUSTOM", custom="Mine"), r"CUSTOM 'Mine' \(node 1"),
    ("dynamic shape", tensor(3, signature=[1, -1, 4, 2]), r"CONV_2D \(node 0.*dynamic"),
    ("batch", tensor(0, shape=[2, 4, 4, 2]), "model input .*2x4x4x2"),
    ("uint8 filter", tensor(1, type_code=UINT8), r"CONV_2D \(node 0.*uint8, int8 is wanted"),
    ("16x8", tensor(3, type_code=INT16), r"CONV_2D \(node 0.*int16, int8 is wanted"),
    ("hybrid", tensor(0, type_code=FLOAT32), r"CONV_2D \(node 0.*float32, int8 is wanted"),
    ("cycle", op(0, inputs=[4, 1, 2]), r"CONV_2D \(node 0.*before it is produced"),
    ("two producers", op(1, outputs=[3]), r"ADD \(node 1.*already has a value"),
    ("duplicate names", tensor(3, name="w1"), "both named 'w1'"),
    ("zero scale", tensor(3, scales=[0.0]), r"CONV_2D \(node 0.*scale 0.0"),
    ("NaN scale", tensor(3, scales=[float("nan")]), "scale nan"),
    ("infinite scale", tensor(3, scales=[float("inf")]), "scale inf"),
    ("negative scale", tensor(3, scales=[-1.0]), "scale -1.0"),
    ("denormal scale", tensor(3, scales=[1e-40]), "scale 1e-40|scale 9.9"),
    ("denormal filter scale", tensor(1, scales=[0.1, 1e-40]), "at channel 1"),
    ("no quantization", tensor(3, scales=None, zero_points=None), "no quantization"),
    ("zero point range", tensor(3, zero_points=[128]), "zero point 128"),
    ("filter zero point", tensor(1, zero_points=[0, 1]), "zero point other than 0"),
    ("filter axis", tensor(1, dimension=3), "along axis 3"),
    ("filter scales", tensor(1, scales=[0.1] * 3, zero_points=[0] * 3), "3 scales"),
    ("bias length", tensor(2, shape=[1], data=bytes(4)), r"bias 'b2' has shape \(1,\)"),
    ("bias zero point", tensor(2, zero_points=[0, 4]), r"bias 'b2'.* zero points \[0, 4\]"),
    ("filter bytes", tensor(1, data=bytes(35)), "has 35 bytes, 36 are wanted"),
    ("filter missing", tensor(1, data=None), "not a constant"),
    ("variable", tensor(3, variable=True), "variable"),
    ("stored shape", tensor(3, shape=[1, 4, 4, 3]), r"\(1, 4, 4, 3\) is stored"),
    ("stride 0", option(0, StrideH=0), r"stride \(0, 1\)"),
    ("stride below 0", option(0, StrideW=-1), r"stride \(1, -1\)"),
    ("dilation 0", option(0, DilationWFactor=0), r"dilation \(1, 0\)"),
    ("padding scheme", option(0, Padding=3), "padding scheme 3"),
    ("activation", option(0, FusedActivationFunction=4), "fused activation 4"),
    ("options of another operator", op(0, options_type=5), "options of type 5"),
    ("no options", op(0, options=None), "options of type 0"),
    ("broadcast", op(1, inputs=[3, 9]), r"ADD \(node 1.*(produced|differ)"),
    ("fine sum", tensor(4, scales=[1e-9]), r"ADD \(node 1.*too fine"),
    ("absent input", op(0, inputs=[-1, 1, 2]), "required input is absent"),
    ("too many inputs", op(1, inputs=[3, 0, 0]), "3 inputs and 1 outputs"),
    ("reshape scale", tensor(5, scales=[0.9]), r"RESHAPE \(node 2.*quantization"),
    ("shuffled weights", option(3, WeightsFormat=1), "shuffled"),
    ("dense bias scale", tensor(8, scales=[9.0]), "bias scale 9.0"),
    ("dense filter shape", tensor(7, shape=[32, 5]), r"\(32, 5\) does not match 32 input"),
    ("two outputs", whole(outputs=[9, 3]), "1 inputs and 2 outputs"),
    ("no input", whole(inputs=[]), "0 inputs and 1 outputs"),
    ("constant output", whole(outputs=[1]), "no operator produces it"),
    ("output is input", whole(outputs=[0]), "does not depend"),
    ("subgraphs", whole(subgraphs=2), "2 subgraphs"),
    ("no operators", whole(ops=[]), "no operator produces it"),
]


def test_the_unchanged_network_loads(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(write(network()))
    graph = frontend.load(path)
    assert [node.label for node in graph.nodes] == [
        "CONV_2D 0",
        "ADD 1",
        "RESHAPE 2",
        "FULLY_CONNECTED 3",
    ]


@pytest.mark.parametrize(("change", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_refused(tmp_path: Path, change: Change, message: str) -> None:
    spec = network()
    change(spec)
    path = tmp_path / "model.tflite"
    path.write_bytes(write(spec))
    with pytest.raises(UnsupportedError, match=message) as caught:
        frontend.load(path)
    assert caught.value.hint, "an error says what would help"


@pytest.mark.parametrize("case", ["beta", "scale", "float", "accumulator"])
def test_refused_by_meaning(tmp_path: Path, case: str) -> None:
    small = Small(2, (16,), scale=0.05)
    if case == "beta":
        small.softmax(-1.0)
    elif case == "scale":
        small.softmax()
        small.now.scales = [0.01]
    elif case == "float":
        small.dequantize()
        y = small.tensor(type(small.now)("float2", [1, 16], FLOAT32))
        small.op("SOFTMAX", [small.at], y, ("SoftmaxOptions", {"Beta": 0.5}))
    else:
        small.dense(3)
        small.spec.tensors[2].data = (2**31 - 1).to_bytes(4, "little") * 3
    path = tmp_path / "model.tflite"
    path.write_bytes(write(small.spec))
    with pytest.raises(EdgekitError) as caught:
        frontend.load(path)
    assert isinstance(caught.value, UnsupportedError)


def test_names_become_unique_identifiers(tmp_path: Path) -> None:
    spec = network()
    for place, name in enumerate(["int", "a b", "a-b", "a;b", "é", "", "x" * 500, "9", "_", "a/b"]):
        spec.tensors[place].name = name
    path = tmp_path / "9 lives.tflite"
    path.write_bytes(write(spec))
    graph = frontend.load(path)
    assert graph.name == "model_9_lives"
    for stem, known in {"kws01": "kws01", "int": "model_int", "-": "model"}.items():
        assert frontend.load(path.rename(tmp_path / f"{stem}.tflite")).name == known
        (tmp_path / f"{stem}.tflite").rename(path)
    activations = [graph.inputs[0].tensor, *(node.y for node in graph.nodes)]
    assert activations == ["t0_int", "t3_a", "t4", "t5", "t9_a_b"]
    assert all(name.isidentifier() and len(name) < 64 for name in graph.tensors)
    assert graph.inputs[0].source_name == "int"


def test_dead_operators_are_dropped_and_constants_are_read_only(tmp_path: Path) -> None:
    small = Small(3, (8,)).dense(6)
    kept = small.at
    small.dense(4).spec.outputs = [kept]
    path = tmp_path / "model.tflite"
    path.write_bytes(write(small.spec))
    graph = frontend.load(path)
    assert [node.label for node in graph.nodes] == ["FULLY_CONNECTED 0"]
    assert set(graph.constants) == {"n0_weight", "n0_bias"}
    assert not any(array.flags.writeable for array in graph.constants.values())
