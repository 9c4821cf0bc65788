"""Writes small int8 and uint8 ONNX models through onnx.helper, in QDQ and in QOperator form.

`Net` keeps one current tensor. Output scales are chosen so that results spread over the whole
range without saturating: a test that only sees clamped values proves nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from writers.onnx_functions import KINDS, LOW, Current, Functions


class Net(Functions):
    def __init__(
        self,
        seed: int,
        shape: tuple[int, ...],
        *,
        dtype: str = "int8",
        form: str = "qdq",
        float_input: bool = True,
        opset: int = 15,
        batch: int | str = 1,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.dtype, self.form, self.opset = dtype, form, opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.input_dtype = "float32" if float_input else dtype
        self.input_info = helper.make_tensor_value_info(
            "x", KINDS[self.input_dtype], [batch, *shape[1:]]
        )
        scale, zero = self._scale(0.02), self._zero()
        self.current = Current("x", "", shape, scale, zero, 74.0)
        if float_input:
            self.current = self._quantized("x", shape, scale, zero, 74.0)
        else:
            self.current = self._dequantized(self.current)

    # Constants.

    def const(self, values: Any, dtype: str | None = None) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, dtype=dtype), name))
        return name

    def _name(self) -> str:
        return f"t{len(self.nodes)}"

    def node(self, kind: str, inputs: list[str], domain: str = "", **attributes: Any) -> str:
        name = self._name()
        self.nodes.append(
            helper.make_node(kind, inputs, [name], name=f"n{name}", domain=domain, **attributes)
        )
        return name

    def _scale(self, around: float) -> np.float32:
        return np.float32(around * self.rng.uniform(0.7, 1.4))

    def _zero(self) -> int:
        return int(self.rng.integers(-40, 40)) + 128 + LOW[self.dtype]

    def _quantized(
        self, real: str, shape: tuple[int, ...], scale: np.float32, zero: int, spread: float
    ) -> Current:
        constants = [self.const(scale, "float32"), self.const(zero, self.dtype)]
        name = self.node("QuantizeLinear", [real, *constants])
        return self._dequantized(Current(name, "", shape, scale, zero, spread))

    def _dequantized(self, current: Current) -> Current:
        if self.form != "qdq":
            return current
        constants = [self.const(current.scale, "float32"), self.const(current.zero, self.dtype)]
        return replace(current, real=self.node("DequantizeLinear", [current.name, *constants]))

    def params(self, current: Current) -> list[str]:
        return [self.const(current.scale, "float32"), self.const(current.zero, self.dtype)]

    # Operators with weights.

    def _weights(
        self, shape: tuple[int, ...], per_channel: bool, axis: int
    ) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        values = self.rng.integers(-128, 128, shape).astype(np.int8)
        count = shape[axis] if per_channel else 1
        scales = np.array([self._scale(0.005) for _ in range(count)], dtype=np.float32)
        return values, scales if per_channel else scales[0]

    def _linear(
        self,
        kind: str,
        shape: tuple[int, ...],
        weight: tuple[int, ...],
        axis: int,
        outputs: int,
        fan_in: int,
        per_channel: bool,
        bias: bool,
        relu: str | None,
        **attributes: Any,
    ) -> None:
        x = self.current
        values, scales = self._weights(weight, per_channel, axis)
        deviation = 74 * 74 * np.sqrt(fan_in)
        y_scale = self._scale(float(x.scale * np.mean(scales) * deviation / 45))
        zero = LOW[self.dtype] if relu else self._zero()
        bias_values = self.rng.integers(-int(deviation), int(deviation) + 1, outputs)
        y = Current("", "", shape, y_scale, zero, 45.0)
        if self.form == "qdq":
            zeros = np.zeros_like(scales, dtype=np.int8)
            w = [self.const(values), self.const(scales), self.const(zeros)]
            inputs = [x.real, self.node("DequantizeLinear", w, axis=axis)]
            if bias:
                b_scale = np.asarray(x.scale * scales, dtype=np.float32)
                b = [self.const(bias_values, "int32"), self.const(b_scale)]
                b.append(self.const(np.zeros_like(b_scale, dtype=np.int32)))
                inputs.append(self.node("DequantizeLinear", b, axis=0))
            real = self.node(kind, inputs, **attributes)
            if relu == "relu":
                real = self.node("Relu", [real])
            elif relu == "clip":
                limits = [self.const(0.0, "float32"), self.const(6.0, "float32")]
                y = replace(y, scale=np.float32(min(y_scale, np.float32(6.0) / 255)))
                real = self.node("Clip", [real, *limits])
            self.current = self._quantized(real, shape, y.scale, zero, 45.0)
            return
        w = [self.const(values), self.const(scales), self.const(np.zeros_like(scales, np.int8))]
        self._qlinear(kind, x, w, y, [self.const(bias_values, "int32")] if bias else [], attributes)

    def _qlinear(
        self,
        kind: str,
        x: Current,
        w: list[str],
        y: Current,
        bias: list[str],
        attributes: dict[str, Any],
    ) -> None:
        left, right = [x.name, *self.params(x), *w], self.params(y)
        if kind == "Conv":
            name = self.node("QLinearConv", [*left, *right, *bias], **attributes)
        elif kind == "MatMul":
            name = self.node("QLinearMatMul", [*left, *right])
        else:
            attributes = {key: attributes[key] for key in ("transB",) if key in attributes}
            inputs = [*left, *(bias or [""]), *right]
            name = self.node("QGemm", inputs, "com.microsoft", **attributes)
        self.current = replace(y, name=name)

    def conv(
        self,
        outputs: int,
        kernel: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (1, 1),
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
        *,
        dilation: tuple[int, int] = (1, 1),
        depthwise: bool = False,
        per_channel: bool = True,
        bias: bool = True,
        relu: str | None = None,
        auto_pad: str | None = None,
    ) -> Net:
        _, channels, height, width = self.current.shape
        outputs = outputs * channels if depthwise else outputs
        weight = (outputs, 1 if depthwise else channels, *kernel)
        size = []
        for n, k, s, d, before, after in zip(
            (height, width), kernel, stride, dilation, pads[:2], pads[2:], strict=True
        ):
            covered = (k - 1) * d + 1
            whole = -(-n // s) if auto_pad and auto_pad != "VALID" else None
            size.append(whole or (n + before + after - covered) // s + 1)
        attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": stride}
        attributes |= {"dilations": dilation, "group": channels if depthwise else 1}
        attributes |= {"auto_pad": auto_pad} if auto_pad else {"pads": pads}
        fan_in = int(np.prod(weight[1:]))
        shape = (1, outputs, *size)
        self._linear(
            "Conv", shape, weight, 0, outputs, fan_in, per_channel, bias, relu, **attributes
        )
        return self

    def gemm(
        self,
        outputs: int,
        *,
        turned: bool = True,
        per_channel: bool = False,
        bias: bool = True,
        relu: str | None = None,
    ) -> Net:
        inputs = self.current.shape[1]
        weight = (outputs, inputs) if turned else (inputs, outputs)
        self._linear(
            "Gemm",
            (1, outputs),
            weight,
            0 if turned else 1,
            outputs,
            inputs,
            per_channel,
            bias,
            relu,
            transB=int(turned),
        )
        return self

    def matmul(self, outputs: int, *, per_channel: bool = False) -> Net:
        inputs = self.current.shape[1]
        self._linear(
            "MatMul",
            (1, outputs),
            (inputs, outputs),
            1,
            outputs,
            inputs,
            per_channel,
            False,
            None,
        )
        return self

    # Operators without weights.

    def branch(self) -> Current:
        return self.current

    def add(self, other: Current, relu: bool = False) -> Net:
        x = self.current
        real_spread = np.hypot(float(x.scale) * x.spread, float(other.scale) * other.spread)
        y = Current(
            "",
            "",
            x.shape,
            self._scale(real_spread / 45),
            LOW[self.dtype] if relu else self._zero(),
            45.0,
        )
        if self.form == "qdq":
            real = self.node("Add", [x.real, other.real])
            real = self.node("Relu", [real]) if relu else real
            self.current = self._quantized(real, x.shape, y.scale, y.zero, y.spread)
            return self
        inputs = [x.name, *self.params(x), other.name, *self.params(other), *self.params(y)]
        self.current = replace(y, name=self.node("QLinearAdd", inputs, "com.microsoft"))
        return self

    def average_pool(
        self, kernel: tuple[int, ...] | None = None, stride: tuple[int, ...] = (1, 1)
    ) -> Net:
        """None: a global pool by its own operator."""
        x = self.current
        _, channels, *extents = x.shape
        sides = kernel or tuple(extents)
        if kernel is None:
            stride = (1,) * len(extents)
        size = tuple((n - k) // s + 1 for n, k, s in zip(extents, sides, stride, strict=True))
        shape = (1, channels, *size)
        spread = x.spread / np.sqrt(np.prod(sides))
        scale = self._scale(float(x.scale) * spread / 40)
        attributes: dict[str, Any] = {}
        if kernel is not None:
            attributes = {"kernel_shape": kernel, "strides": stride}
        kind = "GlobalAveragePool" if kernel is None else "AveragePool"
        y = Current("", "", shape, scale, self._zero(), 40.0)
        if self.form == "qdq":
            real = self.node(kind, [x.real], **attributes)
            self.current = self._quantized(real, shape, y.scale, y.zero, 40.0)
            return self
        inputs = [x.name, *self.params(x), *self.params(y)]
        name = self.node(f"QLinear{kind}", inputs, "com.microsoft", **attributes)
        self.current = replace(y, name=name)
        return self

    def max_pool(
        self,
        kernel: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> Net:
        x = self.current
        attributes = {"kernel_shape": kernel, "strides": stride, "pads": pads}
        size = tuple(
            (n + a + b - k) // s + 1
            for n, k, s, a, b in zip(x.shape[2:], kernel, stride, pads[:2], pads[2:], strict=True)
        )
        return self._moved("MaxPool", [], (*x.shape[:2], *size), attributes)

    def pad(self, before: tuple[int, ...], after: tuple[int, ...]) -> Net:
        """Pad with the real number 0 (QDQ), or with the integer zero point (QOperator)."""
        x = self.current
        value = self.const(0.0, "float32")
        if self.form != "qdq":
            value = self.const(x.zero, self.dtype)
        inputs = [self.const([*before, *after], "int64"), value]
        shape = tuple(b + n + a for b, n, a in zip(before, x.shape, after, strict=True))
        return self._moved("Pad", inputs, shape, {})

    def reshape(self, *shape: int) -> Net:
        x = self.current
        wanted = tuple(np.empty(x.shape, np.int8).reshape(shape).shape)
        return self._moved("Reshape", [self.const(list(shape), "int64")], wanted, {})

    def flatten(self) -> Net:
        x = self.current
        return self._moved("Flatten", [], (1, int(np.prod(x.shape))), {"axis": 1})

    def transpose(self, *perm: int) -> Net:
        shape = tuple(self.current.shape[axis] for axis in perm)
        return self._moved("Transpose", [], shape, {"perm": perm})

    def _moved(
        self, kind: str, inputs: list[str], shape: tuple[int, ...], attributes: dict[str, Any]
    ) -> Net:
        x = self.current
        if self.form == "qdq":
            real = self.node(kind, [x.real, *inputs], **attributes)
            moved = self._quantized(real, shape, x.scale, x.zero, x.spread)
        else:
            name = self.node(kind, [x.name, *inputs], **attributes)
            moved = replace(x, name=name, shape=shape)
        self.current = moved
        return self

    def relu(self, low: float | None = None, high: float | None = None) -> Net:
        """A Relu or Clip of its own: dequantize, limit, quantize with the same scale."""
        x = self.current
        if low is None:
            real = self.node("Relu", [x.real])
        else:
            limits = [self.const(low, "float32"), self.const(high, "float32")]
            real = self.node("Clip", [x.real, *limits])
        self.current = self._quantized(real, x.shape, x.scale, x.zero, x.spread)
        return self

    def rescale(self, factor: float) -> Net:
        """Dequantize, then quantize with another scale and zero point."""
        x = self.current
        scale = np.float32(x.scale * np.float32(factor))
        real = x.real or self.node("DequantizeLinear", [x.name, *self.params(x)])
        self.current = self._quantized(real, x.shape, scale, self._zero(), x.spread / factor)
        return self

    # The file.

    def model(self, *, softmax: bool = False, integers: bool = False) -> onnx.ModelProto:
        x = self.current
        if self.form == "qdq" and not integers:
            output = self.node("Softmax", [x.real], axis=-1) if softmax else x.real
            info = helper.make_tensor_value_info(output, TensorProto.FLOAT, x.shape)
        else:
            nodes = self.nodes
            if nodes[-1].output[0] != x.name:
                nodes.pop()  # the trailing DequantizeLinear
            info = helper.make_tensor_value_info(x.name, KINDS[self.dtype], x.shape)
        graph = helper.make_graph(self.nodes, "net", [self.input_info], [info], self.constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def inputs(self, count: int) -> NDArray[Any]:
        """Samples over the whole range of the input, a few beyond it."""
        shape = (count, *(d.dim_value for d in self.input_info.type.tensor_type.shape.dim[1:]))
        if self.input_dtype != "float32":
            low = LOW[self.dtype]
            return self.rng.integers(low, low + 256, shape).astype(self.dtype)
        return self.rng.normal(0.0, 1.6, shape).astype(np.float32)
