"""verify: does every link of the chain, up to the board, compute the same integers?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend.reference import run_reference
from edgekit.ir import edges, interp
from edgekit.pipeline import equality
from edgekit.pipeline.equality import Link as ChainLink
from edgekit.pipeline.prepare import Prepared
from edgekit.pipeline.settings import Settings
from edgekit.pipeline.targets import TARGETS
from edgekit.progress import Progress
from edgekit.report.types import Equality


def check(
    settings: Settings, prepared: Prepared, board: NDArray[np.int8] | None, *, progress: Progress
) -> Equality:
    """Compare reference, graph, what the target runs on this machine and the board's outputs.

    `board` is (n, bytes), None where it has not answered yet. A difference is named at the output;
    the target's `locate` finds its layer. Raises ToolError when the reference or a build for this
    machine fails.
    """
    links = _links(settings, prepared, board, progress)
    found, difference = equality.compare(prepared.graph, links)
    if difference is not None:
        found = replace(found, first_difference=equality.at_output(prepared.graph, difference))
    return found


def _links(
    settings: Settings, prepared: Prepared, board: NDArray[np.int8] | None, progress: Progress
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
    links += TARGETS[settings.board.target].links(settings, prepared, progress)
    tensor = graph.tensors[graph.outputs[0].tensor]
    if board is not None:
        links.append(ChainLink("board", edges.from_bytes(tensor, board)))
    return links
