from __future__ import annotations

import numpy as np
import pytest

from scdp_flows.io.decimals import powers_of_ten
from scdp_flows.io.number_layout import CHG, CHGCAR, CUBE, OCCUPANCIES, NumberLayout, format_number
from scdp_flows.io.write_kernels import write_cells

_STYLES = {"fortran": 0, "c": 1, "general": 2}


def _write(values: list[float], layout: NumberLayout, row: int) -> tuple[str, list[list[int]]]:
    text = np.zeros(len(values) * (layout.width + 1), dtype=np.uint8)
    slow = np.zeros((len(values), 2), dtype=np.int64)
    plain = (_STYLES[layout.style], layout.width, layout.digits, layout.per_line, row)
    array = np.array(values)
    length, _, n_slow = write_cells(array, plain, 0, text, slow, powers_of_ten())
    return text[:length].tobytes().decode(), slow[:n_slow].tolist()


@pytest.mark.parametrize("layout", [CHGCAR, CHG, CUBE, OCCUPANCIES])
def test_cells_equal_those_of_the_slow_way(layout: NumberLayout, rng: np.random.Generator) -> None:
    values = [*(rng.normal(size=300) * 10.0 ** rng.integers(-110, 60, size=300)), 0.0, -0.0]
    text, slow = _write(values, layout, 2**62)
    assert text.replace("\n", "") == "".join(format_number(value, layout) for value in values)
    assert slow == []


def test_lines_end_after_so_many_numbers_and_at_the_end_of_a_row() -> None:
    text, _ = _write([1.0] * 20, CUBE, 8)
    assert [len(line.split()) for line in text.splitlines()] == [6, 2, 6, 2, 4]


def test_what_needs_the_slow_way_is_listed_and_left_blank() -> None:
    text, slow = _write([1.0, 1e120, 20000.5, 2.0], CHG, 2**62)
    assert slow == [[1, 12], [2, 24]]
    assert text[12:24].isspace()
