"""A graph of few bits as hard-wired logic: weights are wiring, one inference a clock.

Zero weights cost nothing. Every bit of every layer is a function of at most four others or a bit
of a carry chain; `circuit` holds them, `plan` and `share` keep them few.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from edgekit.errors import ConfigError, UnsupportedError
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import inputs_of
from edgekit.target.fpga import estimate
from edgekit.target.fpga.core import Core, Resources
from edgekit.target.fpga.hardwired.bound import least_luts
from edgekit.target.fpga.hardwired.circuit import TRUE, Adder, Builder, Circuit
from edgekit.target.fpga.hardwired.lower import lower, refuse_unserved
from edgekit.target.fpga.hardwired.plan import Costs
from edgekit.target.fpga.hardwired.polarity import with_few_inverters
from edgekit.target.fpga.hardwired.schedule import Schedule, by_layer, in_stages
from edgekit.target.fpga.hardwired.verilog import verilog
from edgekit.target.fpga.hardwired.wire import (
    stored_bits,
    wire_from_words,
    words_from_wire,
)

# Every chain begins at the foot of a logic tile, of which UP5K has 660; beyond this share placement
# becomes hard, and full adders of look-up tables take the place of short chains.
_MAX_CHAINS = 580

__all__ = ["circuit_of", "generate", "least_luts", "refuse_unserved"]


def generate(graph: Graph, *, stages: int | None = None) -> Core:
    """Return the RTL of `graph` with one inference a clock.

    Args:
        graph: one input, one output, low-bit nodes only; `check.verify` accepts it.
        stages: register stages from input to output, of nearly equal delay; None: one a layer.

    Raises:
        UnsupportedError: a node that has no hard-wired form, or several inputs or outputs.
        ConfigError: `stages` is not positive.
    """
    if stages is not None and stages < 1:
        raise ConfigError(f"{stages} register stages; at least 1 is needed")
    circuit = circuit_of(graph)
    schedule = by_layer(circuit) if stages is None else in_stages(circuit, stages)
    used = {signal - 1 for signal in schedule.last_use if signal <= circuit.inputs}
    kept = tuple(sorted({bit // 8 for bit in used})) or (0,)
    text = verilog(graph.name, circuit, schedule, kept)
    return Core(
        style="hardwired",
        files={PurePosixPath("rtl/ek_core.v"): text.encode()},
        blocks=(),
        in_width=8 * len(kept),
        in_beats=1,
        out_width=len(circuit.outputs),
        out_beats=1,
        kept_bytes=kept,
        latency_cycles=schedule.stages,
        interval_cycles=1,
        weights=b"",
        estimate=_estimate(circuit, schedule),
    )


def circuit_of(graph: Graph) -> Circuit:
    """Return the circuit from the bits of the input's wire bytes to those of the output's.

    Raises:
        UnsupportedError: a node that has no hard-wired form, or several inputs or outputs.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UnsupportedError(
            f"graph {graph.name} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; "
            "hard-wired logic takes one of each",
            hint="split the graph, or concatenate its inputs",
        )
    circuit = _circuit(graph, Costs())
    if sum(isinstance(cell, Adder) for cell in circuit.cells) > _MAX_CHAINS:
        circuit = _circuit(graph, Costs(chain=2.0))
    return circuit


def _circuit(graph: Graph, costs: Costs) -> Circuit:
    source = graph.tensors[graph.inputs[0].tensor]
    builder = Builder(stored_bits(source))
    values = {source.name: words_from_wire(builder, source)}
    for layer, node in enumerate(graph.nodes):
        builder.layer = layer
        (name, *_) = inputs_of(node)
        values[node.y] = lower(builder, graph, node, values[name], costs)
    result = graph.tensors[graph.outputs[0].tensor]
    outputs = wire_from_words(builder, result, values[result.name], costs)
    return with_few_inverters(builder.finish(outputs))


def _estimate(circuit: Circuit, schedule: Schedule) -> Resources:
    adders = [cell for cell in circuit.cells if isinstance(cell, Adder)]
    operands = {bit for cell in adders for bit in (*cell.a, *cell.b)}
    sums = [cell.signal + i for cell in adders for i in range(len(cell.a))]
    logic = estimate.Logic(
        tables=len(circuit.cells) - len(adders),
        sums=sum(signal in schedule.last_use for signal in sums),
        inverted=sum(bit > TRUE and bit & 1 for bit in operands),
        chain_bits=len(sums),
        flip_flops=schedule.registers + schedule.stages,
    )
    return estimate.hard_wired(logic)
