"""What every decoder has to stand: the same faults of a line for all, none forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Corrupt, Decoder, Telegram
from drivers.serial.framing import FrameDecoder
from gateway.catalog import Driver, everything
from tests.drivers.serial.samples import SAMPLES, UNGUARDED
from tests.drivers.serial.streams import (
    decode,
    same_byte_by_byte,
    stays_bounded,
    survives_bit_flips,
    survives_garbage,
    survives_truncation,
    telegrams,
)

ALL = {**SAMPLES, **UNGUARDED}
SAME_DECODER = {"d0_push"}


def bits_between(telegram: bytes) -> int:
    """Every bit of a short telegram, a part of a long one's: the suite is to stay quick."""
    return max(1, len(telegram) * 8 // 600)


def test_no_decoder_is_forgotten() -> None:
    decoders = {
        name
        for name, driver in everything()
        if isinstance(driver, Driver) and driver.constant("DECODER") is not None
    }
    assert decoders - SAME_DECODER == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_pieces_and_neighbours(name: str) -> None:
    new, telegram = ALL[name]
    (whole,) = telegrams(decode(new, telegram))
    assert whole
    same_byte_by_byte(new, telegram + telegram)
    assert telegrams(decode(new, telegram * 3)) == [whole] * 3


@pytest.mark.parametrize("name", SAMPLES)
def test_truncation(name: str) -> None:
    survives_truncation(*SAMPLES[name])


@pytest.mark.parametrize("name", SAMPLES)
def test_wrong_bits(name: str) -> None:
    new, telegram = SAMPLES[name]
    survives_bit_flips(new, telegram, every=bits_between(telegram))


@pytest.mark.parametrize("name", SAMPLES)
def test_garbage_between(name: str) -> None:
    survives_garbage(*SAMPLES[name])


@pytest.mark.parametrize("name", ALL)
def test_memory_stays_bounded(name: str) -> None:
    new, telegram = ALL[name]
    made = new()
    assert isinstance(made, FrameDecoder)
    stays_bounded(framed(new), telegram[:4], made._cap)


def framed(new: Callable[[], Decoder]) -> Callable[[], FrameDecoder]:
    def make() -> FrameDecoder:
        made = new()
        assert isinstance(made, FrameDecoder)
        return made

    return make


def spoilt(telegram: bytes) -> st.SearchStrategy[bytes]:
    """The telegram with pieces lost, doubled, swapped, overwritten and pushed in."""
    place = st.integers(0, len(telegram))
    piece = st.builds(lambda a, b: telegram[min(a, b) : max(a, b)], place, place)
    return st.lists(st.one_of(piece, st.binary(max_size=12), st.just(telegram)), max_size=6).map(
        b"".join
    )


@pytest.mark.parametrize("name", ALL)
@given(data=st.data())
def test_anything_may_come(name: str, data: Any) -> None:
    """No exception, nothing lost without a word, places in order, and afterwards it goes on."""
    new, telegram = ALL[name]
    heard = data.draw(spoilt(telegram))
    items = decode(new, heard, step=data.draw(st.sampled_from([0, 1, 5])))
    end = 0
    for one in items:
        assert one.offset >= end
        end = one.offset + (one.length if isinstance(one, Corrupt) else 1)
    assert end <= len(heard)
    if not any(isinstance(one, Telegram) for one in items) and heard.strip(b"\r\n\0"):
        assert items
    (whole,) = telegrams(decode(new, telegram))
    assert whole in telegrams(decode(new, heard + b"\r\n" + telegram + telegram + telegram))
