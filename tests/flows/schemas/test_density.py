from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from scdp_flows.density import ChargeDensity, DensityKind
from scdp_flows.errors import DensityError
from scdp_flows.schemas.density import BlobReference, DensityDoc, GridInfo

if TYPE_CHECKING:
    from collections.abc import Callable

KIND = DensityKind("valence", "gth-pbe", "pbe", "gth-dzvp-molopt-sr")


def _density(
    *, kind: DensityKind | None = KIND, pbc: tuple[bool, bool, bool] = (False, False, False)
) -> ChargeDensity:
    values = np.full((4, 5, 8), 0.25)
    cell = np.diag([2.0, 3.0, 4.0])
    atoms = [[1, 1, 1], [1, 1, 1.74]]
    return ChargeDensity(values, cell, [0, 0, 0], [1, 1], atoms, pbc=pbc, kind=kind)  # type: ignore[arg-type]


def _doc(density: ChargeDensity) -> DensityDoc:
    return DensityDoc.from_charge_density(density, structure_hash="ab", settings_hash="cd")


def test_a_density_is_described_as_it_is() -> None:
    doc = _doc(_density())
    assert doc.integral_e == pytest.approx(0.25 * 24)
    assert (doc.formula, doc.elements, doc.n_atoms) == ("H2", ["H"], 2)
    assert doc.density_id == DensityDoc.make_id("ab", "cd")
    assert doc.kind_key == KIND.key()
    assert doc.positions[1] == (1.0, 1.0, 1.74)


def test_the_box_of_a_molecule_is_no_cell() -> None:
    assert _doc(_density()).cell is None
    crystal = _doc(_density(pbc=(True, True, True)))
    assert crystal.cell == ((2.0, 0.0, 0.0), (0.0, 3.0, 0.0), (0.0, 0.0, 4.0))


def test_the_grid_is_described_without_its_values() -> None:
    grid = GridInfo.from_charge_density(_density())
    assert grid.n_points == 160
    assert grid.spacing == pytest.approx((0.5, 0.6, 0.5))


def test_a_density_of_unknown_kind_is_refused() -> None:
    with pytest.raises(DensityError, match="kind"):
        _doc(_density(kind=None))


def test_the_identifier_belongs_to_the_hashes() -> None:
    with pytest.raises(ValidationError, match="make_id"):
        _doc(_density()).updated(settings_hash="ef")
    assert DensityDoc.make_id("a", "b") != DensityDoc.make_id("b", "a")


def test_a_refusal_needs_a_reason() -> None:
    doc = _doc(_density())
    with pytest.raises(ValidationError, match="reason"):
        doc.updated(status="refused")
    assert doc.updated(status="refused", reason="not converged").status == "refused"


def test_every_atom_needs_a_position(example: Callable[[str], dict[str, Any]]) -> None:
    stored = example("density")
    with pytest.raises(ValidationError, match="3 numbers but 2 positions"):
        DensityDoc.model_validate(stored | {"positions": stored["positions"][:2]})


def test_a_large_molecule_is_still_a_small_document() -> None:
    rng = np.random.default_rng(0)
    atoms = DensityDoc.structure_fields([6] * 200, rng.normal(size=(200, 3)))
    doc = _doc(_density()).updated(**atoms)
    assert len(json.dumps(doc.to_dict())) < 16_000


def test_a_reference_needs_a_checksum() -> None:
    with pytest.raises(ValidationError, match="key"):
        BlobReference(key="grid", size=1, compression="zlib", media="bytes")
