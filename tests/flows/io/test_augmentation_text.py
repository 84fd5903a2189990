from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

from scdp_flows.augmentation import Augmentation
from scdp_flows.errors import DensityFormatError
from scdp_flows.io.augmentation_text import (
    AfterGrid,
    read_after_grid,
    write_augmentation,
    write_moments,
)
from scdp_flows.io.grid_text import Lines

_SHAPE = (2, 2, 1)


def _read(text: str, n_atoms: int = 2) -> AfterGrid:
    return read_after_grid(Lines(BytesIO(text.encode()), "CHGCAR"), _SHAPE, n_atoms)


def _write(augmentation: Augmentation) -> str:
    stream = BytesIO()
    write_augmentation(stream, augmentation)
    write_moments(stream, augmentation)
    return stream.getvalue().decode()


def test_occupancies_and_moments_are_read() -> None:
    text = "augmentation occupancies 1 2\n 1 2\naugmentation occupancies 2 3\n 1 2\n 3\n"
    augmentation, is_followed = _read(f"{text}  0.5  -0.5\n   2   2   1\n")
    assert is_followed
    assert augmentation is not None
    assert augmentation.counts.tolist() == [2, 3]
    assert augmentation.occupancies.tolist() == [1, 2, 1, 2, 3]
    assert augmentation.moments.tolist() == [0.5, -0.5]


def test_nothing_is_read_where_there_is_nothing() -> None:
    assert _read("") == (None, False)
    assert _read(" \n  2 2 1\n") == (None, True)


@pytest.mark.parametrize("n_atoms", [1, 2, 1200])
def test_what_is_written_is_read_back(n_atoms: int, rng: np.random.Generator) -> None:
    records = [rng.normal(size=3) for _ in range(n_atoms)]
    augmentation = Augmentation.from_records(records, rng.normal(size=n_atoms))
    copy, _ = _read(_write(augmentation) + "   2   2   1\n", n_atoms)
    assert copy is not None
    assert np.allclose(copy.occupancies, augmentation.occupancies, rtol=1e-6)
    assert np.allclose(copy.moments, augmentation.moments, rtol=1e-11)


def test_the_columns_are_those_of_vasp() -> None:
    text = _write(Augmentation.from_records([[0.3847446e1, -0.1e-17]] * 1000, [2.0] * 6))
    assert text.startswith("augmentation occupancies   1   2\n  0.3847446E+01 -0.1000000E-17\n")
    assert "augmentation occupancies1000   2\n" in text
    assert text.endswith("\n  0.200000000000E+01\n")


def test_imaginary_parts_are_kept_in_their_order() -> None:
    text = "".join(
        f"augmentation occupancies{kind}   {atom}   1\n  0.1000000E+01\n"
        for atom in (1, 2)
        for kind in ("", " (imaginary part)")
    )
    augmentation, _ = _read(text)
    assert augmentation is not None
    assert augmentation.imaginary.tolist() == [False, True, False, True]
    assert _write(augmentation) == text


def test_more_atoms_than_columns_can_number_are_refused() -> None:
    with pytest.raises(DensityFormatError, match="10000 atoms; VASP's format ends at 9999"):
        _write(Augmentation.from_records([[1.0]] * 10_000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("augmentation occupancies 1 3\n 1.0 2.0\n", "2 of 3 values"),
        ("augmentation occupancies 1 3\n 1 2\naugmentation occupancies 2 1\n 1\n", "not a finite"),
        ("augmentation occupancies 1 1\n 1.0 2.0\n", "more than the 1 values"),
        ("augmentation occupancies 1 1\n 1.0\n", "occupancies of 1 atoms, expected those of 2"),
        ("augmentation occupancies 1 1\n 1.0\n 2 2 1\n", "of 1 atoms, expected those of 2"),
        ("augmentation occupancies\n 1 1\n", "expected the numbers of an atom"),
        ("augmentation occupancies 1 999999\n 1 1\n", "999999 occupancies"),
        ("augmentation occupancies 0 1\n 1\n", "occupancies of atom 0"),
        ("augmentation occupancies 2 1\n 1\naugmentation occupancies 1 1\n 1\n", "in order"),
        (" 0.5 0.5\n", "2 numbers that belong to no occupancies"),
        (" 0.5\n 2 2 1\n", "1 numbers that belong to no occupancies"),
        (" 0.5 ***\n 2 2 1\n", "expected occupancies, moments or a grid"),
        (" 2 2 3\n", r"a grid of 2 x 2 x 3 follows one of \(2, 2, 1\)"),
    ],
)
def test_incomplete_texts_are_refused(text: str, message: str) -> None:
    with pytest.raises(DensityFormatError, match=message):
        _read(text)
