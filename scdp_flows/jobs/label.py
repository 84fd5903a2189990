"""Label structures by DFT: one job per batch, every finished structure stored at once."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jobflow import job

from scdp_flows.errors import DatasetError, ScdpFlowsError, StoreError
from scdp_flows.io.structure_arrays import multiplicity
from scdp_flows.io.structures import (
    as_arrays,
    check_structure,
    structure_hash,
    total_charge,
)
from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.batches import closed, raise_first, value_of
from scdp_flows.jobs.fit_basis import fit_basis
from scdp_flows.progress import Progress
from scdp_flows.schemas.density import DensityDoc, FitInfo, ScfInfo
from scdp_flows.schemas.identity import content_hash
from scdp_flows.schemas.outputs import LabelOutput, Refusal
from scdp_flows.schemas.provenance import Provenance
from scdp_flows.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scdp_flows.dft.base import DftCode, Label
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.stores.factory import Stores

__all__ = ["LabelMaker", "describe_label", "label_settings_hash", "merge_labels"]

Arrays = dict[str, "NDArray[Any]"]

_LOGGER = logging.getLogger(__name__)


@dataclass(kw_only=True)
class LabelMaker(StepMaker):
    """Make the job that computes the densities of a batch of structures.

    Finished structures are stored one by one and found again by structure and settings: a job that
    was killed continues where it stopped, and no structure is computed twice.
    """

    name: str = "label"
    code: DftCode
    """The DFT code and its settings."""
    basis: str | None = "lean"
    """Basis of the fit beside the grid (see :func:`scdp_models.basis.named.basis_from_spec`); None
    leaves the fit out."""
    n_processes: int | None = None
    """Structures computed at a time; None: as the settings say, on all cores by default."""

    @job(output_schema=LabelOutput)
    def make(self, structures: Sequence[AtomicStructure], tags: Sequence[str] = ()) -> LabelOutput:
        """Label structures.

        Parameters
        ----------
        structures
            Molecules or crystals, as the code can treat them.
        tags
            Free labels that the documents get, also those of structures labelled before.

        Raises
        ------
        DatasetError
            If there is no structure.
        ScdpFlowsError
            If not a single structure could be labelled: the reason if there is one structure, else
            a CalculationError. In other cases the output lists those without a label.
        StoreError
            If the store cannot be written.
        """
        if not structures:
            raise DatasetError("there are no structures to label; give at least one")
        start = time.monotonic()
        with self.open_stores() as stores:
            batch = _Batch(self, stores, list(structures), tags)
            batch.look_up()
            batch.compute()
        return batch.output(time.monotonic() - start)


@job(name="merge labels", output_schema=LabelOutput)
def merge_labels(batches: Sequence[LabelOutput]) -> LabelOutput:
    """Put the outputs of several batches together; positions count on from batch to batch.

    Parameters
    ----------
    batches
        The outputs.
    """
    failed, before = [], 0
    for batch in batches:
        failed += [item.updated(index=item.index + before) for item in batch.failed]
        before += batch.n_items
    return LabelOutput(
        density_ids=list(dict.fromkeys(key for batch in batches for key in batch.density_ids)),
        failed=failed,
        n_failed=sum(batch.n_failed for batch in batches),
        n_items=before,
        n_new=sum(batch.n_new for batch in batches),
        n_reused=sum(batch.n_reused for batch in batches),
        seconds=sum(batch.seconds for batch in batches),
    )


def label_settings_hash(code: DftCode, basis: str | None) -> str:
    """Return the settings hash of labels of a code that are fitted in a basis.

    Parameters
    ----------
    code
        The DFT code.
    basis
        Name of the basis set of the fit; None without fit.
    """
    return content_hash([code.settings_hash(), basis])[:16]


class _Task(NamedTuple):
    """A structure that has to be computed."""

    density_id: str
    structure: AtomicStructure
    settings_hash: str


class _Batch:
    """Keep track of the structures of one job."""

    def __init__(
        self,
        maker: LabelMaker,
        stores: Stores,
        structures: list[AtomicStructure],
        tags: Sequence[str],
    ) -> None:
        self.maker = maker
        self.stores = stores
        self.structures = structures
        self.tags = sorted(set(tags))
        self.indices: dict[str, list[int]] = {}
        self.tasks: list[_Task] = []
        self.errors: dict[int, ScdpFlowsError] = {}
        self.n_reused = 0

    def look_up(self) -> None:
        """Find what is stored already and what has to be computed, equal structures once."""
        for index, structure in enumerate(self.structures):
            try:
                task = self._task(structure)
            except ScdpFlowsError as error:
                self._fail([index], error)
                continue
            known = task.density_id in self.indices
            self.indices.setdefault(task.density_id, []).append(index)
            if known:
                continue
            doc = self.stores.densities.documents.find({"density_id": task.density_id})
            if doc is None or not self.stores.densities.is_whole(doc):
                self.tasks.append(task)
            else:
                self.n_reused += 1
                self._tag(doc)

    def _task(self, structure: AtomicStructure) -> _Task:
        check_structure(structure)
        basis = self.maker.basis
        numbers = as_arrays(structure)[0].tolist()
        name = None if basis is None else fit_basis(basis, numbers).name
        settings = label_settings_hash(self.maker.code, name)
        return _Task(DensityDoc.make_id(structure_hash(structure), settings), structure, settings)

    def compute(self) -> None:
        """Compute what is missing and store each result as soon as it is there."""
        if not self.tasks:
            return
        spec = self.maker.basis
        elements = {int(z) for task in self.tasks for z in as_arrays(task.structure)[0]}
        outcomes = self.maker.code.label_many(
            [task.structure for task in self.tasks],
            None if spec is None else fit_basis(spec, elements),
            n_processes=self.maker.n_processes or get_settings().N_PROCESSES,
        )
        total = self.n_reused + len(self.tasks)
        with Progress("label", total, done=self.n_reused) as progress, closed(outcomes) as results:
            for outcome in results:
                task = self.tasks[outcome.index]
                try:
                    self._store(task, value_of(outcome))
                except StoreError:
                    raise
                except ScdpFlowsError as error:
                    self._fail(self.indices.pop(task.density_id), error)
                progress.advance(task.structure.formula)

    def _store(self, task: _Task, label: Label) -> None:
        """Store one label: arrays first, then the document that points to them."""
        doc, arrays = describe_label(task.structure, label, settings_hash=task.settings_hash)
        atoms = self.maker.code.atomic_reference(set(doc.numbers)).to_dict()
        reference = self.stores.blobs.put(json.dumps(atoms, sort_keys=True).encode())
        self.stores.densities.put(
            doc.updated(tags=self.tags, blobs={"reference": reference}), arrays, keep_tags=True
        )

    def _tag(self, doc: DensityDoc) -> None:
        if not set(self.tags) <= set(doc.tags):
            self.stores.densities.tag(doc.density_id, self.tags)

    def _fail(self, indices: list[int], error: ScdpFlowsError) -> None:
        for index in indices:
            self.errors[index] = error
            _LOGGER.warning("structure %d cannot be labelled: %s", index, error)

    def output(self, seconds: float) -> LabelOutput:
        """Say what was done.

        Raises
        ------
        ScdpFlowsError
            If that was nothing.
        """
        if not self.indices:
            raise_first(self.errors, "labelled")
        failed = [
            Refusal.from_error(index, self.structures[index].formula, error)
            for index, error in sorted(self.errors.items())
        ]
        return LabelOutput(
            density_ids=list(self.indices),
            failed=failed,
            n_items=len(self.structures),
            n_new=len(self.indices) - self.n_reused,
            n_reused=self.n_reused,
            seconds=seconds,
        )


def describe_label(
    structure: AtomicStructure, label: Label, *, settings_hash: str
) -> tuple[DensityDoc, dict[str, Arrays]]:
    """Return document and arrays of a label; the grid is kept in single precision.

    Parameters
    ----------
    structure
        What was computed.
    label
        The result.
    settings_hash
        See :func:`label_settings_hash`.

    Raises
    ------
    DensityError
        If the density holds NaN or infinity.
    """
    density = replace(
        label.density,
        values=label.density.values.astype(np.float32),
        magnetization=_single(label.density.magnetization),
    )
    doc = DensityDoc.from_charge_density(
        density,
        structure_hash=structure_hash(structure),
        settings_hash=settings_hash,
        charge=total_charge(structure),
        spin_multiplicity=multiplicity(structure, default=1),
        source=_source(structure),
    ).updated(
        n_electrons=label.n_electrons,
        energy_ev=label.scf.energy_ev,
        fit=_fit_info(label),
        scf=_scf_info(label),
        provenance=Provenance.collect(code=density.kind.code if density.kind else None),
    )
    arrays: dict[str, Arrays] = {"grid": density.to_arrays()}
    if label.fit is not None:
        arrays["orbital"] = label.fit.density.to_arrays()
        if label.fit.spin is not None:
            arrays["spin"] = label.fit.spin.to_arrays()
    return doc, arrays


def _single(values: NDArray[np.floating] | None) -> NDArray[np.floating] | None:
    return None if values is None else values.astype(np.float32)


def _fit_info(label: Label) -> FitInfo | None:
    if label.fit is None:
        return None
    info = label.fit.info
    return FitInfo(
        basis=info.basis,
        n_functions=info.n_functions,
        nmae_percent=info.nmae_percent,
        coulomb_error_ha=info.coulomb_error_ha,
        residual_charge_e=info.n_electrons - label.n_electrons,
        spin_coulomb_error_ha=info.spin_coulomb_error_ha,
    )


def _scf_info(label: Label) -> ScfInfo:
    scf = label.scf
    return ScfInfo(
        iterations=scf.iterations,
        converged=True,  # others are no labels
        fock_builds=scf.fock_builds,
        cpu_s=scf.cpu_s,
        wall_s=scf.wall_s,
        n_orbitals=scf.n_orbitals,
        grid_level=scf.grid_level,
        conv_tol_ha=scf.conv_tol_ha,
        correction=scf.correction,
    )


def _source(structure: AtomicStructure) -> str | None:
    """Say where a structure came from, as its file said: 'qm7_id=12'."""
    properties = {
        name: value
        for name, value in sorted(structure.properties.items())
        if isinstance(value, str | int)
    }
    return ", ".join(f"{name}={value}" for name, value in properties.items()) or None
