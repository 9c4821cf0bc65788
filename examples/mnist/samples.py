"""Write test.npz: images of MNIST's test part for `edgekit deploy --data test.npz`.

python samples.py FOLDER, which holds the four files of MNIST.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from edgekit.train import data
from edgekit.train.config import IdxData

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Draw images without replacement and write them with their digits."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="with the four files of MNIST")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    samples = data.load(IdxData(kind="idx", path=args.folder))
    order = np.random.default_rng(args.seed).permutation(len(samples.test_y))[: args.count]
    np.savez_compressed(HERE / "test.npz", x=samples.test_x[order], y=samples.test_y[order])


if __name__ == "__main__":
    main()
