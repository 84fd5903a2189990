"""Fit stored densities that were read from files, so that models can be trained on them."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from jobflow import job
from pymatgen.core import Element

from scdp_flows.density import ChargeDensity
from scdp_flows.dft.grids.atoms import atoms_of, project_atoms, solve_atoms, valence_electrons
from scdp_flows.dft.grids.fit import fit_grid
from scdp_flows.errors import DatasetError, ScdpFlowsError, SettingsError
from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.batches import closed, raise_first
from scdp_flows.jobs.curate import select
from scdp_flows.jobs.fit_basis import fit_basis
from scdp_flows.jobs.samples import common_reference
from scdp_flows.parallel import map_parallel
from scdp_flows.progress import Progress
from scdp_flows.schemas.density import FitInfo
from scdp_flows.schemas.outputs import LabelOutput, Refusal
from scdp_flows.settings import get_settings
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from scdp_flows.dft.grids.atoms import AtomProjection
    from scdp_flows.schemas.density import DensityDoc
    from scdp_flows.stores.factory import Stores

__all__ = ["FitGridsMaker"]


@dataclass(kw_only=True)
class FitGridsMaker(StepMaker):
    """Make the job that fits Gaussian shells to stored densities that have none.

    What a model learns is the difference to superposed spherical atoms. Labels that were computed
    here bring their atoms; for densities of files they are fitted, to all densities of a kind at
    once, and stay the same for those that are added later.
    """

    name: str = "fit densities"
    basis: str = "lean"
    """Shells of the fit; see :func:`scdp_models.basis.named.basis_from_spec`."""
    electrons: dict[str, float] | None = None
    """Valence electrons of a neutral atom by chemical symbol, where the densities do not tell."""
    n_processes: int | None = None
    """Densities fitted at a time; None: as the settings say, on all cores by default."""

    @job(output_schema=LabelOutput)
    def make(
        self,
        criteria: Mapping[str, Any] | None = None,
        exclude: Mapping[str, Any] | None = None,
    ) -> LabelOutput:
        """Fit densities; those that have a fit in this basis, or were computed here, keep theirs.

        Parameters
        ----------
        criteria
            MongoDB query of the density store; None or empty means all.
        exclude
            MongoDB query for what is left out of what ``criteria`` finds.

        Raises
        ------
        DatasetError
            If there is no density, or nothing tells the valence electrons of an element.
        SettingsError
            If the basis lacks an element, or ``electrons`` names none.
        ScdpFlowsError
            If not a single density could be fitted; otherwise the output lists those.
        """
        start = time.monotonic()
        with self.open_stores() as stores:
            kinds: defaultdict[str, list[_Item]] = defaultdict(list)
            for index, doc in enumerate(select(stores.densities, criteria, exclude)):
                kinds[doc.kind_key].append(_Item.of(index, doc))
            if not kinds:
                raise DatasetError("there are no densities to fit; correct the query")
            batch = _Batch(self, stores, sum(map(len, kinds.values())))
            for key, items in kinds.items():
                batch.fit(key, items)
            if batch.errors and not batch.found:
                raise_first(batch.errors, "fitted", noun="densities")
            return batch.output(time.monotonic() - start)

    def known_electrons(self) -> dict[int, float]:
        """Return the given valence electrons by atomic number.

        Raises
        ------
        SettingsError
            If a symbol is no element.
        """
        try:
            return {Element(name).Z: float(n) for name, n in (self.electrons or {}).items()}
        except ValueError as error:
            raise SettingsError(f"electrons: {error}; use chemical symbols such as Na") from error


class _Item(NamedTuple):
    """What is remembered of a density until it is fitted."""

    place: int
    density_id: str
    formula: str
    atoms: Counter[int]
    n_electrons: float
    basis: str | None
    is_computed: bool

    @classmethod
    def of(cls, index: int, doc: DensityDoc) -> _Item:
        count = doc.n_electrons if doc.n_electrons is not None else doc.integral_e or 0.0
        return cls(
            index,
            doc.density_id,
            doc.formula,
            Counter(doc.numbers),
            count,
            doc.fit.basis if doc.fit else None,
            doc.scf is not None,
        )


class _Batch:
    """Fit the densities of one job, kind by kind."""

    def __init__(self, maker: FitGridsMaker, stores: Stores, total: int) -> None:
        self._maker = maker
        self._stores = stores
        self._path = maker.store_path and str(stores.path)
        self._processes = maker.n_processes or get_settings().N_PROCESSES
        self._n_items = total
        self._names: dict[int, str] = {}
        self.errors: dict[int, ScdpFlowsError] = {}
        self.found: dict[str, bool] = {}

    def fit(self, kind_key: str, items: Sequence[_Item]) -> None:
        """Fit the densities of one kind."""
        basis = fit_basis(self._maker.basis, {z for item in items for z in item.atoms}).name
        missing = []
        for item in items:
            if item.is_computed or item.basis == basis:
                self.found[item.density_id] = False
            else:
                missing.append(item)
        if not missing:
            return
        atoms = self._atoms(kind_key, missing)
        reference = self._stores.blobs.put(json.dumps(atoms, sort_keys=True).encode())
        fit = partial(_fit, store_path=self._path, reference=atoms, basis=self._maker.basis)
        for item, result in self._each(
            "fit", fit, [i for i in missing if i.place not in self.errors]
        ):
            arrays, info = result
            doc = self._stores.densities.get(item.density_id)
            doc = doc.updated(fit=info, blobs={**doc.blobs, "reference": reference})
            self._stores.densities.put(doc, {"orbital": arrays})
            self.found[item.density_id] = True

    def _atoms(self, kind_key: str, items: Sequence[_Item]) -> dict[str, Any]:
        """Return the spherical atoms of a kind; those that densities were fitted with stay."""
        fitted = {"kind_key": kind_key, "blobs.reference": {"$exists": True}}
        document = common_reference(self._stores.densities.query(fitted), self._stores.blobs)
        known = atoms_of(document)
        given = self._maker.known_electrons()
        given |= {z: atom.n_electrons for z, atom in known.atoms.items()}
        if all(z in known.atoms for item in items for z in item.atoms):
            return known.to_dict()
        valences = valence_electrons([(item.atoms, item.n_electrons) for item in items], given)
        project = partial(_project, store_path=self._path, known=document)
        parts = [part for _, part in self._each("fit atoms", project, items) if part is not None]
        if not parts:
            raise_first(self.errors, "fitted", noun="densities")
        return solve_atoms(parts, valences, known).to_dict()

    def _each(
        self, what: str, function: Callable[[str], Any], items: Sequence[_Item]
    ) -> Iterator[tuple[_Item, Any]]:
        """Yield what a function makes of each density that it can treat."""
        tasks = ((item.density_id,) for item in items)
        count = self._processes if len(items) > 1 else 1
        made = map_parallel(function, tasks, n_processes=count)
        with closed(made) as results, Progress(what, len(items)) as progress:
            for item, result in zip(items, results, strict=True):
                if isinstance(result, ScdpFlowsError):
                    self.errors[item.place] = result
                    self._names[item.place] = f"{item.density_id} ({item.formula})"
                else:
                    yield item, result
                progress.advance(item.formula)

    def output(self, seconds: float) -> LabelOutput:
        """Say what was done."""
        return LabelOutput(
            density_ids=list(self.found),
            failed=[
                Refusal.from_error(index, self._names[index], error)
                for index, error in sorted(self.errors.items())
            ],
            n_items=self._n_items,
            n_new=sum(self.found.values()),
            n_reused=len(self.found) - sum(self.found.values()),
            seconds=seconds,
        )


def _load(density_id: str, store_path: str | None) -> ChargeDensity:
    with open_stores(store_path) as stores:
        doc = stores.densities.get(density_id)
        return ChargeDensity.from_arrays(stores.densities.load_arrays(doc, "grid"))


def _project(
    density_id: str, *, store_path: str | None, known: dict[str, Any]
) -> AtomProjection | ScdpFlowsError | None:
    """Say what a density tells of atoms; errors are returned, since they cross processes."""
    try:
        return project_atoms(_load(density_id, store_path), atoms_of(known))
    except ScdpFlowsError as error:
        return error


def _fit(
    density_id: str, *, store_path: str | None, reference: dict[str, Any], basis: str
) -> tuple[dict[str, NDArray[Any]], FitInfo] | ScdpFlowsError:
    """Fit a density; errors are returned."""
    try:
        density, atoms = _load(density_id, store_path), atoms_of(reference)
        fit = fit_grid(density, atoms, fit_basis(basis, density.numbers.tolist()))
    except ScdpFlowsError as error:
        return error
    info, expected = fit.info, sum(atoms.atom(z).n_electrons for z in density.numbers.tolist())
    described = FitInfo(
        basis=info.basis,
        n_functions=info.n_functions,
        nmae_percent=info.nmae_percent,
        coulomb_error_ha=info.coulomb_error_ha,
        residual_charge_e=info.n_electrons - expected,
    )
    return fit.density.to_arrays(), described
