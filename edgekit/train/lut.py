"""Look-up-table layers: each node reads a few bits and answers one.

A table is trained relaxed: its entries are values between -1 and +1, and a node between such
values answers their multilinear interpolation, which at bits is the entry itself. Evaluation
takes the signs of the entries. Learned connections are an arg max over scores that receive the
gradient of a dense layer (arXiv 2410.11112); relaxed tables follow arXiv 2210.08277.

Tensors within this module are (nodes, B), so that one input of a node is one contiguous row.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from edgekit.train.quantizers import Coded, flatten

_STEEPNESS = 2.5  # entry = tanh(steepness * latent / 2): tables move as fast as scores at one rate
_SPREAD = 0.4  # of the first latents


class _Connect(torch.autograd.Function):
    """(x (N, B), chosen (W,), scores (W, N)) -> x[chosen], (W, B); scores may be None."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, chosen: Tensor, _scores: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, chosen)
        return x.index_select(0, chosen)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        x, chosen = ctx.saved_tensors
        to_x = to_scores = None
        if ctx.needs_input_grad[0]:
            to_x = torch.zeros_like(x).index_add_(0, chosen, gradient)
        if ctx.needs_input_grad[2]:
            to_scores = gradient @ x.t()
        return to_x, None, to_scores


class _LookUp(torch.autograd.Function):
    """(bits (M, k, B) of -1/+1, entries (M, 2**k)) -> (M, B): the entry that the bits choose.

    The gradient of a bit is half the difference of the two entries that it chooses between.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, bits: Tensor, entries: Tensor) -> Tensor:
        powers = 2 ** torch.arange(bits.shape[1])
        address = ((bits > 0) * powers.reshape(1, -1, 1)).sum(dim=1)
        ctx.save_for_backward(address, entries)
        return entries.gather(1, address)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, Tensor]:
        address, entries = ctx.saved_tensors
        to_bits = None
        if ctx.needs_input_grad[0]:
            places = torch.arange(entries.shape[1])
            powers = [1 << place for place in range(entries.shape[1].bit_length() - 1)]
            slopes = [(entries[:, places | p] - entries[:, places & ~p]) * 0.5 for p in powers]
            to_bits = torch.stack([slope.gather(1, address) * gradient for slope in slopes], dim=1)
        return to_bits, torch.zeros_like(entries).scatter_add_(1, address, gradient)


def _interpolated(values: Tensor, entries: Tensor) -> Tensor:
    """Return (M, B): entries (M, 2**k) between values (M, k, B) of -1 to +1."""
    shares = (values + 1) * 0.5
    left = entries.unsqueeze(2)
    for place in range(values.shape[1]):
        low, high = left[:, 0::2], left[:, 1::2]
        left = low + (high - low) * shares[:, place : place + 1]
    return left.squeeze(1)


class LookUpTables(nn.Module):
    """`nodes` tables of `inputs` bits each over those of a flat input that `candidates` lists.

    `bits`: in training, too, the input is -1 or +1, and not the values of relaxed tables.
    `settle`: the share of the epochs after which the connections are no longer learned.
    """

    def __init__(
        self,
        candidates: Tensor,
        nodes: int,
        inputs: int,
        *,
        learned: bool,
        bits: bool,
        settle: float = 1.0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.inputs, self.learned, self.bits = inputs, learned, bits
        self.settle, self.settled = settle, False
        self.register_buffer("candidates", candidates, persistent=False)
        self.tables = nn.Parameter(torch.empty(nodes, 2**inputs))
        self.tables.data.normal_(0, _SPREAD, generator=generator)
        width = len(candidates)
        if learned:
            self.scores = nn.Parameter(torch.empty(nodes * inputs, width))
            self.scores.data.normal_(0, 1, generator=generator)
        else:
            self.register_buffer("chosen", _scatter(width, nodes * inputs, generator))

    def connections(self) -> Tensor:
        """Return the input of each node's bits, (nodes, inputs) int64."""
        chosen = self.scores.argmax(dim=1) if self.learned else self.chosen
        return cast("Tensor", self.candidates[chosen].reshape(-1, self.inputs))

    def forward(self, x: Coded) -> Coded:
        """Return the nodes' answers, (B, nodes)."""
        rows = flatten(x.codes).t().contiguous()
        if self.training and self.learned and not self.settled:
            read = rows.index_select(0, self.candidates)
            chosen, scores = self.scores.detach().argmax(dim=1), self.scores
        else:
            read, chosen, scores = rows, self.connections().flatten(), None
        values = cast("Tensor", _Connect.apply(read, chosen, scores))
        values = values.reshape(len(self.tables), self.inputs, -1)
        if not self.training:
            entries = torch.where(self.tables >= 0, 1.0, -1.0)
            return Coded(cast("Tensor", _LookUp.apply(values, entries)).t(), None, 1.0)
        entries = torch.tanh(self.tables * (_STEEPNESS * 0.5))
        if self.bits:
            return Coded(cast("Tensor", _LookUp.apply(values, entries)).t(), None, 1.0)
        return Coded(_interpolated(values, entries).t(), None, 1.0)


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
