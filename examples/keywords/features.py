"""Write build/official.npz: what the board's front end makes of the 300 official test recordings.

The same integers as the FPGA's network takes them, int8, are in build/official_int8.npz.

python features.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekit.train import config, data

HERE = Path(__file__).resolve().parent


def main() -> None:
    wanted = config.load(HERE / "float.yaml").data
    found = data.load(wanted.model_copy(update={"copies": 0}))
    path = HERE / "build" / "official.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez(path, x=found.test_x.astype(np.float32), y=found.test_y)
    np.savez(path.with_stem("official_int8"), x=found.test_x.astype(np.int8), y=found.test_y)
    print(f"{path}: {len(found.test_y)} clips of {found.shape[0]} frames")


if __name__ == "__main__":
    main()
