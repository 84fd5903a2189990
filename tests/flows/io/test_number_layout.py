from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

from scdp_flows.io.kernels import Demand, compiled
from scdp_flows.io.number_layout import (
    CHG,
    CHGCAR,
    CUBE,
    MOMENTS,
    OCCUPANCIES,
    NumberLayout,
    NumberWriter,
    format_number,
)


@pytest.mark.parametrize(
    ("layout", "value", "text"),
    [
        (CHGCAR, 0.12345678901e3, " 0.12345678901E+03"),
        (CHGCAR, -7.6738912363, " -.76738912363E+01"),
        (CHGCAR, 0.0, " 0.00000000000E+00"),
        (CHGCAR, 0.999999999999, " 0.10000000000E+01"),
        (CHGCAR, 1e-120, " 0.00000000000E+00"),
        (CHGCAR, 1e120, " 0.10000000000+121"),
        (CHG, 22.326, "  22.326    "),
        (CHG, -0.23867, " -.23867    "),
        (CHG, -0.0014693, " -.14693E-02"),
        (CHG, 12345.4, "  12345.    "),
        (CHG, 0.0, "  0.0000    "),
        (OCCUPANCIES, -0.4578613e1, " -0.4578613E+01"),
        (MOMENTS, 2.0, "  0.200000000000E+01"),
        (CUBE, -0.035896, " -3.58960E-02"),
    ],
)
def test_numbers_stand_as_the_programs_write_them(
    layout: NumberLayout, value: float, text: str
) -> None:
    assert format_number(value, layout) == text


@pytest.mark.parametrize("n_values", [1, 5, 97, 100])
@pytest.mark.parametrize("row", [None, 7])
def test_pieces_do_not_show(n_values: int, row: int | None, rng: np.random.Generator) -> None:
    values, texts = rng.normal(size=n_values), []
    for size in (1, 3, 1000):
        stream = BytesIO()
        writer = NumberWriter(stream, CUBE, n_values, row=row)
        for start in range(0, n_values, size):
            writer.write(values[start : start + size], 2.0)
        writer.close()
        texts.append(stream.getvalue())
    assert texts[0] == texts[1] == texts[2]
    assert texts[0].endswith(b"\n")
    assert np.allclose([float(word) for word in texts[0].split()], 2 * values, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("layout", [CHGCAR, CHG, CUBE])
def test_many_numbers_are_written_like_few(
    layout: NumberLayout, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = rng.normal(size=3000) * 10.0 ** rng.integers(-120, 120, size=3000)
    texts = []
    for kernels in (compiled(), None):
        monkeypatch.setattr(Demand, "kernels_for", lambda _, made=kernels: made)
        stream = BytesIO()
        writer = NumberWriter(stream, layout, len(values), row=77)
        writer.write(values)
        writer.close()
        texts.append(stream.getvalue())
    assert texts[0] == texts[1]


def test_the_transpose_is_written_with_the_first_index_fastest() -> None:
    stream = BytesIO()
    NumberWriter(stream, CHG, 6).write(np.arange(6.0).reshape(2, 3).T)
    assert [float(word) for word in stream.getvalue().split()] == [0, 3, 1, 4, 2, 5]
