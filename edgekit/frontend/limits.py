"""Bounds on what a model file may ask for, shared by the front ends.

A microcontroller model is far below every one of them; a damaged or hostile file is stopped here
before it costs memory or time.
"""

from __future__ import annotations

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_TENSORS = 4096
MAX_NODES = 4096
MAX_RANK = 6
MAX_NODE_OPERANDS = 64
MAX_NAME_BYTES = 16 * 1024
MAX_TENSOR_ELEMENTS = 4 * 1024 * 1024  # one activation or constant
MAX_CONSTANT_ELEMENTS = 16 * 1024 * 1024  # all constants together; 8 bytes each while loading
MAX_EXTENT = 2**20  # one axis of a tensor, one kernel side, stride or dilation
