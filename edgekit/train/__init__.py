"""Training of small integer networks; needs the extra `train` (PyTorch)."""
