from __future__ import annotations

import numpy as np
import pytest

from scdp_flows.io.decimals import powers_of_ten
from scdp_flows.io.parse_kernels import parse_numbers


def _parse(text: bytes, count: int) -> tuple[list[float], int, bool]:
    numbers = np.empty(count)
    buffer = np.frombuffer(text, dtype=np.uint8)
    position, filled, is_stuck = parse_numbers(buffer, 0, len(text), numbers, powers_of_ten())
    return numbers[:filled].tolist(), position, is_stuck


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1", 1.0),
        ("+1.", 1.0),
        ("-.767E+01", -7.67),
        ("0.25D-3", 0.00025),
        ("1e5", 1e5),
        ("0.25-101", 0.25e-101),
        (".25+101", 0.25e101),
        ("-0.0", 0.0),
        ("0.12345678901E-31", 0.12345678901e-31),
    ],
)
def test_numbers_of_every_form_are_read(word: str, value: float) -> None:
    assert _parse(f"  {word}\t\n".encode(), 3) == ([value], len(word) + 4, False)


def test_reading_stops_behind_the_last_number_that_is_wanted() -> None:
    assert _parse(b"1 2\n3 4\n", 3) == ([1.0, 2.0, 3.0], 5, False)


@pytest.mark.parametrize(
    "word", ["*****", "NaN", "1.0.0", "1_0", "0x1", "E5", "-", ".", "1E", "1E+", "1.5-10", "15-101"]
)
def test_what_is_no_number_stops_the_reading_there(word: str) -> None:
    assert _parse(f"1 {word} 2\n".encode(), 3) == ([1.0], 2, True)


def test_more_digits_than_fit_take_the_slow_way() -> None:
    assert _parse(b"1.2345678901234567890 \n", 1) == ([], 0, True)
