from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import DeviceError
from edgekit.measure import ppk2_wire as wire
from edgekit.measure.spikes import SpikeFilter

METADATA = b"""Calibrated: 0
R0: 1003.3506
R1: 101.5865
R2: 10.3027
R3: 0.9636
R4: 0.0564
GS0: 0.0000
GS1: 112.7890
GS2: 18.0115
GS3: 2.4217
GS4: 0.0729
GI0: 1.0000
GI1: 0.9695
GI2: 0.9609
GI3: 0.9519
GI4: 0.9582
O0: 112.9420
O1: 75.4627
O2: 64.6020
O3: 50.4983
O4: 87.2177
VDD: 3741
HW: 9173
mode: 2
S0: 0.000000048
S1: 0.000000596
S2: 0.000005281
S3: 0.000062577
S4: 0.002940743
I0: -0.000000104
I1: -0.000001443
I2: 0.000036439
I3: -0.000374119
I4: -0.009388455
UG0: 1.00
UG1: 1.00
UG2: 1.00
UG3: 1.00
UG4: 1.00
IA: 56
END
"""


def calibration(raw: bytes = METADATA) -> wire.Calibration:
    found = wire.parse_metadata(raw)
    assert found is not None
    return found


def words(counters: list[int], field: int = 100) -> bytes:
    raw = np.array([field | (c & 63) << 18 for c in counters], dtype="<u4")
    return raw.tobytes()


def test_published_conversion_vector() -> None:
    # ADC value 108 (field 27) in range 0 at 3741 mV, as a port of the official code prints it.
    ampere = calibration().ampere(np.array([108.0]), 0, 3741.0)[0]
    assert ampere * 1e6 == pytest.approx(0.021454880761611544, rel=1e-9)
    assert calibration().table_ua(3741.0)[27] == pytest.approx(0.021454880761611544, rel=1e-9)


def test_published_vector_passes_the_spike_filter_unchanged() -> None:
    quiet = SpikeFilter()
    quiet._average, quiet._average_4 = 1.0589385070753649e-7, 9.478947833765696e-8
    assert quiet.step(2.1454880761611544e-08, 0) == 2.1454880761611544e-08


def test_table_holds_every_range_and_clamps_range_codes() -> None:
    cal, table = calibration(), calibration().table_ua(3300.0)
    for code, range_ in [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 4), (7, 4)]:
        expected = cal.ampere(np.array([4.0 * 1234]), range_, 3300.0)[0] * 1e6
        assert table[(code << 14) | 1234] == pytest.approx(expected, rel=1e-12)


def test_metadata_values_are_read() -> None:
    cal = calibration()
    assert cal.r == (1003.3506, 101.5865, 10.3027, 0.9636, 0.0564)
    assert cal.o[4] == 87.2177
    assert cal.i[3] == -0.000374119
    assert cal.hardware == "9173"
    assert not cal.calibrated
    assert calibration(METADATA.replace(b"Calibrated: 0", b"Calibrated: 1")).calibrated


def test_zero_and_nan_keep_the_default() -> None:
    raw = METADATA.replace(b"R0: 1003.3506", b"R0: 0.0000").replace(b"GI2: 0.9609", b"GI2: -nan")
    cal = calibration(raw)
    assert cal.r[0] == 1031.64
    assert cal.gi[2] == 1.0
    assert cal.gs[0] == 1.0  # 0.0000 by the same rule


def test_twenty_decimals() -> None:
    raw = METADATA.replace(b"R0: 1003.3506", b"R0: 1004.23089599609380000000")
    assert calibration(raw).r[0] == 1004.2308959960938


@pytest.mark.parametrize("cut", [1, 11, 40, len(METADATA) - 5, len(METADATA) - 1])
def test_metadata_is_complete_only_with_its_end(cut: int) -> None:
    assert wire.parse_metadata(METADATA[:cut]) is None


def test_stale_binary_bytes_before_metadata_are_skipped() -> None:
    assert calibration(bytes(range(128, 256)) + METADATA) == calibration()
    assert calibration(b"\x93\xffEND\n" + METADATA) == calibration()


def test_supply_is_checked() -> None:
    assert wire.regulator_set(3300) == b"\x0d\x0c\xe4"
    with pytest.raises(DeviceError, match="5001 mV"):
        wire.regulator_set(5001)


def test_loss_is_exact_modulo_64() -> None:
    decoder = wire.Decoder()
    _, index = decoder.add(words([10, 11, 12]))
    assert list(index) == [0, 1, 2]
    _, index = decoder.add(words([20, 21]))
    assert list(index) == [10, 11]
    assert decoder.lost == 7
    assert decoder.expected == 12


def test_repeated_counter_is_63_lost() -> None:
    decoder = wire.Decoder()
    decoder.add(words([5, 5]))
    assert decoder.lost == 63


def test_one_corrupted_counter_costs_one_sample_not_a_turn() -> None:
    decoder = wire.Decoder()
    out, index = decoder.add(words([3, 4, 41, 6, 7]))
    assert list(index) == [0, 1, 3, 4]
    assert len(out) == 4
    assert decoder.lost == 1


def test_a_lost_byte_does_not_spoil_the_rest() -> None:
    decoder = wire.Decoder()
    stream = words(list(range(400)))
    decoder.add(stream[:401])
    seen = 100
    for at in range(402, 1600, 398):  # the byte at 401 is gone
        out, _ = decoder.add(stream[at : at + 398])
        seen += len(out)
    assert seen >= 396
    assert 1 <= decoder.lost <= 4


@settings(max_examples=60, deadline=None)
@given(
    kept=st.lists(st.booleans(), min_size=3, max_size=600),
    cuts=st.lists(st.integers(0, 2400), max_size=8),
)
def test_any_loss_below_64_in_a_row_is_counted_exactly(kept: list[bool], cuts: list[int]) -> None:
    kept[0] = kept[-1] = True
    for k in range(0, len(kept), 50):  # at least one sample in every 50, so no gap reaches 64
        kept[k] = True
    numbers = [k for k, keep in enumerate(kept) if keep]
    stream = words(numbers)
    edges = sorted({0, len(stream), *(c for c in cuts if c < len(stream))})
    decoder = wire.Decoder()
    got: list[int] = []
    for a, b in itertools.pairwise(edges):
        _, index = decoder.add(stream[a:b])
        got += [int(i) for i in index]
    # A sample may be taken for corrupted where gaps of 33 + 33 look like one; it then counts.
    assert decoder.expected == len(kept)
    assert decoder.lost == len(kept) - len(got)
    assert set(got) <= set(numbers)


def test_decodes_far_faster_than_the_stream() -> None:
    n = 1_000_000
    raw = np.random.default_rng(1).integers(0, 1 << 14, n, dtype=np.uint32)
    raw |= (np.arange(n, dtype=np.uint32) & 63) << 18
    data, table, decoder = (
        raw.astype("<u4").tobytes(),
        calibration().table_ua(3300.0),
        wire.Decoder(),
    )
    begin = time.perf_counter()
    for at in range(0, len(data), 40_000):
        out, _ = decoder.add(data[at : at + 40_000])
        table[out & 0x1FFFF].sum()
    rate = n / (time.perf_counter() - begin)
    assert decoder.lost == 0
    assert rate > 500_000, f"{rate / 1e6:.1f} MS/s; the stream is 0.1"


def test_spike_filter_equals_its_rule_sample_by_sample() -> None:
    rng = np.random.default_rng(5)
    ranges = np.repeat(rng.integers(0, 5, 60), rng.integers(1, 40, 60))
    current = rng.random(len(ranges)) * 10.0**ranges
    rule = SpikeFilter()
    expected = [rule.step(float(c), int(r)) for c, r in zip(current, ranges, strict=True)]
    blocks = SpikeFilter()
    got = np.concatenate(
        [blocks.apply(current[k : k + 97], ranges[k : k + 97]) for k in range(0, len(ranges), 97)]
    )
    np.testing.assert_allclose(got, expected, rtol=1e-9)
