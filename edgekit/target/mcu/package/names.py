"""The prefix of a package: what it may be, and how it comes before every name of a C source.

Two packages in one image may hold the same kernel, compiled for different roundings, or of two
releases. So kernels, their types, macros and files are renamed too: nothing is shared.
"""

from __future__ import annotations

import re

from edgekit.errors import ConfigError

_WORDS = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_MAX_LENGTH = 32


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_C_WORDS = _words(
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while asm"
)
_CPP_WORDS = _words(
    "alignas alignof and and_eq bitand bitor bool catch char8_t char16_t char32_t class co_await "
    "co_return co_yield compl concept const_cast consteval constexpr constinit decltype delete "
    "dynamic_cast explicit export false friend mutable namespace new noexcept not not_eq nullptr "
    "operator or or_eq private protected public reinterpret_cast requires static_assert "
    "static_cast template this thread_local throw true try typeid typename using virtual wchar_t "
    "xor xor_eq"
)
# PREFIX.h would stand before the system's own header, and arduino.h is Arduino.h on some disks.
_HEADERS = _words(
    "arduino assert complex ctype errno fenv float inttypes iso646 limits locale math memory new "
    "setjmp signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string "
    "tgmath threads time uchar unistd wchar wctype"
)
# Targets that build tools keep for themselves, and the program.
_TARGETS = _words("all app clean help install main package test")

_KERNEL_NAMES = re.compile(r"\b(ek_|edgekit\.h)")
_KERNEL_MACROS = re.compile(r"\b(EK_|EDGEKIT_)")
_MODEL_NAMES = re.compile(r"\bmodel(?=_|\.h)")
_MODEL_MACROS = re.compile(r"\bMODEL(?=_)")


def check_prefix(prefix: str) -> None:
    """Raise ConfigError for what cannot begin every name of a C library."""
    if len(prefix) > _MAX_LENGTH or _WORDS.fullmatch(prefix) is None:
        raise ConfigError(
            f"prefix {prefix!r} is not a lower-case C identifier of at most {_MAX_LENGTH} "
            "characters with single underscores inside",
            hint="take one like kws or wake_word: functions become kws_run(), macros KWS_NAME",
        )
    for words, what in (
        (_C_WORDS, "a keyword of C"),
        (_CPP_WORDS, "a keyword of C++"),
        (_HEADERS, "the name of a system header"),
        (_TARGETS, "a name that build tools use themselves"),
    ):
        if prefix in words:
            raise ConfigError(
                f"prefix {prefix!r} is {what}", hint=f"take another one, such as {prefix}_net"
            )


def with_own_kernels(text: str, prefix: str) -> str:
    """Return C source with `prefix` before every kernel, and all that belongs to kernels."""
    text = _KERNEL_NAMES.sub(rf"{prefix}_\1", text)
    return _KERNEL_MACROS.sub(rf"{prefix.upper()}_\1", text)


def with_own_model(text: str, prefix: str) -> str:
    """Return C source or a path written for the prefix `model` with `prefix` instead."""
    return _MODEL_MACROS.sub(prefix.upper(), _MODEL_NAMES.sub(prefix, text))
