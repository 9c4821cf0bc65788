"""FPGA designs in simulation: one network, its netlist, and whole boards behind a serial link."""
