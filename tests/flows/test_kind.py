from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

from scdp_flows import density
from scdp_flows.errors import DensityError, KindMismatchError
from scdp_flows.kind import DensityKind, KindWarning

_KIND = DensityKind("valence", "gth-pbe", "pbe", "gth-dzvp-molopt-sr", code="pyscf 2.14")


def test_a_kind_survives_json() -> None:
    assert DensityKind.from_dict(_KIND.as_dict()) == _KIND
    assert all(isinstance(value, str) for value in _KIND.as_dict().values())


def test_marks_of_serialisers_are_ignored() -> None:
    assert DensityKind.from_dict({"@module": "x", "@class": "y", **_KIND.as_dict()}) == _KIND


def test_unknown_and_missing_fields_are_refused() -> None:
    with pytest.raises(DensityError, match="expected electrons, pseudopotential"):
        DensityKind.from_dict({**_KIND.as_dict(), "grid": "fine"})
    with pytest.raises(DensityError, match="fields"):
        DensityKind.from_dict({"electrons": "all"})


@pytest.mark.parametrize("change", [{"electrons": "some"}, {"spin": "up"}])
def test_impossible_words_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(DensityError, match="expected one of"):
        DensityKind.from_dict({**_KIND.as_dict(), **change})


def test_the_key_is_the_same_for_ever() -> None:
    # Stored documents carry it: a change of this value orphans them.
    assert _KIND.key() == "3c774231e83162fc"


def test_the_key_ignores_code_and_spelling_and_nothing_else() -> None:
    assert replace(_KIND, code="abinit").key() == _KIND.key()
    assert replace(_KIND, basis="GTH_DZVP-MOLOPT-SR ", functional="PBE").key() == _KIND.key()
    changes = {"electrons": "all", "pseudopotential": "x", "functional": "x", "basis": "x"}
    others = {replace(_KIND, **{name: value}).key() for name, value in changes.items()}
    others.add(replace(_KIND, spin="unrestricted").key())
    assert len(others | {_KIND.key()}) == 6


@pytest.mark.parametrize(
    "change", [{"electrons": "all"}, {"pseudopotential": "paw"}, {"functional": "scan"}]
)
def test_different_quantities_do_not_mix(change: dict[str, str]) -> None:
    other = DensityKind.from_dict({**_KIND.as_dict(), **change})
    with pytest.raises(KindMismatchError, match=next(iter(change))):
        _KIND.check_compatible(other)


def test_equal_quantities_mix_silently() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _KIND.check_compatible(replace(_KIND, code="cp2k", functional="PBE", spin="unrestricted"))


def test_another_basis_warns_with_its_size() -> None:
    with pytest.warns(KindWarning, match=r"0\.95 % NMAE"):
        _KIND.check_compatible(replace(_KIND, basis="gth-qzv3p"))
    with pytest.warns(KindWarning, match="unknown size"):
        _KIND.check_compatible(replace(_KIND, basis="gth-szv"))


@pytest.mark.parametrize(
    ("basis", "percent"),
    [("gth-dzvp", 1.9), ("GTH-DZVP-MOLOPT-SR", 0.95), ("gth-tzv2p", 0.6), ("gth-qzv3p", 0.0)],
)
def test_measured_differences_of_bases(basis: str, percent: float) -> None:
    assert DensityKind.known_basis_difference(basis, "gth-qzv3p") == percent
    assert DensityKind.known_basis_difference("gth-qzv3p", basis) == percent


def test_unmeasured_differences_are_unknown() -> None:
    assert DensityKind.known_basis_difference("gth-dzvp", "500 eV") is None


def test_the_kind_is_found_beside_the_densities() -> None:
    assert density.DensityKind is DensityKind
    assert density.KindWarning is KindWarning
