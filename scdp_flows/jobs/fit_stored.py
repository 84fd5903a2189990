"""Fit stored densities of crystals by Gaussian shells, so that models can be trained on them.

Densities of other programs come as grids alone. Their spherical atoms are found by least squares
over all crystals that are fitted together; later ones get the atoms that are there.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import job

from scdp_flows.density import ChargeDensity
from scdp_flows.dft.plane_waves.fit import fit_grid
from scdp_flows.dft.vasp.atoms import common_atoms, fit_atoms
from scdp_flows.errors import DatasetError, ScdpFlowsError
from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.build_dataset import common_kind, find_labels
from scdp_flows.jobs.fit_basis import fit_basis
from scdp_flows.jobs.samples import common_reference
from scdp_flows.progress import Progress
from scdp_flows.schemas.density import FitInfo
from scdp_flows.schemas.identity import symbols
from scdp_flows.schemas.outputs import LabelOutput, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scdp_flows.schemas.density import DensityDoc
    from scdp_flows.stores.factory import Stores
    from scdp_models.density.atomic import AtomicReference

__all__ = ["FitMaker", "neutral_atoms"]

_WHOLE = 0.05  # electrons
_FOR_ATOMS = 50


@dataclass(kw_only=True)
class FitMaker(StepMaker):
    """Make the job that fits stored densities which have no fit yet."""

    name: str = "fit"
    basis: str = "lean+small"
    """Basis of the difference to the atoms, see
    :func:`scdp_models.basis.named.basis_from_spec`."""
    electrons: dict[str, float] | None = None
    """Valence electrons of a neutral atom by chemical symbol; None: found from the electron counts
    of the crystals, where these allow it."""

    @job(output_schema=LabelOutput)
    def make(
        self,
        density_ids: Sequence[str] | None = None,
        *,
        criteria: Mapping[str, Any] | None = None,
    ) -> LabelOutput:
        """Fit densities of one kind.

        Parameters
        ----------
        density_ids
            Which; None takes those that the query finds.
        criteria
            MongoDB query of the density store.

        Raises
        ------
        DatasetError
            If there are none, or the valence electrons of their elements cannot be told.
        KindMismatchError
            If they are of several kinds.
        """
        start = time.monotonic()
        with self.open_stores() as stores:
            if density_ids is not None:
                docs = find_labels(stores.densities, density_ids)
            else:
                docs = list(stores.densities.query({**(criteria or {}), "status": "ok"}))
            if not docs:
                raise DatasetError("there are no densities to fit; ingest some first")
            common_kind(docs)
            new = [doc for doc in docs if "orbital" not in doc.blobs]
            failed = self._fit_all(docs, new, stores) if new else []
        bad = {refusal.item for refusal in failed}
        return LabelOutput(
            density_ids=[doc.density_id for doc in docs if doc.density_id not in bad],
            failed=failed,
            n_items=len(docs),
            n_new=len(new) - len(failed),
            n_reused=len(docs) - len(new),
            seconds=time.monotonic() - start,
        )

    def _fit_all(
        self, docs: list[DensityDoc], new: list[DensityDoc], stores: Stores
    ) -> list[Refusal]:
        """Fit and store; return what could not be fitted."""
        known = self._known_atoms(new[0].kind_key, stores)
        reference = self._atoms(docs, new, known, stores)
        blob = stores.blobs.put(json.dumps(reference.to_dict(), sort_keys=True).encode())
        failed = []
        with Progress("fit", len(new)) as progress:
            for index, doc in enumerate(new):
                try:
                    self._fit(doc, reference, blob, stores)
                except ScdpFlowsError as error:
                    failed.append(Refusal.from_error(index, doc.density_id, error))
                progress.advance(doc.formula)
        return failed

    def _known_atoms(self, kind_key: str, stores: Stores) -> dict[str, Any]:
        """Return the atoms of the densities of a kind that have a fit already."""
        fitted = stores.densities.query({"kind_key": kind_key, "fit": {"$ne": None}})
        found = [doc for doc in fitted if {"orbital", "reference"} <= set(doc.blobs)]
        return common_reference(found, stores.blobs)["atoms"] if found else {}

    def _atoms(
        self,
        docs: list[DensityDoc],
        new: list[DensityDoc],
        known: dict[str, Any],
        stores: Stores,
    ) -> AtomicReference:
        """Return the atoms of all elements, those that are known as they are."""
        valences = self.electrons or neutral_atoms(docs)
        found = []
        for doc in new[:_FOR_ATOMS]:
            density = _grid(doc, stores)
            neutral = np.array([valences[symbol] for symbol in symbols(density.numbers)])
            found.append(fit_atoms(density, neutral))
        reference = common_atoms(found)
        document = reference.to_dict()
        merged = {**document, "atoms": {**document["atoms"], **known}}
        made: AtomicReference = type(reference).from_dict(merged)
        return made

    def _fit(self, doc: DensityDoc, reference: AtomicReference, blob: Any, stores: Stores) -> None:
        """Fit one density and add the fit to its document."""
        density = _grid(doc, stores)
        basis = fit_basis(self.basis, set(doc.numbers))
        n_electrons = doc.n_electrons or float(round(density.integral()))
        fit = fit_grid(density, n_electrons, reference, basis)
        info = FitInfo(
            basis=fit.info.basis,
            n_functions=fit.info.n_functions,
            nmae_percent=fit.info.nmae_percent,
            coulomb_error_ha=fit.info.coulomb_error_ha,
            residual_charge_e=fit.info.n_electrons - n_electrons,
        )
        changed = doc.updated(fit=info, blobs={**doc.blobs, "reference": blob})
        stores.densities.put(changed, {"orbital": fit.density.to_arrays()})


def _grid(doc: DensityDoc, stores: Stores) -> ChargeDensity:
    """Return the density of a crystal on its grid.

    Raises
    ------
    DatasetError
        If it is no crystal or has no grid.
    """
    if "grid" not in doc.blobs or not all(doc.pbc):
        raise DatasetError(
            f"density {doc.density_id} ({doc.formula}) is no crystal on a grid; leave it out"
        )
    return ChargeDensity.from_arrays(stores.densities.load_arrays(doc, "grid"))


def neutral_atoms(docs: Sequence[DensityDoc]) -> dict[str, float]:
    """Return the valence electrons of each element, from the electron counts of crystals.

    Raises
    ------
    DatasetError
        If the crystals leave it open, or are charged.
    """
    elements = sorted({symbol for doc in docs for symbol in doc.elements})
    counts = np.array([[symbols(doc.numbers).count(e) for e in elements] for doc in docs])
    totals = np.array([doc.n_electrons or doc.integral_e or 0.0 for doc in docs])
    found = np.linalg.lstsq(counts.astype(float), totals, rcond=None)[0]
    off = np.abs(counts @ np.rint(found) - totals).max()
    if np.linalg.matrix_rank(counts) < len(elements) or off > _WHOLE:
        raise DatasetError(
            f"the valence electrons of {', '.join(elements)} do not follow from {len(docs)} "
            "densities; give them as electrons, for instance Na=1 and Cl=7"
        )
    return dict(zip(elements, np.rint(found).tolist(), strict=True))
