"""What a netlist does per clock: counted in simulation, turned into power by `fpga_power`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Activity:
    """Switching of a post-synthesis netlist over a stretch of clock cycles.

    Per-cycle figures are means over all `cycles` of the stretch, over distinct inputs: a
    repeated input toggles nothing. A toggle is one change of one bit of one net of the
    netlist, flip-flop outputs and carries included; clock nets, power nets and the pins of the
    part (`io_toggles_per_cycle`) are not among them, and a net that has several names or runs
    through several levels of hierarchy counts once.

    `pin_toggles_per_cycle` weighs each toggle with the pins of logic cells that the net reaches
    through routing, which is what a toggle costs (docs/fpga/power.md): carries, and a LUT that
    drives nothing but the D input of one flip-flop, stay inside their cell and weigh 0; a carry
    shares the input pins of the LUT beside it and weighs nothing where that has them too.
    """

    cycles: int
    inferences: int
    toggles_per_cycle: float
    with_delays: bool  # False: every net settles at once, so that glitches are not counted
    ff_clocked: float  # mean number of flip-flops that a running clock reaches
    lut: int
    pin_toggles_per_cycle: float | None = None  # None: not counted
    bram_reads_per_cycle: float = 0.0  # one block read once; two blocks read at once are 2
    bram_writes_per_cycle: float = 0.0
    spram_accesses_per_cycle: float = 0.0  # reads and writes of 16-bit words
    dsp_operations_per_cycle: float = 0.0
    io_toggles_per_cycle: float = 0.0  # changes of output pins

    def __post_init__(self) -> None:
        """Raise ValueError for what no simulation can count: no cycles, a negative figure."""
        counts = (
            self.inferences,
            self.toggles_per_cycle,
            self.pin_toggles_per_cycle or 0.0,
            self.ff_clocked,
            self.lut,
            self.bram_reads_per_cycle,
            self.bram_writes_per_cycle,
            self.spram_accesses_per_cycle,
            self.dsp_operations_per_cycle,
            self.io_toggles_per_cycle,
        )
        if self.cycles < 1 or min(counts) < 0:
            raise ValueError(f"no activity can have {self.cycles} cycles or {min(counts)} events")

    @property
    def cycles_per_inference(self) -> float:
        """Cycles of the stretch over its inferences; infinite where there was none."""
        return self.cycles / self.inferences if self.inferences else float("inf")
