"""Errors a user can act on: one flat tree, one class per public exit code."""

from __future__ import annotations

from typing import ClassVar


class EdgekitError(Exception):
    """Base of all expected errors: what was found, what was wanted; `hint` says what to do."""

    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "bug"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(EdgekitError):
    """A wrong option, configuration key, board name or data file."""

    exit_code = 2
    kind = "config"


class UnsupportedError(EdgekitError):
    """A model that edgekit cannot represent exactly: operator, node, shape and what would help."""

    exit_code = 3
    kind = "unsupported"


class DoesNotFitError(EdgekitError):
    """A model too large for the board: needed, available and the largest tensors."""

    exit_code = 4
    kind = "does_not_fit"


class ToolError(EdgekitError):
    """An external tool that is missing or failed: argv, exit status, last lines, log path."""

    exit_code = 5
    kind = "tool"


class DeviceError(EdgekitError):
    """A board, port, probe or meter that is missing, busy, silent or answers wrongly."""

    exit_code = 6
    kind = "device"


class MismatchError(EdgekitError):
    """A result that differs from the reference: first differing layer, index and both values."""

    exit_code = 7
    kind = "mismatch"


class OverBudgetError(EdgekitError):
    """A measured or modelled power above the contract's limit."""

    exit_code = 8
    kind = "over_budget"


class UnsureError(EdgekitError):
    """A verdict that the figures cannot support either way."""

    exit_code = 9
    kind = "unsure"
