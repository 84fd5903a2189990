"""Convert between decimal and binary exactly, in functions that numba can compile.

A decimal becomes the nearest double, as ``float`` makes it, and a double becomes the nearest
decimal, as ``format`` does. Products with powers of ten are therefore computed as unevaluated sums
of two doubles (T. J. Dekker, Numer. Math. 18, 224 (1971)), which hold 106 bits; where even those
leave the rounding open, the caller is told to take the slow and certain way.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["nearest_decimal", "nearest_double", "powers_of_ten", "product"]

_LARGEST_POWER = 260  # beyond, the second double of a product would lose bits
_EXACT_POWER = 22  # 10**22 is the last power that is a double
_EXACT_INTEGER = 2**53
_SPLIT = 134217729.0  # 2**27 + 1
_ROUNDING = 2.0**-98  # generous bound of the error of our products
_TIE = 1e-14


@cache
def powers_of_ten() -> NDArray[np.float64]:
    """Return powers of ten as sums of two doubles, (2, 521), from 1e-260 to 1e260."""
    powers = np.empty((2, 2 * _LARGEST_POWER + 1))
    for index in range(powers.shape[1]):
        exact = Fraction(10) ** (index - _LARGEST_POWER)
        powers[0, index] = float(exact)
        powers[1, index] = float(exact - Fraction(powers[0, index]))
    return powers


def product(a: float, b: float) -> tuple[float, float]:
    """Return the exact product of two doubles as the sum of two (Dekker)."""
    high = a * b
    t = _SPLIT * a
    a1 = t - (t - a)
    a2 = a - a1
    t = _SPLIT * b
    b1 = t - (t - b)
    b2 = b - b1
    return high, ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2


def nearest_double(mantissa: int, exponent: int, powers: NDArray[np.float64]) -> float:
    """Return the double nearest to ``mantissa * 10**exponent``; NaN if that cannot be told."""
    value = float(mantissa)
    if mantissa == 0:
        return 0.0
    if mantissa < _EXACT_INTEGER and -_EXACT_POWER <= exponent <= _EXACT_POWER:
        power = powers[0, _LARGEST_POWER + abs(exponent)]
        return float(value / power if exponent < 0 else value * power)
    if abs(exponent) > _LARGEST_POWER - 20:
        return np.nan
    column = _LARGEST_POWER + exponent
    rest = float(mantissa - int(value))
    high, low = product(value, powers[0, column])
    low += value * powers[1, column] + rest * powers[0, column]
    margin = high * _ROUNDING
    below, above = high + (low - margin), high + (low + margin)
    return float(below) if below == above else np.nan


def nearest_decimal(
    value: float, n_digits: int, powers: NDArray[np.float64]
) -> tuple[int, int, bool]:
    """Return ``m`` and ``e`` of ``0.m * 10**e``, nearest to a positive number, and whether sure."""
    exponent = math.floor(math.log10(value)) + 1
    limit = int(powers[0, _LARGEST_POWER + n_digits])
    for _ in range(3):  # the logarithm may be off by one, and rounding may add a digit
        column = _LARGEST_POWER + n_digits - exponent
        high, low = product(value, powers[0, column])
        low += value * powers[1, column]
        whole = math.floor(high)
        fraction = (high - whole) + low
        if abs(fraction - 0.5) < _TIE:
            return 0, 0, False
        whole += 1 if fraction > 0.5 else 0
        if whole >= limit:
            exponent += 1
        elif whole * 10 < limit:
            exponent -= 1
        else:
            return whole, exponent, True
    return 0, 0, False
