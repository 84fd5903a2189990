"""Training samples hold what the labels say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DatasetError
from scdp_flows.jobs.fit_basis import fit_basis
from scdp_flows.jobs.samples import Recipe, common_reference, pack_stored, sample_of
from scdp_flows.stores.factory import Stores, open_stores

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scdp_flows.schemas.density import DensityDoc


@pytest.fixture
def stores(store_path: str) -> Iterator[Stores]:
    """Open the stores."""
    with open_stores(store_path) as opened:
        yield opened


def _recipe(doc: DensityDoc, stores: Stores, target: str = "delta") -> Recipe:
    basis = fit_basis("lean", doc.numbers).to_dict()
    return Recipe(basis, common_reference([doc], stores.blobs), target, keep_grid=True)


def test_atoms_of_all_elements_are_put_together(labels: list[str], stores: Stores) -> None:
    docs = [stores.densities.get(density_id) for density_id in labels]
    assert set(common_reference(docs, stores.blobs)["atoms"]) == {"1", "6", "8"}
    assert set(common_reference(docs[:1], stores.blobs)["atoms"]) == {"1"}


def test_labels_with_other_atoms_are_not_mixed(labels: list[str], stores: Stores) -> None:
    first, second = (stores.densities.get(density_id) for density_id in labels[:2])
    atoms = json.loads(stores.blobs.get(first.blobs["reference"]))
    atoms["atoms"]["1"]["coefficients"][0] *= 1.01
    other = stores.blobs.put(json.dumps(atoms).encode())
    changed = second.updated(blobs={**second.blobs, "reference": other})
    with pytest.raises(DatasetError, match=r"another spherical atom 1"):
        common_reference([first, changed], stores.blobs)


def test_a_label_without_fit_is_named(labels: list[str], stores: Stores) -> None:
    doc = stores.densities.get(labels[2])
    with pytest.raises(DatasetError, match=r"H2O.*no fit"):
        common_reference([doc.updated(blobs={"grid": doc.blobs["grid"]})], stores.blobs)


def test_atoms_and_difference_give_the_label_back(labels: list[str], stores: Stores) -> None:
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.evaluate import evaluate_on_grid

    doc = stores.densities.get(labels[2])
    recipe = _recipe(doc, stores)
    sample = sample_of(doc, stores, recipe)
    atoms = AtomicReference.from_dict(recipe.reference).superposition(doc.numbers, doc.positions)
    assert sample.grid is not None
    values = evaluate_on_grid(
        atoms + sample.template, sample.grid.origin, sample.grid.cell, sample.grid.values.shape
    )
    np.testing.assert_allclose(values, sample.grid.values, atol=2e-4)
    assert sample.template.n_electrons() == pytest.approx(0, abs=1e-9)


def test_spins_are_learnt_of_molecules_only(labels: list[str], stores: Stores) -> None:
    doc = stores.densities.get(labels[2])
    recipe = _recipe(doc, stores)
    open_shell = doc.updated(blobs={**doc.blobs, "spin": doc.blobs["orbital"]})
    assert sample_of(open_shell, stores, recipe).spin is not None
    cell = ((9.0, 0.0, 0.0), (0.0, 9.0, 0.0), (0.0, 0.0, 9.0))
    crystal = open_shell.updated(pbc=(True, True, True), cell=cell)
    assert sample_of(crystal, stores, recipe).spin is None


def test_the_total_target_holds_all_electrons(labels: list[str], stores: Stores) -> None:
    doc = stores.densities.get(labels[2])
    sample = sample_of(doc, stores, _recipe(doc, stores, "total"))
    assert sample.template.n_electrons() == pytest.approx(8, abs=1e-9)


def test_an_impossible_target_is_a_dataset_error(labels: list[str], stores: Stores) -> None:
    doc = stores.densities.get(labels[2])
    with pytest.raises(DatasetError, match=r"H2O.*unknown target 'half'"):
        sample_of(doc, stores, _recipe(doc, stores, "half"))


def test_a_packed_shard_can_be_trained_on(
    labels: list[str], stores: Stores, store_path: str, tmp_path: Path
) -> None:
    from scdp_models.data.shards import ShardReader

    recipe = _recipe(stores.densities.get(labels[2]), stores)
    reference = pack_stored(labels[2:4], store_path, recipe)
    (tmp_path / "shard").write_bytes(stores.blobs.get(reference))
    reader = ShardReader([tmp_path / "shard"])
    assert reader.keys == labels[2:4]
    assert reader[1].template.numbers.tolist() == [8, 1, 1]
