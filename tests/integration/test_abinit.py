"""Label crystals and restart ABINIT from densities, as a user does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jobflow import run_locally
from pymatgen.core import Lattice, Structure

from scdp_flows.dft.abinit import AbinitCode, AbinitSettings
from scdp_flows.dft.plane_waves.gth import write_gth
from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.samples import load_fit
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.stores.factory import job_store, open_stores

if TYPE_CHECKING:
    from pathlib import Path

    from jobflow import Job

pytestmark = [pytest.mark.requires("abinit"), pytest.mark.requires("pyscf"), pytest.mark.slow]


def _silicon(shift: float) -> Structure:
    half = 5.43 / 2
    lattice = Lattice([[0, half, half], [half, 0, half], [half, half, 0]])
    return Structure(lattice, ["Si", "Si"], [[0.0, 0.0, 0.0], [0.25 + shift, 0.25, 0.25]])


@pytest.fixture
def code(tmp_path: Path) -> AbinitCode:
    """Give settings with which two atoms take half a second, and the atoms of PySCF."""
    settings = AbinitSettings(
        write_gth(tmp_path / "pseudo", ["Si"]),
        pseudo_dir=str(tmp_path / "pseudo"),
        ecut_ha=6.0,
        kshift=(1, 1, 1),
        diemac=12.0,
    )
    return AbinitCode(settings, reference=PyscfCode().atomic_reference([14]).to_dict())


def test_a_crystal_is_labelled_and_seeded(tmp_path: Path, code: AbinitCode) -> None:
    store = str(tmp_path / "store")
    database = job_store(tmp_path / "store")

    def execute(job: Job) -> Any:
        return run_locally(job, store=database, ensure_success=True, log=False)[job.uuid][1].output

    crystal = _silicon(0.006)
    labels = LabelMaker(code=code, basis="crystal", store_path=store, n_processes=1)
    (label_id,) = execute(labels.make([crystal])).density_ids
    with open_stores(store) as stores:
        document = stores.densities.get(label_id)
        fit = load_fit(document, stores)
    assert document.kind["pseudopotential"] == "gth-pbe"
    seeds = SeedMaker(code=code, store_path=store, n_processes=1)
    output = execute(seeds.make([crystal]))
    with open_stores(store) as stores:
        doc = stores.reports.seeds.get(output.seed_ids[0])
    starts = {start.start: start for start in doc.starts}
    assert {"default", "atomic", "exact"} <= set(starts)
    for name in ("atomic", "exact"):
        assert starts[name].seed_used, starts[name].fallback_reason
        assert abs(starts[name].energy_difference_ha or 0.0) < 1e-7
    assert starts["exact"].iterations == 1
    (again,) = code.compare_starts_many([crystal], [{"fit": fit}], n_processes=1)
    assert again.value is not None
    default, fitted, _ = again.value
    assert fitted.seed_used, fitted.fallback_reason
    assert fitted.iterations < default.iterations


def test_the_molecule_code_and_crystals_are_of_one_kind(code: AbinitCode) -> None:
    assert code.kind().pseudopotential == PyscfCode(PyscfSettings()).kind().pseudopotential
    assert code.kind().functional == PyscfCode(PyscfSettings()).kind().functional
