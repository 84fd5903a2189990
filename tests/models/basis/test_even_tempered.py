"""Even-tempered bases: identical to those of the published implementation."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_models.basis.even_tempered import even_tempered_basis, even_tempered_shells
from scdp_models.errors import BasisError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def published(repository: Path) -> dict[str, dict[str, Any]]:
    path = repository / "tests" / "data" / "scdp_reference" / "etb_def2-qzvppd.json.gz"
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        document: dict[str, dict[str, Any]] = json.load(stream)
    return document


@pytest.mark.parametrize("beta", ["2.0", "1.5", "1.3"])
def test_all_elements_agree_with_the_published_implementation(
    published: dict[str, dict[str, Any]], beta: str
) -> None:
    assert sorted(map(int, published[beta])) == list(range(1, 37))
    for number, expected in published[beta].items():
        shells = even_tempered_shells(int(number), float(beta))
        assert list(shells.ls) == expected["Ls"]
        np.testing.assert_allclose(shells.exponents, expected["expos"], rtol=1e-12)


def test_neighbouring_exponents_have_the_ratio_asked_for() -> None:
    shells = even_tempered_shells(8, 1.7)
    exponents, ls = np.array(shells.exponents), np.array(shells.ls)
    ratios = (exponents[:-1] / exponents[1:])[ls[:-1] == ls[1:]]
    np.testing.assert_allclose(ratios, 1.7)


def test_bounds_drop_shells_and_nothing_else() -> None:
    full, cut = even_tempered_shells(8), even_tempered_shells(8, min_exponent=0.12, max_exponent=60)
    wanted = [(l, a) for l, a in zip(full.ls, full.exponents, strict=True) if 0.12 <= a <= 60]
    assert list(zip(cut.ls, cut.exponents, strict=True)) == wanted
    assert 0 < len(wanted) < full.n_shells


def test_midpoints_carry_the_oxygen_set() -> None:
    basis = even_tempered_basis([1, 6], midpoints=True)
    assert basis.for_species(0) == even_tempered_shells(8)
    assert basis.name == "etb-b2-vo"
    assert not even_tempered_basis([1, 0, 6]).has_midpoints


@pytest.mark.parametrize(
    ("number", "beta", "said"),
    [(37, 2.0, "37.*H to Kr"), (0, 2.0, "H to Kr"), (1, 1.0, "beta is 1.0"), (1, 0.5, "above 1")],
)
def test_what_has_no_basis_is_refused(number: int, beta: float, said: str) -> None:
    with pytest.raises(BasisError, match=said):
        even_tempered_shells(number, beta)


def test_bounds_that_leave_nothing_are_refused() -> None:
    with pytest.raises(BasisError, match="no shell of element 1"):
        even_tempered_shells(1, max_exponent=1e-3)
