"""Label crystals, train a model on them and restart Quantum ESPRESSO from its prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
from jobflow import run_locally
from pymatgen.core import Lattice, Structure

from scdp_flows.dft.espresso import EspressoCode, EspressoSettings
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.stores.factory import job_store, open_stores

if TYPE_CHECKING:
    from pathlib import Path

    from jobflow import Job

    from scdp_models.density.orbital import OrbitalDensity

pytestmark = [pytest.mark.requires("espresso"), pytest.mark.slow]


def _silicon(shift: float) -> Structure:
    half = 5.43 / 2
    lattice = Lattice([[0, half, half], [half, 0, half], [half, half, 0]])
    return Structure(lattice, ["Si", "Si"], [[0.0, 0.0, 0.0], [0.25 + shift, 0.25, 0.25]])


@pytest.fixture
def code() -> EspressoCode:
    """Give settings with which two atoms take a quarter of a second."""
    settings = EspressoSettings(
        {"Si": "Si.pbe-rrkj.UPF"},
        ecutwfc_ry=12.0,
        kpoints=(1, 1, 1),
        kshift=(1, 1, 1),
        conv_thr_ry=1e-8,
    )
    return EspressoCode(settings)


def test_a_model_of_crystals_is_trained_and_used(tmp_path: Path, code: EspressoCode) -> None:
    store = str(tmp_path / "store")
    database = job_store(tmp_path / "store")

    def execute(job: Job) -> Any:
        return run_locally(job, store=database, ensure_success=True, log=False)[job.uuid][1].output

    structures = [_silicon(0.004 * n) for n in range(1, 4)]
    labels = LabelMaker(code=code, basis="crystal", store_path=store, n_processes=1)
    ids = execute(labels.make(structures)).density_ids
    maker = BuildDatasetMaker(
        dataset_name="si", split=SplitRule(validation=0.4), store_path=store, n_processes=1
    )
    dataset = execute(maker.make(ids, test_ids=[]))
    train = TrainMaker(
        model_name="si",
        network={"n_layers": 1, "n_channels": 4, "n_radial": 4, "radial_hidden": 8},
        training={"n_steps": 6, "steps_per_round": 3, "batch_size": 2, "threads": 1},
        store_path=store,
    )
    model = execute(train.make(dataset.dataset_id))
    predictor = ScdpPredictor(model.model_id, store_path=store, name="predicted")
    seeds = SeedMaker(code=code, store_path=store, n_processes=1)
    output = execute(seeds.make([_silicon(0.006)], predictors=[predictor]))
    with open_stores(store) as stores:
        doc = stores.reports.seeds.get(output.seed_ids[0])
    starts = {start.start: start for start in doc.starts}
    assert set(starts) == {"default", "atomic", "predicted", "exact"}
    for name in ("atomic", "predicted", "exact"):
        assert starts[name].seed_used, starts[name].fallback_reason
        assert abs(starts[name].energy_difference_ha or 0.0) < 1e-7
    # Labels that hardly differ: six steps bring the mean difference to the atoms.
    assert (starts["predicted"].coulomb_error_ha or 1) < (starts["atomic"].coulomb_error_ha or 0)
    assert starts["exact"].iterations <= 2
    assert starts["predicted"].seed_cpu_s > 0


def _hydrogen(code: EspressoCode) -> tuple[Structure, OrbitalDensity]:
    lattice = Lattice.cubic(3.0)
    hydrogen = Structure(lattice, ["H", "H"], [[0.0, 0.0, 0.0], [0.25, 0.0, 0.0]])
    return hydrogen, code.atomic_reference([1]).superposition(
        np.array([1, 1]), hydrogen.cart_coords, lattice.matrix, (True, True, True)
    )


@pytest.mark.parametrize("spin", ["restricted", "unrestricted"])
def test_augmented_waves_start_only_from_their_own_density(
    spin: Literal["restricted", "unrestricted"],
) -> None:
    settings = EspressoSettings(
        {"H": "H.pbe-kjpaw.UPF"},
        ecutwfc_ry=20.0,
        kshift=(1, 1, 1),
        conv_thr_ry=1e-6,
        smearing="mv",
        spin=spin,
    )
    code = EspressoCode(settings)
    hydrogen, atoms = _hydrogen(code)
    _, atomic, exact = code.seeded_comparison(hydrogen, {"atomic": atoms})
    assert not atomic.seed_used
    expected = "paw.txt" if spin == "restricted" else "two spins"
    assert expected in (atomic.fallback_reason or "")
    assert exact.seed_used, exact.fallback_reason
    assert exact.iterations <= 4


def test_occupancies_are_found_by_a_preliminary_cycle() -> None:
    settings = EspressoSettings(
        {"H": "H.pbe-kjpaw.UPF"}, ecutwfc_ry=20.0, kshift=(1, 1, 1), forces=True
    )
    code = EspressoCode(settings, paw_bootstrap=True)
    hydrogen, atoms = _hydrogen(code)
    default, atomic, _ = code.seeded_comparison(hydrogen, {"atomic": atoms})
    assert atomic.seed_used, atomic.fallback_reason
    assert abs(atomic.energy_difference_ha or 0.0) < 1e-7
    assert (atomic.force_difference_ev_ang or 1.0) < 1e-2
    # The preliminary runs are work and say so.
    assert atomic.seed_cpu_s > 0.1 * default.cpu_s
    assert atomic.iterations == len(atomic.energies_ha) + 1
