"""Normalisation of the shells, and the sets that hold them."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from scdp_models.basis.shells import (
    MIDPOINT,
    BasisSet,
    ElementBasis,
    radial_norm,
    shell_charge,
)
from scdp_models.errors import BasisError


@pytest.fixture
def basis() -> BasisSet:
    species = {8: ElementBasis((0, 1), (2.0, 0.5)), 1: ElementBasis((0,), (0.7,))}
    return BasisSet("test", {**species, MIDPOINT: ElementBasis((0, 2), (0.4, 0.6))})


@pytest.mark.parametrize("l", range(6))
@pytest.mark.parametrize("exponent", [0.08, 1.0, 4563.8])
def test_radial_norm_normalises(l: int, exponent: float) -> None:
    r = np.linspace(0, 12 / np.sqrt(exponent), 20001)
    radial = radial_norm(l, exponent) * r**l * np.exp(-exponent * r**2)
    assert np.trapezoid(radial**2 * r**2, r) == pytest.approx(1.0, rel=1e-7)


def test_shell_charge_is_the_integral() -> None:
    r = np.linspace(0, 12, 20001)
    s = radial_norm(0, 0.6) * np.exp(-0.6 * r**2) / np.sqrt(4 * np.pi)
    assert shell_charge(0, 0.6) == pytest.approx(np.trapezoid(4 * np.pi * r**2 * s, r), rel=1e-7)


def test_only_s_shells_carry_charge() -> None:
    charges = shell_charge([0, 1, 4], [1.0, 1.0, 1.0])
    assert charges[0] > 0
    np.testing.assert_array_equal(charges[1:], 0.0)


def test_functions_are_counted(basis: BasisSet) -> None:
    assert basis.for_species(8).n_functions == 4
    assert basis.for_species(8).count(1) == 1
    assert basis.lmax == 2
    assert basis.has_midpoints


def test_species_are_sorted_and_read_only(basis: BasisSet) -> None:
    assert list(basis.species) == [0, 1, 8]
    with pytest.raises(TypeError):
        basis.species[3] = ElementBasis((0,), (1.0,))  # type: ignore[index]


def test_json_round_trip(basis: BasisSet) -> None:
    assert BasisSet.from_dict(json.loads(json.dumps(basis.to_dict()))) == basis


def test_worker_processes_can_have_it(basis: BasisSet) -> None:
    assert pickle.loads(pickle.dumps(basis)) == basis  # noqa: S301 - our own bytes


def test_restriction_keeps_midpoints(basis: BasisSet) -> None:
    assert list(basis.restricted_to([1]).species) == [MIDPOINT, 1]


def test_missing_element_lists_what_there_is(basis: BasisSet) -> None:
    with pytest.raises(BasisError, match=r"atomic number 6 .*0, 1, 8"):
        basis.for_species(6)


@pytest.mark.parametrize(
    ("ls", "exponents", "message"),
    [
        ((0, 1), (1.0,), "2 degrees for 1 exponents"),
        ((), (), "0 degrees"),
        ((0,), (-1.0,), "positive and finite"),
        ((0,), (float("nan"),), "positive and finite"),
        ((1, 0), (1.0, 1.0), "sorted by degree"),
        ((-1,), (1.0,), "sorted by degree"),
    ],
)
def test_impossible_shells_are_refused(
    ls: tuple[int, ...], exponents: tuple[float, ...], message: str
) -> None:
    with pytest.raises(BasisError, match=message):
        ElementBasis(ls, exponents)


@pytest.mark.parametrize("document", [{}, {"name": "x"}, {"name": "x", "species": {"1": {}}}])
def test_other_documents_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(BasisError, match="not a basis set document"):
        BasisSet.from_dict(document)
