"""verify: does every link of the chain, up to the board, compute the same integers?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.build.plan import Artifact
from edgekit.device.link import Link
from edgekit.device.session import trace_node
from edgekit.frontend.reference import run_reference
from edgekit.ir import edges, interp
from edgekit.passes.memory import tensor_bytes
from edgekit.pipeline import equality, native
from edgekit.pipeline.equality import Difference
from edgekit.pipeline.equality import Link as ChainLink
from edgekit.pipeline.prepare import Prepared, traced
from edgekit.pipeline.settings import Settings
from edgekit.pipeline.station import attach
from edgekit.progress import Progress
from edgekit.report.types import Equality, FirstDifference


def check(
    settings: Settings, prepared: Prepared, board: NDArray[np.int8], *, progress: Progress
) -> Equality:
    """Compare reference, graph, host-built C and the board's outputs (n, bytes).

    A difference is named at the output; `locate` finds its layer. Raises ToolError when the
    reference or the host's build fails.
    """
    links = _links(settings, prepared, board, progress)
    found, difference = equality.compare(prepared.graph, links)
    if difference is not None:
        found = replace(found, first_difference=equality.at_output(prepared.graph, difference))
    return found


def _links(
    settings: Settings, prepared: Prepared, board: NDArray[np.int8], progress: Progress
) -> list[ChainLink]:
    graph, samples = prepared.graph, prepared.samples
    count = len(samples)
    links = []
    if graph.source.reference != "none":
        progress.stage(f"reference: {graph.source.reference}, {count} samples")
        reference = run_reference(settings.model, graph, samples.source)
        links.append(ChainLink(graph.source.reference, reference.reshape(count, -1)))
    progress.stage(f"integer graph, {count} samples")
    outputs = interp.run(prepared.lowered, {graph.inputs[0].tensor: samples.integers})
    # A pass may have dropped the last node: the output is then another tensor.
    meant = outputs[prepared.lowered.outputs[0].tensor].reshape(count, -1)
    links.append(ChainLink("graph", meant))
    progress.stage(f"generated C on this machine, {count} samples")
    tensor = graph.tensors[graph.outputs[0].tensor]
    size_bytes = tensor_bytes(tensor)
    host = native.run(prepared.plan, samples.as_bytes(), size_bytes, settings.work)
    if host is not None:
        links.append(ChainLink("c", edges.from_bytes(tensor, host)))
    links.append(ChainLink("board", edges.from_bytes(tensor, board)))
    return links


def locate(
    settings: Settings, prepared: Prepared, found: Equality, *, progress: Progress
) -> Equality:
    """Return `found` with its first difference traced to a layer, where the board is wrong.

    Builds the firmware a second time with every layer readable and puts it on the board. When
    the wrong layer cannot be seen there, the difference at the output stays.
    """
    first = found.first_difference
    if first is None or first.between[1] not in ("c", "board"):
        return found
    progress.stage("bisect: which layer differs first")
    artifact = traced(settings, prepared, progress=progress)
    located = _bisect(settings, prepared, artifact, first, progress)
    return found if located is None else replace(found, first_difference=located)


def _bisect(
    settings: Settings,
    prepared: Prepared,
    artifact: Artifact,
    first: FirstDifference,
    progress: Progress,
) -> FirstDifference | None:
    samples, graph = prepared.samples, prepared.lowered
    sample = samples.integers[first.sample : first.sample + 1]
    row = samples.as_bytes()[first.sample]
    wrong = Difference(*first.between, first.sample, 0, first.expected, first.actual)
    with attach(settings, artifact, prepared.macs, progress=progress) as station:
        link = Link(station.port)
        link.connect()

        def read(node: int) -> NDArray[np.int64]:
            stored = np.frombuffer(trace_node(link, row, node), np.int8)
            return edges.from_bytes(graph.tensors[graph.nodes[node].y], stored)

        located = equality.bisect(graph, sample, read, wrong)
        link.bye()
    return located
