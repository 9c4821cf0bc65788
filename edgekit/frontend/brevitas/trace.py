"""The chain of modules that a live module calls, in order, and what each of them was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from edgekit.errors import UnsupportedError

_LEAVES = ("torch.nn.", "brevitas.nn.")
_HINT = "a chain of layers is read, each with one input"
_FLATTEN = ("flatten", "view", "reshape")


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One module, or a flatten (`module` None), and an input that it got for an example."""

    label: str
    module: Any
    given: Any  # tensor, or Brevitas' quantized tensor


class _Tracer(fx.Tracer):  # type: ignore[misc]
    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002
        """Return whether a module is a layer rather than made of layers."""
        own = f"{type(m).__module__}."
        return own.startswith(_LEAVES) and not isinstance(m, torch.nn.Sequential)


def calls(module: Any, shape: Sequence[int]) -> list[Call]:  # noqa: ANN401
    """Return what `module` calls for an input of `shape`, batch axis included.

    Raises:
        UnsupportedError: it branches, or its code decides on values; names the place.
    """
    try:
        graph = _Tracer().trace(module)
    except Exception as error:
        # A module's own code may raise anything while it is traced.
        raise UnsupportedError(
            f"{type(module).__name__}: its forward cannot be followed: {str(error)[:160]}",
            hint="write it as layers called one after the other",
        ) from error
    value = torch.zeros(tuple(shape))
    found: list[Call] = []
    before: fx.Node | None = None
    with torch.no_grad():
        for node in graph.nodes:
            if node.op == "placeholder" and before is None:
                before = node
                continue
            if node.op == "output":
                if node.args[0] is not before:
                    raise UnsupportedError(
                        "the module returns more than its last value", hint=_HINT
                    )
                break
            call = _call(module, node, before, value)
            found.append(call)
            try:
                value = _plain(value).flatten(1) if call.module is None else call.module(value)
            except Exception as error:
                raise UnsupportedError(
                    f"{call.label}: it does not take what comes before it: {str(error)[:160]}"
                ) from error
            before = node
    return found


def _call(module: Any, node: fx.Node, before: fx.Node | None, value: Any) -> Call:  # noqa: ANN401
    tensors = [each for each in node.all_input_nodes if each.op != "get_attr"]
    if tensors != [before]:
        raise UnsupportedError(
            f"{node.name}: it reads {len(tensors)} values, one is wanted, that of the layer before",
            hint=_HINT,
        )
    if node.op == "call_module":
        layer = module.get_submodule(str(node.target))
        return Call(f"{type(layer).__name__} {node.target}", layer, value)
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "?")
    if name in _FLATTEN and _flattens(name, node, value):
        return Call(f"{name} {node.name}", None, value)
    raise UnsupportedError(
        f"{node.name}: {name} is called in forward", hint="use a module of torch.nn in its place"
    )


def _flattens(name: str, node: fx.Node, value: Any) -> bool:  # noqa: ANN401
    rest = [*node.args[1:], *node.kwargs.values()]
    if name == "flatten":
        return rest in ([1], [1, -1])
    features = int(_plain(value)[0].numel())
    shape = rest[0] if len(rest) == 1 and isinstance(rest[0], tuple | list) else rest
    return len(shape) == 2 and shape[1] in (-1, features)


def _plain(value: Any) -> Any:  # noqa: ANN401
    return value.value if hasattr(value, "value") else value
