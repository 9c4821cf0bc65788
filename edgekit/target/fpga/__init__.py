"""RTL for FPGAs: hard-wired and folded networks, and the shell that links them to a host."""

from edgekit.target.fpga.core import Core, Resources

__all__ = ["Core", "Resources"]
