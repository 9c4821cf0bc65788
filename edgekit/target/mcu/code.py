"""What an emit function returns for one node, and the names that its C uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from edgekit.ir.graph import Graph
from edgekit.passes.memory import Overlap, tensor_bytes
from edgekit.target.mcu import ctext
from edgekit.target.mcu.features import Feature

# weights, the same packed in words, bias, multipliers, shifts, look-up table, look-up table of
# bytes, indices, starts of 16 bits
Kind = Literal["w", "p", "b", "m", "s", "t", "l", "i", "h"]

_C_TYPES: dict[Kind, str] = {
    "w": "int8_t",
    "p": "int32_t",
    "b": "int32_t",
    "m": "int32_t",
    "s": "int8_t",
    "t": "int32_t",
    "l": "int8_t",
    "i": "int16_t",
    "h": "int16_t",
}
UNROLLED_CHANNELS = 32  # of one function: EK_CODE_CHANNELS
UNROLLED_TERM_BYTES = 8  # of code, at most: a load and an addition
_SIZES = {"int8_t": 1, "int16_t": 2, "int32_t": 4}


@dataclass(frozen=True, slots=True)
class Array:
    """One constant array of `model_data.c`; `model_w_*` goes into the weights section."""

    kind: Kind
    node: int
    values: tuple[int, ...]
    comment: str
    prefix: str = "model"  # of its C name

    @property
    def name(self) -> str:
        """Return its C name."""
        kind = "w" if self.is_weights else self.kind
        return f"{self.prefix}_{kind}_{self.node}"

    @property
    def is_weights(self) -> bool:
        """Tell whether it holds weights, in bytes or words: its name puts it with the others."""
        return self.kind in ("w", "p")

    @property
    def c_type(self) -> str:
        """Return its element type."""
        return _C_TYPES[self.kind]

    @property
    def size_bytes(self) -> int:
        """Return its size in flash."""
        return len(self.values) * _SIZES[self.c_type]

    def declaration(self) -> str:
        """Return its declaration, without `extern` or initializer."""
        return f"const {self.c_type} {self.name}[{len(self.values)}]"

    def definition(self) -> str:
        """Return its definition with a comment above."""
        return f"/* {self.comment} */\n{self.declaration()} = {ctext.array(self.values)};\n"


@dataclass(frozen=True, slots=True)
class Unrolled:
    """Weights of -1, 0 and 1 as functions of `model.c`, for an `ek_unrolled_params`.

    `rows` holds for each channel the places of a window that are added, and those that are taken
    away.
    """

    node: int
    rows: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    prefix: str = "model"  # of its C names

    @property
    def name(self) -> str:
        """Return the C name of the table of functions."""
        return f"{self.prefix}_u_{self.node}"

    @property
    def terms(self) -> int:
        """Return how many weights are not 0."""
        return sum(len(added) + len(taken) for added, taken in self.rows)

    def definition(self) -> str:
        """Return the functions and their table."""
        starts = range(0, len(self.rows), UNROLLED_CHANNELS)
        functions = "\n".join(self._function(first) for first in starts)
        names = "".join(f"    {self.name}_{first},\n" for first in starts)
        return f"{functions}\nstatic const ek_unrolled_sums {self.name}[] = {{\n{names}}};\n"

    def _function(self, first: int) -> str:
        rows = self.rows[first : first + UNROLLED_CHANNELS]
        lines = "".join(ctext.total(f"sums[{i}]", "v", *row) for i, row in enumerate(rows))
        unused = "" if any(added or taken for added, taken in rows) else "    (void)v;\n"
        return (
            f"static void {self.name}_{first}(const int8_t *v, int32_t *sums)\n"
            f"{{\n{unused}{lines}}}\n"
        )


@dataclass(frozen=True, slots=True)
class NodeCode:
    """The C of one node.

    `params` holds the fields of `model_p_<index>`, in order; `roundings` names the EK_ROUND_*
    that the kernel file must be compiled with.
    """

    index: int
    kernel: str  # function, file stem and prefix of the parameter type
    params: Mapping[str, ctext.Value]
    arrays: tuple[Array, ...]
    inputs: tuple[str, ...]  # tensors
    output: str
    roundings: tuple[str, ...] = ()
    scratch_bytes: int = 0
    overlap: Overlap | None = None
    wide: bool = False  # the kernel takes int16_t activations
    listed: bool = False  # the inputs are passed as one array of pointers
    unrolled: Unrolled | None = None
    params_of: int | None = None  # an earlier node whose parameters are the same

    @property
    def params_index(self) -> int:
        """Return the node that names the parameters."""
        return self.index if self.params_of is None else self.params_of


def shared(codes: Iterable[NodeCode]) -> tuple[NodeCode, ...]:
    """Return the nodes so that equal arrays and equal parameters are stored once."""
    arrays: dict[tuple[Kind, tuple[int, ...]], Array] = {}
    params: dict[tuple[str, str], int] = {}
    found = []
    for code in codes:
        first = {a.name: arrays.setdefault((a.kind, a.values), a) for a in code.arrays}
        own = tuple(array for array in code.arrays if first[array.name] is array)
        fields = _renamed(code.params, {name: array.name for name, array in first.items()})
        index = params.setdefault((code.kernel, ctext.initializer(fields)), code.index)
        of = index if index != code.index else None
        found.append(replace(code, arrays=own, params=fields, params_of=of))
    return tuple(found)


def prefixed(code: NodeCode, prefix: str) -> NodeCode:
    """Return `code` with `prefix` before the names of its arrays, also where parameters use them.

    Emit functions know nothing of prefixes: all that they return says `model`.
    """
    arrays = tuple(replace(array, prefix=prefix) for array in code.arrays)
    names = {old.name: new.name for old, new in zip(code.arrays, arrays, strict=True)}
    unrolled = None if code.unrolled is None else replace(code.unrolled, prefix=prefix)
    if code.unrolled is not None and unrolled is not None:
        names[code.unrolled.name] = unrolled.name
    params = _renamed(code.params, names)
    return replace(code, arrays=arrays, unrolled=unrolled, params=params)


def _renamed(fields: Mapping[str, ctext.Value], names: Mapping[str, str]) -> dict[str, ctext.Value]:
    renamed: dict[str, ctext.Value] = {}
    for field, value in fields.items():
        if isinstance(value, Mapping):
            renamed[field] = _renamed(value, names)
        else:
            renamed[field] = names.get(value, value) if isinstance(value, str) else value
    return renamed


@dataclass(frozen=True, slots=True)
class Context:
    """What an emit function may look at: the graph, the node's place in it, the CPU."""

    graph: Graph
    index: int
    features: frozenset[Feature] = frozenset()

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Return a tensor's shape."""
        return self.graph.tensors[tensor].shape

    def size(self, tensor: str) -> int:
        """Return a tensor's number of elements."""
        return self.graph.tensors[tensor].size

    def element_bytes(self, tensor: str) -> int:
        """Return the bytes of one element that is no bit."""
        return max(self.graph.tensors[tensor].dtype.bits, 8) // 8

    def stored_bytes(self, tensor: str) -> int:
        """Return the bytes that a tensor occupies."""
        return tensor_bytes(self.graph.tensors[tensor])
