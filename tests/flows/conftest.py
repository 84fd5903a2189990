"""Stored examples of every document, and a DFT code that costs nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import numpy as np
import pytest
from jobflow import Flow, JobStore, run_locally
from jobflow.core.reference import find_and_resolve_references
from maggma.stores import MemoryStore
from pymatgen.core import Molecule

from scdp_flows.density import ChargeDensity
from scdp_flows.dft.attempts import attempt
from scdp_flows.dft.base import (
    DftCode,
    Fit,
    FitInfo,
    Label,
    NoDensity,
    Outcome,
    ScfInfo,
    ScfStart,
)
from scdp_flows.errors import CalculationError
from scdp_flows.flows.active_learning import ActiveLearningMaker
from scdp_flows.flows.ensemble import EnsembleTrainMaker
from scdp_flows.flows.label import LabelFlowMaker
from scdp_flows.io.structures import (
    as_arrays,
    check_closed_shell,
    check_structure,
    molecule_box,
)
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.campaign import BeginCampaignMaker, NextRoundMaker
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.select import SelectMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.kind import DensityKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from scdp_flows.dft.base import GivenDensity
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.jobs.training_process import Watch
    from scdp_flows.schemas.density import BlobReference
    from scdp_flows.stores.factory import Stores
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

Example = dict[str, Any]
T = TypeVar("T")


@pytest.fixture
def example(repository: Path) -> Callable[[str], Example]:
    """Give the content of a document as version 1 stored it."""

    def load(doc_type: str) -> Example:
        text = (repository / "tests" / "data" / "docs" / f"{doc_type}.v1.json").read_text()
        content: Example = json.loads(text)
        return content

    return load


@dataclass(frozen=True)
class GaussianCode(DftCode):
    """A DFT code in closed form: spherical atoms, each polarised towards its neighbours.

    Knows H, C and O, costs milliseconds, and keeps a list of what it computed.
    """

    spacing: float = 0.35
    padding: float = 3.0
    functional: str = "PBE"
    computed: ClassVar[list[str]] = []

    def kind(self) -> DensityKind:
        return DensityKind("valence", "gth-pbe", self.functional, "gth-tzvp", code="gaussian")

    def settings_hash(self) -> str:
        return f"{self.functional}-{self.spacing}-{self.padding}"

    def atomic_reference(self, elements: Iterable[int]) -> AtomicReference:
        from scdp_models.basis.shells import shell_charge
        from scdp_models.density.atomic import AtomicDensity, AtomicReference

        known = {1: (1.0, 0.5), 6: (4.0, 0.5), 8: (6.0, 0.8)}
        atoms = {
            z: AtomicDensity(n, (a,), (n / float(shell_charge(0, a)),))
            for z, (n, a) in known.items()
            if z in set(elements)
        }
        return AtomicReference("single Gaussians", atoms)

    def _run_many(
        self,
        function: Callable[..., T],
        arguments: Sequence[tuple[Any, ...]],
        *,
        n_processes: int | None,  # noqa: ARG002 - it needs no processes
    ) -> Iterator[Outcome[T]]:
        for index, given in enumerate(arguments):
            yield attempt(index, function, given)

    def seeded_only(
        self, structure: AtomicStructure, densities: Mapping[str, GivenDensity]
    ) -> list[ScfStart]:
        return [s for s in self.seeded_comparison(structure, densities) if s.start in densities]

    def seeded_comparison(
        self,
        structure: AtomicStructure,
        densities: Mapping[str, GivenDensity],
    ) -> list[ScfStart]:
        from scdp_models.density.coulomb import coulomb_error

        label = self.label(structure)
        assert label.fit is not None
        exact = label.fit.density
        refused = {n: one.reason for n, one in densities.items() if isinstance(one, NoDensity)}
        errors = {
            name: coulomb_error(cast("OrbitalDensity", density), exact)
            for name, density in densities.items()
            if name not in refused
        }
        iterations = dict.fromkeys(densities, 7) | dict.fromkeys(refused, 10)
        starts = {"default": 10, **iterations, "exact": 4}
        return [
            ScfStart(
                start=name,
                seed_used=name != "default" and name not in refused,
                fallback_reason=refused.get(name),
                converged=True,
                iterations=iterations,
                fock_builds=iterations + 1,
                energy_ha=-1.0,
                energy_ev=-27.2,
                cpu_s=0.1,
                wall_s=0.1,
                coulomb_error_ha=errors.get(name),
            )
            for name, iterations in starts.items()
        ]

    def label(self, structure: AtomicStructure, fit_basis: BasisSet | None = None) -> Label:
        from scdp_models.basis.library import lean_basis
        from scdp_models.density.evaluate import evaluate_on_grid

        check_structure(structure)
        check_closed_shell(structure)
        numbers, positions, _, _ = as_arrays(structure)
        if not set(numbers.tolist()) <= {1, 6, 8}:
            raise CalculationError(f"{structure.formula}: an element has no pseudopotential")
        self.computed.append(structure.formula)
        atoms = self.atomic_reference(numbers.tolist()).superposition(numbers, positions)
        difference = _polarisation(fit_basis or lean_basis(numbers), numbers, positions)
        box = molecule_box(positions, spacing=self.spacing, padding=self.padding)
        total = atoms + difference
        values = evaluate_on_grid(total, box.origin, box.cell, box.shape)
        density = ChargeDensity(values, box.cell, box.origin, numbers, positions, kind=self.kind())
        n_electrons = round(total.n_electrons())
        fit = FitInfo("lean", difference.n_functions, 0.0, total.n_electrons(), 0.0)
        scf = ScfInfo(-27.2, 10, 11, 5, 0.1, 0.1, conv_tol_ha=1e-7, grid_level=1)
        error = density.integral() - n_electrons
        return Label(density, scf, Fit(atoms, difference, fit), n_electrons, error, 0.1, 0.1)


def _polarisation(
    basis: BasisSet, numbers: NDArray[np.int64], positions: NDArray[np.float64]
) -> OrbitalDensity:
    """Put on each atom a p function that points to its neighbours."""
    from scdp_models.density.orbital import OrbitalDensity

    kept = basis.restricted_to(numbers.tolist())
    density = OrbitalDensity.from_basis(kept, numbers, positions)
    coefficients = density.coefficients.copy()
    vectors = positions[None] - positions[:, None]
    weights = numbers * np.exp(-np.linalg.norm(vectors, axis=-1))
    pulls = 0.02 * (weights[..., None] * vectors).sum(axis=1)
    for atom, pull in enumerate(pulls):
        own = (density.shell_centres == atom) & (density.shell_ls == 1)
        first = density.shell_offsets[np.flatnonzero(own)[1]]
        coefficients[first : first + 3] = pull[[1, 2, 0]]
    return replace(density, coefficients=coefficients)


@pytest.fixture
def gaussian_code() -> GaussianCode:
    """Give a DFT code that costs nothing; ``computed`` lists what it has computed."""
    GaussianCode.computed.clear()
    return GaussianCode()


@pytest.fixture
def molecules() -> list[Molecule]:
    """Give six small molecules of H, C and O, some of them alike."""
    water = [[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]]
    methane = 0.63 * np.array([[0, 0, 0], [1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]])
    return [
        Molecule(["H", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.74]]),
        Molecule(["H", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.80]]),
        Molecule(["O", "H", "H"], water),
        Molecule(["O", "H", "H"], 1.05 * np.array(water)),
        Molecule(["C", "H", "H", "H", "H"], methane),
        Molecule(["C", "O"], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.13]]),
    ]


@pytest.fixture
def instant_training(monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path) -> list[Path]:
    """Replace the training process by a copy; give the folders in which it was started."""
    from scdp_flows.jobs import train

    folders: list[Path] = []

    def copy(folder: Path, watch: Watch) -> bool:
        folders.append(folder)
        shutil.copy(tiny_checkpoint, folder / "model.safetensors")
        row = {"step": 6, "train_loss": 0.5, "validation_loss": 0.7, "seconds": 3.0}
        (folder / "metrics.jsonl").write_text(json.dumps(row) + "\n" + '{"step": 7, "tr')
        return True

    monkeypatch.setattr(train, "run_training", copy)
    return folders


@pytest.fixture
def run_flow() -> Callable[[Any], Any]:
    """Run a flow or job here and give its output."""

    def run(flow: Any) -> Any:
        store = JobStore(MemoryStore())
        run_locally(flow, log=False, store=store, raise_immediately=True)
        if isinstance(flow, Flow):
            return find_and_resolve_references(flow.output, store)
        return store.get_output(flow.uuid)

    return run


@pytest.fixture
def damage() -> Callable[[Stores, BlobReference], None]:
    """Give a function that changes a byte of a stored blob, as a bad disk does."""

    def change(stores: Stores, reference: BlobReference) -> None:
        folder = stores.path / "blobs" / reference.key[:2] / reference.key[2:4]
        file = folder / f"{reference.key}.{reference.compression}"
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)

    return change


@pytest.fixture
def put_density() -> Callable[..., Any]:
    """Give a function that stores a small density of a structure and returns its document."""
    from scdp_flows.io.structures import as_arrays, structure_hash
    from scdp_flows.schemas.density import DensityDoc
    from scdp_flows.schemas.identity import content_hash

    def put(stores: Any, structure: AtomicStructure, **fields: Any) -> DensityDoc:
        numbers, positions, cell, pbc = as_arrays(structure)
        kind = fields.pop("kind", DensityKind("valence", "gth-pbe", "PBE", "gth-dzvp"))
        level = fields.pop("level", 1.0)
        box = 8.0 * np.eye(3) if cell is None else cell
        ramp = np.linspace(0.5, 1.5, 64, dtype=np.float32).reshape(4, 4, 4)
        values = level * ramp * len(numbers) / abs(np.linalg.det(box))
        density = ChargeDensity(values, box, np.zeros(3), numbers, positions, pbc, kind=kind)
        doc = DensityDoc.from_charge_density(
            density,
            structure_hash=structure_hash(structure),
            settings_hash=content_hash([kind.key(), level])[:16],
        ).updated(**fields)
        stored: DensityDoc = stores.densities.put(doc, {"grid": density.to_arrays()})
        return stored

    return put


@pytest.fixture
def campaign_maker(gaussian_code: GaussianCode, tmp_path: Path) -> ActiveLearningMaker:
    """Make a campaign of two rounds with very small networks."""
    network = {"n_layers": 1, "n_channels": 4, "lmax": 1, "n_radial": 4, "radial_hidden": 8}
    training = {"n_steps": 4, "steps_per_round": 4, "batch_size": 2, "warmup_steps": 1}
    return ActiveLearningMaker(
        label_maker=LabelFlowMaker(label_maker=LabelMaker(code=gaussian_code, n_processes=1)),
        begin_maker=BeginCampaignMaker(n_first=3),
        dataset_maker=BuildDatasetMaker(split=SplitRule(validation=0.2), n_processes=1),
        ensemble_maker=EnsembleTrainMaker(
            n_models=2,
            train_maker=TrainMaker(network=network, training=training),
            evaluate_maker=EvaluateMaker(n_processes=1),
        ),
        select_maker=SelectMaker(n_structures=2),
        next_maker=NextRoundMaker(max_labels=5),
        store_path=str(tmp_path / "store"),
    )


@pytest.fixture
def hydrogens() -> list[Molecule]:
    """Give hydrogen molecules of many lengths."""
    lengths = np.linspace(0.6, 1.0, 9)
    return [Molecule(["H", "H"], [[0, 0, 0], [0, 0, length]]) for length in lengths]


@pytest.fixture
def two_models(tiny_checkpoint: Path, tmp_path: Path) -> list[str]:
    """Give two models that differ a little."""
    from scdp_models.checkpoint import load_checkpoint, save_checkpoint

    checkpoint = load_checkpoint(tiny_checkpoint)
    state = {k: 1.1 * v if v.is_floating_point() else v for k, v in checkpoint.state.items()}
    other = save_checkpoint(tmp_path / "other.safetensors", replace(checkpoint, state=state))
    return [str(tiny_checkpoint), str(other)]
