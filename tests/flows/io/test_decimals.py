from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from scdp_flows.io.decimals import nearest_decimal, nearest_double, powers_of_ten, product


def test_powers_of_ten_are_exact_to_106_bits() -> None:
    powers = powers_of_ten()
    for exponent in (-260, -23, -1, 0, 22, 23, 260):
        high, low = powers[:, 260 + exponent].tolist()
        error = abs(Fraction(high) + Fraction(low) - Fraction(10) ** exponent)
        assert error < Fraction(10) ** exponent / 2**105


def test_products_are_exact(rng: np.random.Generator) -> None:
    for a, b in rng.normal(size=(200, 2)).tolist():
        high, low = product(a, b)
        assert Fraction(high) + Fraction(low) == Fraction(a) * Fraction(b)


def test_decimals_become_the_nearest_double(rng: np.random.Generator) -> None:
    powers, n_open = powers_of_ten(), 0
    for mantissa in rng.integers(0, 10 ** rng.integers(1, 19, size=3000)).tolist():
        exponent = int(rng.integers(-230, 230))
        found = nearest_double(mantissa, exponent, powers)
        n_open += math.isnan(found)
        assert math.isnan(found) or found == float(f"{mantissa}e{exponent}")
    assert n_open == 0


@pytest.mark.parametrize(("mantissa", "exponent"), [(2**54 + 3 * 2, 0), (2**53 + 1, 0), (1, 300)])
def test_what_lies_between_two_doubles_is_left_open(mantissa: int, exponent: int) -> None:
    found = nearest_double(mantissa, exponent, powers_of_ten())
    assert math.isnan(found) or found == float(mantissa)


@pytest.mark.parametrize("n_digits", [5, 6, 7, 11, 12])
def test_doubles_become_the_nearest_decimal(n_digits: int, rng: np.random.Generator) -> None:
    powers = powers_of_ten()
    values = rng.random(500) * 10.0 ** rng.integers(-98, 80, size=500)
    edges = [1.0, 10.0, 0.1, 1 - 1e-16, 9.9999999999999, 1e-9, 0.3, np.nextafter(100.0, 0)]
    for value in [*values.tolist(), *edges]:
        mantissa, exponent, is_sure = nearest_decimal(value, n_digits, powers)
        shown, _, power = f"{value:.{n_digits - 1}E}".partition("E")
        assert is_sure
        assert (mantissa, exponent) == (int(shown.replace(".", "")), int(power) + 1)


def test_ties_are_left_open() -> None:
    assert nearest_decimal(20000.5, 5, powers_of_ten())[2] is False
