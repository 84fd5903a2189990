from __future__ import annotations

import sys

import numpy as np
import pytest

from scdp_flows.io import kernels
from scdp_flows.io.decimals import powers_of_ten
from scdp_flows.io.kernels import Demand, compiled, interpreted
from scdp_flows.io.number_layout import CHGCAR, format_number


def _cells(words: list[str]) -> list[np.ndarray]:
    n_rows = len(words) // 5
    rows = ("".join(words[5 * row : 5 * row + 5]) + "\n" for row in range(n_rows))
    text = "".join(rows).encode().ljust(91 * n_rows + 8)
    columns = [
        np.ndarray((n_rows, 5), kind, text, offset, (91, 18))
        for offset, kind in ((0, "<u4"), (3, "<u8"), (10, "<u8"))
    ]
    return [*columns, np.ndarray((n_rows,), "u1", text, 90, (91,))]


@pytest.mark.slow
def test_compiled_and_interpreted_kernels_agree(rng: np.random.Generator) -> None:
    fast, plain, powers = compiled(), interpreted(), powers_of_ten()
    assert fast is not None
    values = rng.normal(size=400) * 10.0 ** rng.integers(-40, 40, size=400)
    words = "".join(f" {value:.14e}" for value in values)
    text = np.frombuffer(f"{words}\n".encode(), dtype=np.uint8)
    found, expected = np.empty(400), np.empty(400)
    end = fast.parse(text, 0, len(text), found, powers)
    assert end == plain.parse(text, 0, len(text), expected, powers) == (len(words), 400, False)
    assert found.tolist() == expected.tolist() == [float(word) for word in words.split()]
    outputs = []
    for each in (fast, plain):
        written, slow = np.zeros(400 * 19, dtype=np.uint8), np.zeros((400, 2), dtype=np.int64)
        each.write(values, (0, 18, 11, 5, 2**62), 0, written, slow, powers)
        outputs.append(written.tobytes())
    assert outputs[0] == outputs[1]


@pytest.mark.slow
def test_cells_of_vasp_are_read_as_python_reads_them(rng: np.random.Generator) -> None:
    fast = compiled()
    assert fast is not None
    values = rng.normal(size=5000) * 10.0 ** rng.integers(-45, 45, size=5000)
    words = [format_number(value, CHGCAR) for value in [*values, *([0.0] * 5)]]
    numbers = np.empty(len(words))
    assert fast.parse_cells(*_cells(words), numbers, powers_of_ten()) == 1001
    assert numbers.tolist() == [float(word) for word in words]


@pytest.mark.slow
@pytest.mark.parametrize(
    "word",
    [
        " 0.1234567890*E+02",
        " 0.12345678901D+02",
        " 0.12345678901 +02",
        " 0.12345678901E02 ",
        " 1.23456789012E+02",
        "-0.12345678901E+02",
        " 0.1234:678901E+02",
        " 0.12345678901E+0/",
        " ****************",
    ],
)
def test_rows_with_other_cells_are_left_alone(word: str) -> None:
    fast = compiled()
    assert fast is not None
    words = [" 0.12345678901E+02"] * 9 + [word.ljust(18)]
    numbers = np.empty(10)
    assert fast.parse_cells(*_cells(words), numbers, powers_of_ten()) == 1


@pytest.mark.slow
def test_cells_end_with_the_line() -> None:
    fast = compiled()
    assert fast is not None
    heads, firsts, lasts, ends = _cells([" 0.12345678901E+02"] * 15)
    ends = ends.copy()
    ends[2] = ord(" ")
    assert fast.parse_cells(heads, firsts, lasts, ends, np.empty(15), powers_of_ten()) == 2


def test_the_kernels_come_once_they_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "compiled", interpreted)
    monkeypatch.setattr(Demand, "without_kernels", 0)
    monkeypatch.setitem(sys.modules, "numba", sys)
    assert [Demand.kernels_for(count) is None for count in (100, 50_000)] == [True, False]
    monkeypatch.delitem(sys.modules, "numba")
    assert Demand.kernels_for(10**9) is None
    Demand.without_kernels = 3_000_000
    assert [Demand.kernels_for(count) is None for count in (100, 50_000)] == [True, False]


def test_without_numba_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    compiled.cache_clear()
    assert compiled() is None
    compiled.cache_clear()
