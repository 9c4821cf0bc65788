"""Training of a float network, with or without the rounding of a plan. Needs torch.

Weights pass through the quantizers of `edgekit.train`, whose scales are learned; activations
through the plan's own grids. The same seed gives the same weights on the same machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import assert_never

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgekit.compress import floatnet, weights
from edgekit.compress.calibrate import INPUT, Grid
from edgekit.compress.floatnet import (
    AveragePool,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    FloatNet,
    Floats,
    Layer,
    MaxPool,
    Permute,
    Relu,
    View,
    Weighted,
)
from edgekit.compress.lessons import Lessons
from edgekit.compress.prune import Mask
from edgekit.compress.quantize import Plan
from edgekit.compress.recipe import Training
from edgekit.compress.weights import LARGEST, Word
from edgekit.errors import ConfigError
from edgekit.ir.types import DType
from edgekit.progress import Progress, Silent
from edgekit.train.quantizers import Uniform, round_through, sign

_WARM_UP = 0.05
_SILENT = Silent()


def tune(
    net: FloatNet,
    lessons: Lessons,
    settings: Training,
    *,
    plan: Plan | None = None,
    masks: Mapping[str, Mask] | None = None,
    teacher: FloatNet | None = None,
    seed: int = 0,
    progress: Progress = _SILENT,
) -> tuple[FloatNet, Plan | None]:
    """Return the network, and its plan with learned scales, of the best epoch.

    The epoch is that of the best validation accuracy; the state before training counts.

    Args:
        net: where training starts.
        lessons: what is learned, and what chooses the epoch.
        settings: how.
        plan: rounding to train with; None trains in floats.
        masks: matrices (C_out, n) by layer; weights that are False stay 0.
        teacher: a network whose answers are imitated with weight `settings.distill`.
        seed: of the order of samples.
        progress: told of each epoch.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = _Chain(net, plan, masks or {})
    taught = None if teacher is None or not settings.distill else _logits(teacher, lessons.x)
    optimizer = torch.optim.AdamW(
        model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = math.ceil(len(lessons.y) / settings.batch) * settings.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(_rate, steps))
    batches = _Batches(torch.from_numpy(lessons.x), torch.from_numpy(lessons.y), taught)
    best, kept = _accuracy(model, lessons), model.state()
    progress.stage("train on", settings.epochs)
    for epoch in range(settings.epochs):
        model.train()
        for x, y, imitated in batches.shuffled(settings.batch):
            optimizer.zero_grad()
            _finite(_loss(model(x), y, imitated, settings), epoch).backward()
            optimizer.step()
            schedule.step()
        found = _accuracy(model, lessons)
        if found >= best:
            best, kept = found, model.state()
        progress.advance(epoch + 1)
    model.restore(kept)
    return model.network(), model.learned()


def _finite(loss: Tensor, epoch: int) -> Tensor:
    if not math.isfinite(loss.item()):
        raise ConfigError(
            f"train: the loss became {loss.item()} in epoch {epoch + 1}",
            hint="lower its learning_rate, or raise its temperature",
        )
    return loss


@dataclass(frozen=True, slots=True, eq=False)
class _Batches:
    x: Tensor
    y: Tensor
    taught: Tensor | None

    def shuffled(self, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        for rows in torch.randperm(len(self.y)).split(size):
            yield self.x[rows], self.y[rows], None if self.taught is None else self.taught[rows]


def _loss(out: Tensor, y: Tensor, taught: Tensor | None, settings: Training) -> Tensor:
    loss = functional.cross_entropy(out, y)
    if taught is None:
        return loss
    heat = settings.temperature
    close = functional.kl_div(
        functional.log_softmax(out / heat, 1),
        functional.log_softmax(taught / heat, 1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - settings.distill) * loss + settings.distill * heat * heat * close


def _rate(steps: int, at: int) -> float:
    warm = max(1, round(_WARM_UP * steps))
    if at < warm:
        return (at + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (at - warm) / max(1, steps - warm)))


def _logits(net: FloatNet, x: Floats) -> Tensor:
    return torch.from_numpy(floatnet.forward(net, x).reshape(x.shape[0], -1))


@torch.no_grad()
def _accuracy(model: _Chain, lessons: Lessons) -> float:
    model.eval()
    right = 0
    for start in range(0, len(lessons.val_y), 512):
        rows = slice(start, start + 512)
        out = model(torch.from_numpy(lessons.val_x[rows]))
        right += int((out.argmax(1) == torch.from_numpy(lessons.val_y[rows])).sum())
    return right / len(lessons.val_y)


class _Chain(nn.Module):
    """The layers of a float network, channels last between them."""

    def __init__(self, net: FloatNet, plan: Plan | None, masks: Mapping[str, Mask]) -> None:
        super().__init__()
        self.net, self.plan = net, plan
        places = {} if plan is None else plan.grids
        self.grids: dict[int, Grid] = dict(places)
        self.at: dict[int, _Weights] = {}
        for index, layer in floatnet.weighted(net):
            word = None if plan is None else plan.words[layer.label]
            scale = None if plan is None else plan.scales.get(layer.label)
            self.at[index] = _Weights(layer, word, scale, masks.get(layer.label))
        self.parts = nn.ModuleList(self.at.values())

    def forward(self, x: Tensor) -> Tensor:
        value = self._round(INPUT, x)
        for index, layer in enumerate(self.net.layers):
            value = self._round(index, _apply(layer, self.at.get(index), value))
        return value.reshape(value.shape[0], -1)

    def _round(self, place: int, x: Tensor) -> Tensor:
        grid = self.grids.get(place)
        if grid is None:
            return x
        low, high = DType.INT8.low - grid.zero_point, DType.INT8.high - grid.zero_point
        return round_through(torch.clamp(x / grid.scale, low, high)) * grid.scale

    def state(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.state_dict().items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.load_state_dict(state)

    def network(self) -> FloatNet:
        new: dict[int, Layer] = {
            index: self.at[index].layer_of(layer) for index, layer in floatnet.weighted(self.net)
        }
        return floatnet.with_layers(self.net, new)

    def learned(self) -> Plan | None:
        if self.plan is None:
            return None
        scales = dict(self.plan.scales)
        for index, layer in floatnet.weighted(self.net):
            learned = self.at[index].scales()
            if learned is not None:
                scales[layer.label] = learned
        return replace(self.plan, scales=scales)


class _Weights(nn.Module):
    """Weights (C_out, n) and bias of one layer, rounded to a word or as they are."""

    def __init__(
        self, layer: Weighted, word: Word | None, scale: weights.Scales | None, mask: Mask | None
    ) -> None:
        super().__init__()
        rows = floatnet.rows(layer)
        self.rows = nn.Parameter(torch.from_numpy(np.array(rows)))
        self.bias = nn.Parameter(torch.from_numpy(np.array(layer.bias)))
        self.word = word
        self.mask = None if mask is None else torch.from_numpy(np.array(mask, np.float32))
        self.uniform: Uniform | None = None
        if word is not None and word != "binary":
            self.uniform = Uniform(-LARGEST[word], LARGEST[word], (rows.shape[0], 1))
            start = weights.scales(rows, word) if scale is None else scale
            exponent = np.log2(np.maximum(start, 1e-12))[:, np.newaxis].astype(np.float32)
            with torch.no_grad():
                self.uniform.exponent.copy_(torch.from_numpy(exponent))
                self.uniform.ready.fill_(True)

    def forward(self) -> Tensor:
        rows = self.rows if self.mask is None else self.rows * self.mask
        if self.uniform is not None:
            coded = self.uniform(rows)
            rows = coded.codes * coded.scale
        elif self.word == "binary":
            rows = sign(rows) * rows.abs().mean(1, keepdim=True)
        return rows

    def layer_of(self, layer: Weighted) -> Weighted:
        rows = self.rows.detach().numpy()
        if self.mask is not None:
            rows = np.where(self.mask.numpy() > 0, rows, 0)
        weight = np.asarray(floatnet.from_rows(layer, rows), np.float32)
        return replace(layer, weight=weight, bias=self.bias.detach().numpy().copy())

    def scales(self) -> weights.Scales | None:
        if self.uniform is None:
            return None
        return np.asarray(self.uniform.step().detach().numpy().ravel(), np.float64)


def _apply(layer: Layer, part: _Weights | None, x: Tensor) -> Tensor:
    match layer:
        case Dense():
            assert part is not None
            return functional.linear(x.reshape(x.shape[0], -1), part(), part.bias)
        case Conv2D() | DepthwiseConv2D():
            assert part is not None
            return _conv(layer, part, x)
        case Relu():
            return torch.clamp(x, 0, layer.high)
        case MaxPool():
            side = layer.padding
            around = (side.left, side.right, side.top, side.bottom)
            images = functional.pad(x.permute(0, 3, 1, 2), around, value=-math.inf)
            return functional.max_pool2d(images, layer.kernel, layer.stride).permute(0, 2, 3, 1)
        case AveragePool():
            images = x.permute(0, 3, 1, 2)
            return functional.avg_pool2d(images, layer.kernel, layer.stride).permute(0, 2, 3, 1)
        case View():
            return x.reshape(x.shape[0], *layer.shape)
        case Permute():
            return x.permute(0, *(axis + 1 for axis in layer.order))
        case _:
            assert_never(layer)


def _conv(layer: Conv2D | DepthwiseConv2D, part: _Weights, x: Tensor) -> Tensor:
    side = layer.padding
    around = (side.left, side.right, side.top, side.bottom)
    images = functional.pad(x.permute(0, 3, 1, 2), around)
    if isinstance(layer, Conv2D):
        kernel, groups = part().reshape(layer.weight.shape).permute(0, 3, 1, 2), 1
    else:
        height, width, outputs = layer.weight.shape
        kernel, groups = part().reshape(outputs, 1, height, width), x.shape[3]
    found = functional.conv2d(
        images, kernel, part.bias, layer.stride, dilation=layer.dilation, groups=groups
    )
    return found.permute(0, 2, 3, 1)
