"""Look-up-table layers: each node reads a few bits and answers one.

Tables are trained by finite differences: the gradient of an input bit is half the difference of
the two latent entries that it chooses between (the plain form of arXiv 2410.11112, whose
connections are learned as here: an arg max over scores that receive the gradient of a dense
layer).
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from edgekit.train.quantizers import Coded, flatten


class _LookUp(torch.autograd.Function):
    """(bits (B, M, k) of -1/+1, tables (M, 2**k) latent) -> (B, M) of -1/+1."""

    @staticmethod
    def forward(ctx: FunctionCtx, bits: Tensor, tables: Tensor) -> Tensor:
        nodes, entries = tables.shape
        powers = 2 ** torch.arange(bits.shape[2])
        address = ((bits > 0) * powers).sum(dim=2) + torch.arange(nodes) * entries
        ctx.save_for_backward(address, tables)
        return torch.where(tables.reshape(-1)[address] >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor]:
        address, tables = ctx.saved_tensors
        flat = tables.reshape(-1)
        powers = 2 ** torch.arange(int(math.log2(tables.shape[1])))
        with_bit = address.unsqueeze(2) | powers
        difference = (flat[with_bit] - flat[with_bit ^ powers]) * 0.5
        to_bits = difference * gradient.unsqueeze(2)
        to_tables = torch.zeros_like(flat).index_add_(0, address.reshape(-1), gradient.reshape(-1))
        return to_bits, to_tables.reshape_as(tables)


class _Connect(torch.autograd.Function):
    """(x (B, N), scores (W, N)) -> x at each row's highest score, (B, W)."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, scores: Tensor) -> Tensor:
        chosen = scores.argmax(dim=1)
        ctx.save_for_backward(x, chosen)
        return x.index_select(1, chosen)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, chosen = ctx.saved_tensors
        to_x = to_scores = None
        if ctx.needs_input_grad[0]:
            to_x = torch.zeros_like(x).index_add_(1, chosen, gradient)
        if ctx.needs_input_grad[1]:
            to_scores = gradient.t() @ x
        return to_x, to_scores


class LookUpTables(nn.Module):
    """`nodes` tables of `inputs` bits each over a flat binary input of `width`."""

    def __init__(
        self, width: int, nodes: int, inputs: int, *, learned: bool, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.width, self.inputs, self.learned = width, inputs, learned
        self.tables = nn.Parameter(torch.empty(nodes, 2**inputs))
        self.tables.data.uniform_(-1, 1, generator=generator)
        if learned:
            self.scores = nn.Parameter(torch.empty(nodes * inputs, width))
            self.scores.data.normal_(0, 1, generator=generator)
        else:
            self.register_buffer("chosen", _scatter(width, nodes * inputs, generator))

    def connections(self) -> Tensor:
        """Return the input of each node's bits, (nodes, inputs) int64."""
        chosen = self.scores.argmax(dim=1) if self.learned else self.chosen
        return cast("Tensor", chosen.reshape(-1, self.inputs))

    def forward(self, x: Coded) -> Coded:
        """Return the nodes' answers, (B, nodes)."""
        flat = flatten(x.codes)
        if self.learned:
            bits = cast("Tensor", _Connect.apply(flat, self.scores))
        else:
            bits = flat.index_select(1, self.chosen)
        bits = bits.reshape(len(flat), -1, self.inputs)
        return Coded(cast("Tensor", _LookUp.apply(bits, self.tables)), None, 1.0)


class GroupCount(nn.Module):
    """Counts the +1 in each of `groups` runs; the scores are the counts / temperature."""

    def __init__(self, groups: int, temperature: float) -> None:
        super().__init__()
        self.groups, self.temperature = groups, temperature

    def forward(self, x: Coded) -> Coded:
        """Return counts (B, groups) with their scale."""
        runs = x.codes.reshape(len(x.codes), self.groups, -1)
        counts = (runs.sum(dim=2) + runs.shape[2]) * 0.5
        return Coded(counts, torch.tensor(1 / self.temperature), float(runs.shape[2]))


def _scatter(width: int, count: int, generator: torch.Generator) -> Tensor:
    """Return `count` inputs, each used as often as the others but for one."""
    rounds = [torch.randperm(width, generator=generator) for _ in range(-(-count // width))]
    return torch.cat(rounds)[:count]
