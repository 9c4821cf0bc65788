"""HLS C++: the graph as calls of the layers in fpga/hls, and the same code run on this machine."""

from edgekit.target.fpga.hls.project import generate
from edgekit.target.fpga.hls.simulate import csim

__all__ = ["csim", "generate"]
