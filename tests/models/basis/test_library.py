"""Lean valence bases."""

from __future__ import annotations

import numpy as np
import pytest

from scdp_models.basis.even_tempered import even_tempered_shells
from scdp_models.basis.library import (
    CRYSTAL_ELEMENTS,
    LEAN_ELEMENTS,
    MIDPOINT_SETS,
    crystal_basis,
    lean_basis,
)
from scdp_models.errors import BasisError


def test_function_counts_of_the_elements_it_was_made_for() -> None:
    basis = lean_basis([1, 6, 7, 8])
    counts = {z: basis.for_species(z).n_functions for z in basis.species}
    assert counts == {1: 42, 6: 105, 7: 106, 8: 114}


@pytest.mark.parametrize("number", LEAN_ELEMENTS)
@pytest.mark.parametrize("beta", [1.5, 2.0, 2.5])
def test_series_are_even_tempered_and_reach_over_their_range(number: int, beta: float) -> None:
    shells = lean_basis([number], beta=beta).for_species(number)
    exponents, ls = np.array(shells.exponents), np.array(shells.ls)
    same = ls[1:] == ls[:-1]
    np.testing.assert_allclose((exponents[1:] / exponents[:-1])[same], beta)
    widest = lean_basis([number]).for_species(number)
    assert exponents.min() == min(widest.exponents)
    assert max(exponents[ls == 0]) >= max(widest.exponents) / 2


@pytest.mark.parametrize("number", LEAN_ELEMENTS)
def test_lean_means_fewer_functions_than_the_published_set(number: int) -> None:
    lean = lean_basis([number]).for_species(number)
    assert lean.n_functions < even_tempered_shells(number).n_functions


def test_degrees_are_limited_apart_for_hydrogen_and_the_rest() -> None:
    basis = lean_basis([1, 8], lmax=(1, 3))
    assert max(basis.for_species(1).ls) == 1
    assert max(basis.for_species(8).ls) == 3
    assert basis.name == "lean-b2-l13"


@pytest.mark.parametrize(("name", "functions"), [("small", 14), ("smaller", 6)])
def test_midpoint_sets_have_the_advertised_size(name: str, functions: int) -> None:
    assert name in MIDPOINT_SETS
    assert lean_basis([1], midpoints=name).for_species(0).n_functions == functions


def test_what_is_not_in_the_library_is_refused_with_what_is() -> None:
    with pytest.raises(BasisError, match=r"atomic number 26.*1, 6, 7.*even_tempered_basis"):
        lean_basis([1, 26])
    with pytest.raises(BasisError, match=r"'big'.*known: none, small, smaller"):
        lean_basis([1], midpoints="big")


@pytest.mark.parametrize("number", CRYSTAL_ELEMENTS)
def test_crystals_have_diffuse_shells_and_nothing_tight(number: int) -> None:
    crystal = crystal_basis([number]).for_species(number)
    assert max(crystal.ls) >= 3
    assert min(crystal.exponents) <= 0.2
    assert max(crystal.exponents) < 30


def test_silicon_in_crystals_reaches_degree_four() -> None:
    basis = crystal_basis([14], midpoints="smaller")
    assert basis.for_species(14).n_functions == 87
    assert basis.for_species(0).n_functions == 6
    assert basis.name == "crystal-b2-smaller"


def test_an_element_without_a_range_for_crystals_is_refused() -> None:
    with pytest.raises(BasisError, match="crystals of atomic number 1 "):
        crystal_basis([1])
