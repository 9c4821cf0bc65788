"""Which bytes of the arena live when: tensors that share bytes are one buffer, cut into pieces."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from edgekit.errors import UnsupportedError
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import (
    Add,
    Clamp,
    Lut8,
    Mul,
    Node,
    Requantize,
    Reshape,
    Rows,
    Stack,
    inputs_of,
)
from edgekit.ir.types import DType, Tensor

ALIGNMENT_BYTES = 4
_WORD_BITS = 32  # bits are stored in words of this many

View = Reshape | Rows | Stack  # nodes whose output is another name for bytes


@dataclass(frozen=True, slots=True)
class Overlap:
    """How a node's output may share bytes with `input`, if that is not needed afterwards.

    With `same_place` both start at the same offset. Otherwise the output starts at least
    `behind_bytes` below the input: writing the output's first n bytes spoils no input byte from
    n - behind_bytes on, and the node has read all before.
    """

    input: str
    behind_bytes: int
    same_place: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes `start` to `end` of a buffer, live during nodes `first` to `last`."""

    start: int
    end: int
    first: int
    last: int


@dataclass(slots=True, eq=False)
class Buffer:
    """Tensors that share their bytes, or the scratch of one node; rigid in the arena."""

    size_bytes: int
    scratch: bool = False
    starts: dict[str, int] = field(default_factory=dict)  # of each tensor
    pieces: list[Piece] = field(default_factory=list)

    @property
    def first(self) -> int:
        """Return the first node during which a byte lives."""
        return min(piece.first for piece in self.pieces)

    @property
    def last(self) -> int:
        """Return the last node during which a byte lives."""
        return max(piece.last for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes `start` to `end` of a buffer."""

    buffer: Buffer
    start: int
    end: int

    def holds(self, piece: Piece) -> bool:
        """Tell whether a piece of the same buffer lies here."""
        return self.start <= piece.start and piece.end <= aligned(self.end)

    def meets(self, other: Place) -> bool:
        """Tell whether both have a byte in common."""
        return self.buffer is other.buffer and self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Sharing:
    """Node `node` may write `output` over the bytes of `input` that die there, as `overlap` says.

    Both begin where the node's tensors begin.
    """

    node: int
    output: Place
    input: Place
    overlap: Overlap


@dataclass(frozen=True, slots=True)
class Demand:
    """All buffers of a graph and what may overlap; `places` is by tensor."""

    buffers: list[Buffer]
    places: Mapping[str, Place]
    sharings: list[Sharing]


def tensor_bytes(tensor: Tensor) -> int:
    """Return the bytes that an activation occupies as stored, unaligned (SPEC section 7).

    Bits lie in words of 32, the last axis padded to whole words; other types below 8 bits take a
    byte a value.
    """
    if tensor.dtype is DType.BINARY:
        return tensor.size // tensor.shape[-1] * _words(tensor) * 4
    return tensor.size * max(tensor.dtype.bits, 8) // 8


def renames(graph: Graph, node: Node) -> bool:
    """Return whether `node` computes nothing: its output is other bytes' second name.

    A reshape of bits moves them unless rows of whole words stay whole.
    """
    if not isinstance(node, Reshape):
        return isinstance(node, Rows | Stack)
    source, target = graph.tensors[node.x], graph.tensors[node.y]
    if source.dtype is not DType.BINARY or source.shape[-1] == target.shape[-1]:
        return True
    return source.shape[-1] % _WORD_BITS == target.shape[-1] % _WORD_BITS == 0


def _words(tensor: Tensor) -> int:
    return -(-tensor.shape[-1] // _WORD_BITS)


def aligned(size_bytes: int) -> int:
    """Return `size_bytes` rounded up to the arena's alignment."""
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def demand(
    graph: Graph, scratch_bytes: Mapping[str, int], overlaps: Mapping[str, Overlap]
) -> Demand:
    """Return what the graph needs of an arena; arguments as for `memory.plan`."""
    places = _places(graph)
    buffers = list(dict.fromkeys(place.buffer for place in places.values()))
    _cut(graph, places)
    for k, node in enumerate(graph.nodes):
        if scratch_bytes.get(node.y, 0) > 0:
            size = aligned(scratch_bytes[node.y])
            buffers.append(Buffer(size, True, {node.y: 0}, [Piece(0, size, k, k)]))
    return Demand(buffers, places, list(_sharings(graph, places, overlaps)))


def _places(graph: Graph) -> dict[str, Place]:
    """Return where each tensor lies in its buffer."""
    places: dict[str, Place] = {}

    def place(name: str, buffer: Buffer, start: int) -> None:
        places[name] = Place(buffer, start, start + tensor_bytes(graph.tensors[name]))
        buffer.starts[name] = start
        if start % ALIGNMENT_BYTES:
            raise UnsupportedError(
                f"{name} begins {start} bytes into a tensor; a multiple of {ALIGNMENT_BYTES} "
                "is wanted",
                hint="cut the tensor at other rows",
            )

    def own(name: str) -> None:
        place(name, Buffer(aligned(tensor_bytes(graph.tensors[name]))), 0)

    stacks = {name: node for node in graph.nodes if isinstance(node, Stack) for name in node.parts}
    for edge in graph.inputs:
        own(edge.tensor)
    for node in graph.nodes:
        if isinstance(node, Reshape | Rows) and renames(graph, node):
            skipped = node.first * _row_bytes(graph, node.x) if isinstance(node, Rows) else 0
            place(node.y, places[node.x].buffer, places[node.x].start + skipped)
        elif node.y in stacks:
            stack = stacks[node.y]
            if stack.y not in places:
                own(stack.y)
            place(node.y, places[stack.y].buffer, _start_in(graph, stack, node.y))
        elif node.y not in places:
            own(node.y)
    return places


def _row_bytes(graph: Graph, name: str) -> int:
    tensor = graph.tensors[name]
    return tensor_bytes(tensor) // tensor.shape[0]


def _start_in(graph: Graph, stack: Stack, part: str) -> int:
    above = itertools.takewhile(lambda name: name != part, stack.parts)
    return sum(tensor_bytes(graph.tensors[name]) for name in above)


def _cut(graph: Graph, places: Mapping[str, Place]) -> None:
    """Give every buffer its pieces, in order: bytes that are written and last read together."""
    touched: list[tuple[str, int]] = [(edge.tensor, -1) for edge in graph.inputs]
    for k, node in enumerate(graph.nodes):
        read = () if isinstance(node, Rows) else inputs_of(node)  # rows need no more than rows
        touched += [(name, k) for name in (*read, node.y)]
    touched += [(edge.tensor, len(graph.nodes)) for edge in graph.outputs]
    uses: dict[Buffer, list[tuple[Place, int]]] = {}
    for name, k in touched:
        uses.setdefault(places[name].buffer, []).append((places[name], k))
    for buffer, those in uses.items():
        cuts = sorted({cut for place, _ in those for cut in (place.start, place.end)})
        for start, end in itertools.pairwise(cuts):
            nodes = [k for place, k in those if place.start <= start < place.end]
            piece = Piece(start, end, min(nodes), max(nodes))
            before = buffer.pieces[-1] if buffer.pieces else None
            if before is not None and (before.first, before.last) == (piece.first, piece.last):
                piece = replace(before, end=end)
                buffer.pieces.pop()
            buffer.pieces.append(piece)
        # What alignment adds lives as long as the last bytes.
        buffer.pieces[-1] = replace(buffer.pieces[-1], end=buffer.size_bytes)


def _sharings(
    graph: Graph, places: Mapping[str, Place], overlaps: Mapping[str, Overlap]
) -> Iterator[Sharing]:
    for k, node in enumerate(graph.nodes):
        if isinstance(node, View):
            continue
        found = tuple(_overlaps_of(graph, node, overlaps))
        others = set(inputs_of(node)) - {overlap.input for overlap in found}
        for overlap in found:
            source = places[overlap.input]
            # What another input needs of the same bytes, the overlap does not say.
            if not any(source.meets(places[name]) for name in others):
                yield Sharing(k, places[node.y], source, overlap)


def _overlaps_of(graph: Graph, node: Node, overlaps: Mapping[str, Overlap]) -> Iterable[Overlap]:
    if node.y in overlaps:
        return (overlaps[node.y],)
    if isinstance(node, Add | Mul | Clamp | Requantize | Lut8):
        # Element i is read before element i is written, in rising order; a factor that is
        # repeated is read again.
        size = graph.tensors[node.y].size
        names = (name for name in inputs_of(node) if graph.tensors[name].size == size)
        return (Overlap(name, 0) for name in dict.fromkeys(names))
    return ()
