"""A short text names a basis set."""

from __future__ import annotations

import pytest

from scdp_models.basis.even_tempered import even_tempered_basis
from scdp_models.basis.library import crystal_basis, lean_basis
from scdp_models.basis.named import basis_from_spec
from scdp_models.errors import BasisError


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("lean", lean_basis([1, 6])),
        ("lean-1.8", lean_basis([1, 6], beta=1.8)),
        ("lean+small", lean_basis([1, 6], midpoints="small")),
        ("Lean-1.5-l13+smaller", lean_basis([1, 6], beta=1.5, lmax=(1, 3), midpoints="smaller")),
    ],
)
def test_lean_names(spec: str, expected: object) -> None:
    assert basis_from_spec(spec, [1, 6]) == expected


def test_crystal_names() -> None:
    assert basis_from_spec("crystal", [6, 14]) == crystal_basis([6, 14])
    wanted = crystal_basis([14], beta=1.7, midpoints="small")
    assert basis_from_spec("crystal-1.7+small", [14]) == wanted


def test_even_tempered_names() -> None:
    assert basis_from_spec("etb", [8]) == even_tempered_basis([8])
    assert basis_from_spec("etb-1.3+vo", [8]) == even_tempered_basis([8], beta=1.3, midpoints=True)
    assert basis_from_spec("etb-2.0+o", [8]).for_species(0) == even_tempered_basis([8]).species[8]
    cut = basis_from_spec("etb-2.0-max60", [8]).for_species(8)
    assert max(cut.exponents) <= 60 < max(basis_from_spec("etb", [8]).for_species(8).exponents)


@pytest.mark.parametrize("spec", ["", "leen", "lean2", "etb+small", "lean-2.0-l1", "etb--2"])
def test_other_texts_are_refused_with_examples(spec: str) -> None:
    with pytest.raises(BasisError, match=r"names no basis.*lean\+small"):
        basis_from_spec(spec, [1])


def test_a_missing_element_is_named() -> None:
    with pytest.raises(BasisError, match="26"):
        basis_from_spec("lean", [26])


def test_an_unknown_midpoint_set_lists_the_known() -> None:
    with pytest.raises(BasisError, match="small"):
        basis_from_spec("lean+tiny", [1])
