"""Prune the parent in dense.yaml weight by weight, in rounds with rewinding; write the graph.

    pip install 'edgekit[train]'
    python prune.py --seed 0

The network is trained for one epoch, from there to the parent, and in each round again from there
under the round's mask. A mask keeps the weights whose latents are largest in the round before,
compared over all layers. Iterative magnitude pruning with rewinding: arXiv 1912.05671.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import torch

from edgekit.ir import serialize
from edgekit.progress import Silent
from edgekit.train import config, data, export, loop, network
from edgekit.train.config import TrainConfig
from edgekit.train.data.dataset import Dataset
from edgekit.train.network import Network

HERE = Path(__file__).resolve().parent
EPOCHS_A_ROUND = 10


def fit(wanted: TrainConfig, net: Network, samples: Dataset, epochs: int, seed: int) -> None:
    """Train for `epochs` with a schedule of their own."""
    settings = wanted.train.model_copy(update={"epochs": epochs})
    rounds = wanted.model_copy(update={"train": settings, "seed": seed})
    loop.fit(rounds, net, samples, None, None, Silent())


def masks(net: Network, sparsity: float) -> list[torch.Tensor]:
    """Return masks without the share `sparsity` of smallest latents of the whole network."""
    layers = [layer for _, layer in net.weighted()]
    sizes = [torch.where(layer.mask > 0, layer.latent.abs(), -1.0) for layer in layers]
    every = torch.cat([size.flatten() for size in sizes])
    limit = every.kthvalue(round(sparsity * every.numel())).values
    return [(size > limit).float() for size in sizes]


def narrow(wanted: TrainConfig, units: int) -> TrainConfig:
    """Return the training file with `units` units in all layers but the last."""
    *hidden, last = wanted.network
    layers = (*(layer.model_copy(update={"units": units}) for layer in hidden), last)
    return wanted.model_copy(update={"network": layers})


def report(name: str, net: Network, samples: Dataset) -> None:
    """Print sparsity and accuracy on the test part."""
    kept = [layer.weights().codes.count_nonzero().item() for _, layer in net.weighted()]
    total = sum(layer.latent.numel() for _, layer in net.weighted())
    share = loop.accuracy(net, samples.test_x, samples.test_y)
    if share is None:
        raise SystemExit("the data have no test part")
    print(f"{name}: {sum(kept)} of {total} weights, {100 * share:.2f} % of the test images")


def main() -> None:
    """Train, prune in rounds, and write the graph of the last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", type=Path, default=HERE / "dense.yaml")
    parser.add_argument("--sparsity", type=float, nargs="*", default=[0.5, 0.8])
    parser.add_argument("--units", type=int, help="of hidden layers, instead of the file's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("pruned.safetensors"))
    args = parser.parse_args()
    wanted = config.load(args.config).model_copy(update={"seed": args.seed})
    if args.units is not None:
        wanted = narrow(wanted, args.units)
    samples = data.load(wanted.data)
    net = network.build(wanted, samples)
    seeds = iter(range(args.seed * 100, args.seed * 100 + 100))
    with loop.reproducible(wanted.train.threads):
        fit(wanted, net, samples, 1, next(seeds))
        early = copy.deepcopy(net.state_dict())
        fit(wanted, net, samples, wanted.train.epochs, next(seeds))
        report("parent", net, samples)
        for sparsity in args.sparsity:
            found = masks(net, sparsity)
            net.load_state_dict(early)
            for (_, layer), mask in zip(net.weighted(), found, strict=True):
                layer.set_mask(mask)
            fit(wanted, net, samples, EPOCHS_A_ROUND, next(seeds))
            report(f"{100 * sparsity:g} % pruned", net, samples)
    net.eval()
    graph = export.to_graph(net, "mnist_pruned", samples.shape, samples.train_x.dtype)
    serialize.save(graph, args.out)


if __name__ == "__main__":
    main()
