"""The training loop: seeded, resumable after any epoch, one thread.

Everything random in an epoch comes from a generator made of (seed, epoch), so a run that resumes
from a checkpoint makes the same weights, bit for bit, as one that was never stopped.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from edgekit.errors import ConfigError
from edgekit.progress import Progress
from edgekit.train import augment, checkpoint, distill, prune, schedule, voices
from edgekit.train.config import TrainConfig
from edgekit.train.data.dataset import Array, Dataset
from edgekit.train.network import Network

logger = logging.getLogger(__name__)

_EVALUATED_AT_ONCE = 1000
_SHOWN_EVALUATIONS = 20
_STEPS_PER_UPDATE = 10


@contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """Run with deterministic algorithms and `threads` threads, and put both back."""
    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.set_num_threads(before[1])


def fit(
    config: TrainConfig,
    network: Network,
    dataset: Dataset,
    teacher: Network | None,
    path: Path | None,
    progress: Progress,
) -> None:
    """Train `network` in place, from the checkpoint at `path` where there is one.

    Without a `path` nothing is kept. Raises ConfigError for a checkpoint of another training
    file, a loss or weights that are not finite, and a disk that is full.
    """
    plan = prune.plan(config)
    run = _Run(config, network, dataset, teacher)
    first = 0
    if path is not None and path.exists():
        state = checkpoint.read(path)
        _check_same(config, state.config, path)
        if state.epoch > len(plan):
            raise ConfigError(
                f"{path} says epoch {state.epoch} of {len(plan)}: it is damaged",
                hint="delete it to begin again, or restore a copy",
            )
        run.resume(state)
        first = state.epoch
        logger.info("resumed after epoch %d of %d", first, len(plan))
    progress.stage("training", run.steps * len(plan))
    saved = started = time.monotonic()
    for position in range(first, len(plan)):
        epoch = plan[position]
        run.begin(epoch)
        mean_loss = run.epoch(position, epoch.number, progress)
        _check_finite(network, position)
        now = time.monotonic()
        left = (now - started) / (position + 1 - first) * (len(plan) - position - 1)
        _report(network, dataset, position, len(plan), mean_loss, left)
        if path is None:
            continue
        if epoch.ends and config.prune is not None:
            dense = checkpoint.capture(config, position + 1, network)
            checkpoint.write(round_path(path.parent, epoch.round), dense)
        last = position + 1 == len(plan)
        if last or now - saved >= config.train.checkpoint_seconds:
            checkpoint.write(path, run.state(position + 1))
            saved = time.monotonic()
    network.eval()


def round_path(work: Path, part: int) -> Path:
    """Return where the model at the end of a round of pruning is kept."""
    return work / f"round{part}.safetensors"


class _Run:
    """What the steps of one training share."""

    def __init__(
        self,
        config: TrainConfig,
        network: Network,
        dataset: Dataset,
        teacher: Network | None,
    ) -> None:
        self.config, self.network, self.teacher = config, network, teacher
        self.optimizer = _optimizer(config, network)
        self.rewound: dict[str, Tensor] = {}
        self.x = torch.from_numpy(np.ascontiguousarray(dataset.train_x))
        self.y = torch.from_numpy(dataset.train_y)
        self.batch = min(config.train.batch, len(self.y))
        self.steps = len(self.y) // self.batch
        if self.batch == 1:
            raise ConfigError(
                "batches of 1 sample have no statistics for batch normalization",
                hint="set train.batch to 2 or more, with as many training samples",
            )
        if config.augment is not None:
            augment.check(dataset.shape)
        if config.voices is not None:
            voices.check(dataset.shape, self.x.dtype)

    def resume(self, state: checkpoint.Checkpoint) -> None:
        """Take over the state of a checkpoint."""
        checkpoint.restore(state, self.network, self.optimizer)
        self.rewound = dict(state.rewound)

    def state(self, epochs: int) -> checkpoint.Checkpoint:
        """Return the state after `epochs` epochs."""
        return checkpoint.capture(self.config, epochs, self.network, self.optimizer, self.rewound)

    def begin(self, epoch: prune.Epoch) -> None:
        """Prune and rewind where `epoch` says so."""
        if epoch.round > 0 and epoch.begins:
            prune.begin_round(self.config, self.network, epoch.round, self.rewound)
            self.optimizer = _optimizer(self.config, self.network)
        wanted = self.config.prune
        if wanted is not None and epoch.round == 0 and epoch.number == wanted.rewind_epoch:
            self.rewound = {n: t.clone() for n, t in self.network.state_dict().items()}
        prune.on_ramp(self.config, self.network, epoch.number)
        self.network.begin_epoch(epoch.number / self.config.train.epochs)

    def epoch(self, position: int, number: int, progress: Progress) -> float:
        """Run the epoch at `position` of all, `number` of its round; return its mean loss."""
        self.network.train()
        generator = _generator(self.config.seed, position)
        order = torch.randperm(len(self.y), generator=generator)
        total = 0.0
        steps = self.steps * self.config.train.epochs
        for index in range(self.steps):
            step = number * self.steps + index
            rate = schedule.learning_rate(self.config.train, step, steps)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            chosen = order[index * self.batch : (index + 1) * self.batch]
            total += self._step(chosen, generator, position)
            if index % _STEPS_PER_UPDATE == 0:
                progress.advance(position * self.steps + index)
        return total / self.steps

    def _step(self, chosen: Tensor, generator: torch.Generator, epoch: int) -> float:
        x, y = self.x[chosen], self.y[chosen]
        if self.config.augment is not None:
            x = augment.augment(x, self.config.augment, generator)
        if self.config.voices is not None:
            x = voices.change(x, self.config.voices, generator)
        scores = self.network(x)
        loss = F.cross_entropy(scores, y, label_smoothing=self.config.train.label_smoothing)
        if self.teacher is not None and self.config.distill is not None:
            taught = distill.scores(self.teacher, x)
            loss = distill.loss(scores, taught, loss, self.config.distill)
        value = float(loss.item())
        if not math.isfinite(value):
            raise ConfigError(
                f"the loss became {value} in epoch {epoch + 1}",
                hint="lower train.learning_rate; the checkpoint of an earlier epoch is kept",
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.network.constrain()
        return value


@torch.no_grad()
def accuracy(network: Network, x: Array, y: Array) -> float | None:
    """Return the share of samples whose highest score (lowest index of equals) is the label.

    None where there are no samples.
    """
    if len(y) == 0:
        return None
    network.eval()
    right = 0
    for begin in range(0, len(y), _EVALUATED_AT_ONCE):
        part = torch.from_numpy(np.ascontiguousarray(x[begin : begin + _EVALUATED_AT_ONCE]))
        found = network(part).numpy().argmax(axis=1)
        right += int((found == y[begin : begin + _EVALUATED_AT_ONCE]).sum())
    return right / len(y)


def _optimizer(config: TrainConfig, network: Network) -> torch.optim.Optimizer:
    """AdamW; weight decay pulls on latents and tables, not on scales, biases and scores."""
    decayed: list[Tensor] = []
    free: list[Tensor] = []
    for name, parameter in network.named_parameters():
        is_weight = name.endswith((".latent", ".tables"))
        (decayed if is_weight else free).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.train.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=config.train.learning_rate,
        betas=config.train.betas,
        eps=config.train.epsilon,
        fused=True,
    )


def _generator(seed: int, epoch: int) -> torch.Generator:
    state = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)


def _check_same(wanted: TrainConfig, found: TrainConfig, path: Path) -> None:
    if wanted.digest() != found.digest():
        raise ConfigError(
            f"{path} is from another training file or seed",
            hint="choose another --work, or --restart to begin again",
        )


def _check_finite(network: Network, epoch: int) -> None:
    """A binary weight hides a latent that is NaN from the loss."""
    for name, parameter in network.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise ConfigError(
                f"{name} is no longer finite in epoch {epoch + 1}",
                hint="lower train.learning_rate; the checkpoint of an earlier epoch is kept",
            )


def _report(
    network: Network, dataset: Dataset, position: int, count: int, loss: float, left: float
) -> None:
    every = -(-count // _SHOWN_EVALUATIONS)
    if not logger.isEnabledFor(logging.INFO) or (position + 1) % every != 0:
        return
    share = accuracy(network, dataset.val_x, dataset.val_y)
    shown = "none" if share is None else f"{100 * share:.2f} %"
    logger.info(
        "epoch %d of %d: loss %.4f, validation %s, %.0f s left",
        *(position + 1, count, loss, shown, left),
    )
