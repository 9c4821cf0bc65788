"""edgekit: neural networks on microcontrollers and small FPGAs, with proof."""

from __future__ import annotations

__version__ = "0.1.0"
