"""Turn stored labels into training samples, and pack them into shards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scdp_flows.errors import DatasetError
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scdp_flows.schemas.density import BlobReference, DensityDoc
    from scdp_flows.stores.blobs import BlobStore
    from scdp_flows.stores.factory import Stores
    from scdp_models.data.samples import GridLabel, TrainingSample
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["Recipe", "common_reference", "load_fit", "load_spin", "pack_stored", "sample_of"]

_TOLERANCE = 1e-6


class Recipe(NamedTuple):
    """How labels become samples."""

    basis: dict[str, Any]
    """The shells of the target, ``BasisSet.to_dict()``."""
    reference: dict[str, Any]
    """The spherical atoms, ``AtomicReference.to_dict()``."""
    target: str
    """``"delta"`` or ``"total"``."""
    keep_grid: bool
    """Whether the grid goes along, for losses that need it."""


def common_reference(docs: Iterable[DensityDoc], blobs: BlobStore) -> dict[str, Any]:
    """Return the spherical atoms that labels were fitted with, all elements together.

    Parameters
    ----------
    docs
        Labels.
    blobs
        Where their atoms are.

    Raises
    ------
    DatasetError
        If a label has no atoms, or two labels have different ones for an element.
    """
    merged: dict[str, Any] = {"name": "", "atoms": {}}
    seen: set[str] = set()
    for doc in docs:
        if "reference" not in doc.blobs or "orbital" not in doc.blobs:
            raise DatasetError(
                f"density {doc.density_id} ({doc.formula}) has no fit to Gaussian shells; fit it "
                "by 'scdp dataset fit', or leave it out"
            )
        blob = doc.blobs["reference"]
        if blob.key in seen:
            continue
        seen.add(blob.key)
        found = json.loads(blobs.get(blob))
        merged["name"] = merged["name"] or found["name"]
        for number, atom in found["atoms"].items():
            known = merged["atoms"].setdefault(number, atom)
            if not _same_atom(known, atom):
                raise DatasetError(
                    f"density {doc.density_id} ({doc.formula}) was fitted with another spherical "
                    f"atom {number} than the densities before it; take those of one kind, for "
                    f"instance by the query kind_key={doc.kind_key}, or label them with one "
                    "version of one code and the same settings"
                )
    return merged


def _same_atom(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Tell whether two atoms agree but for rounding on different machines."""
    same = len(a["exponents"]) == len(b["exponents"]) and a["n_electrons"] == b["n_electrons"]
    return same and all(
        np.allclose(a[name], b[name], rtol=_TOLERANCE, atol=_TOLERANCE)
        for name in ("exponents", "coefficients")
    )


def pack_stored(density_ids: list[str], store_path: str | None, recipe: Recipe) -> BlobReference:
    """Pack stored labels into one shard and store it; made to run in a process of its own.

    Parameters
    ----------
    density_ids
        The labels.
    store_path
        Folder of the embedded stores; None takes those of the settings.
    recipe
        What the samples shall be.
    """
    from scdp_models.data.shards import pack_shard

    with open_stores(store_path) as stores:
        docs = [stores.densities.get(density_id) for density_id in density_ids]
        return stores.blobs.put(pack_shard([sample_of(doc, stores, recipe) for doc in docs]))


def sample_of(doc: DensityDoc, stores: Stores, recipe: Recipe) -> TrainingSample:
    """Return the training sample of a stored label.

    Parameters
    ----------
    doc
        The label.
    stores
        Where its arrays are.
    recipe
        What the sample shall be.

    Raises
    ------
    DatasetError
        If the label cannot be expressed in the basis.
    """
    from scdp_models.basis.shells import BasisSet
    from scdp_models.data.samples import make_sample, with_spin
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.errors import ScdpModelsError

    try:
        sample = make_sample(
            doc.density_id,
            load_fit(doc, stores),
            BasisSet.from_dict(recipe.basis),
            AtomicReference.from_dict(recipe.reference),
            target=recipe.target,
            grid=_grid(doc, stores) if recipe.keep_grid else None,
        )
        # Models know the spins of molecules: a crystal's moment is no whole number that were given.
        if "spin" not in doc.blobs or any(doc.pbc):
            return sample
        return with_spin(sample, load_spin(doc, stores))
    except ScdpModelsError as error:
        raise DatasetError(f"density {doc.density_id} ({doc.formula}): {error}") from error


def load_fit(doc: DensityDoc, stores: Stores) -> OrbitalDensity:
    """Return a stored label in Gaussian shells.

    Raises
    ------
    UnknownNameError
        If it was not fitted.
    """
    from scdp_models.density.orbital import OrbitalDensity

    return OrbitalDensity.from_arrays(stores.densities.load_arrays(doc, "orbital"))


def load_spin(doc: DensityDoc, stores: Stores) -> OrbitalDensity:
    """Return the spin density of a stored label in Gaussian shells, up less down.

    Raises
    ------
    UnknownNameError
        If it has none.
    """
    from scdp_models.density.orbital import OrbitalDensity

    return OrbitalDensity.from_arrays(stores.densities.load_arrays(doc, "spin"))


def _grid(doc: DensityDoc, stores: Stores) -> GridLabel:
    from scdp_models.data.samples import GridLabel

    arrays = stores.densities.load_arrays(doc, "grid")
    return GridLabel(arrays["values"].astype(np.float32), arrays["origin"], arrays["cell"])
