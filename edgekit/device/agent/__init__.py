"""The program on the Arm side of a board: the device link in front of the AXI shell.

It runs on the board as one zip file with a bare Python 3.10: nothing here may import more than the
standard library, edgekit.device.layout, .wire, .frames and edgekit.errors.
"""
