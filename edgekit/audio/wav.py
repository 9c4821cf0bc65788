"""Wav files: 16-bit mono PCM, checked to the last byte.

Format: Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft, 1991), and
WAVE_FORMAT_EXTENSIBLE, whose subformat says PCM in the same way.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError

_PCM, _EXTENSIBLE = 1, 0xFFFE
_FORMATS = {3: "floating point", 6: "A-law", 7: "mu-law", 17: "ADPCM"}
_CONVERT = "convert it, for example with: sox IN.wav -r {} -c 1 -b 16 OUT.wav"


def decode(data: bytes, rate_hz: int, origin: str) -> NDArray[np.int16]:
    """Return the samples of a wav file, int16 (n,), n > 0.

    Args:
        data: The file's bytes.
        rate_hz: Samples a second that the file must have.
        origin: The file's name, for errors.

    Raises:
        ConfigError: No wav file, shorter than it says, without samples, or of another rate,
            channel count, sample size or coding.
    """
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ConfigError(f"{origin} is no wav file: it does not begin with RIFF and WAVE")
    described: bytes | None = None
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if at + 8 + size > len(data):
            raise ConfigError(
                f"{origin} is cut off: its part {name.decode('latin-1')!r} has {size} bytes, "
                f"{len(data) - at - 8} are there",
                hint="copy or download the file again",
            )
        body = data[at + 8 : at + 8 + size]
        if name == b"fmt ":
            described = body
        elif name == b"data":
            _check_format(described, rate_hz, origin)
            return _samples(body, origin)
        at += 8 + size + size % 2
    raise ConfigError(f"{origin} holds no samples: it has no part 'data'")


def _check_format(described: bytes | None, rate_hz: int, origin: str) -> None:
    if described is None or len(described) < 16:
        raise ConfigError(f"{origin} does not say what its samples are: no part 'fmt '")
    coding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", described)
    if coding == _EXTENSIBLE and len(described) >= 26:
        (coding,) = struct.unpack_from("<H", described, 24)
    hint = _CONVERT.format(rate_hz)
    if coding != _PCM:
        name = _FORMATS.get(coding, f"coding {coding}")
        raise ConfigError(f"{origin} holds {name}, wanted PCM", hint=hint)
    if (channels, bits) != (1, 16):
        raise ConfigError(
            f"{origin} has {channels} channels of {bits} bits, wanted 1 channel of 16 bits",
            hint=hint,
        )
    if rate != rate_hz:
        raise ConfigError(f"{origin} has {rate} samples a second, wanted {rate_hz}", hint=hint)


def _samples(body: bytes, origin: str) -> NDArray[np.int16]:
    if not body or len(body) % 2:
        raise ConfigError(f"{origin} has {len(body)} bytes of samples, wanted pairs and some")
    return np.frombuffer(body, "<i2").astype(np.int16)
