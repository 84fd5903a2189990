# %% [markdown]
# # From a folder of VASP runs to seeded relaxations
#
# You have years of VASP runs. This page goes the whole way: look at what is there, compute what is
# missing, train a model of *your* densities and of your PAW occupancies, and let relaxations of
# atomate2 start from them.
#
# survey → what to compute again → densities and fits → model, with its cost → occupancies → seeds
#
# VASP is licensed, so that a stand-in runs here, `tests/fake_vasp.py`: it reads and writes VASP's
# files as strictly, with the energies of a classical potential and a density of atoms and bonds.
# One log in the folder is of a real run. **Numbers of electronic steps are made up; times, sizes
# and errors of the model are measured.** With `SCDP_TUTORIAL_SMALL=1` the model hardly learns.

# %%
import io
import os
import shutil
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")

import numpy as np
import pymatgen.core
from atomate2.vasp.jobs.base import BaseVaspMaker
from atomate2.vasp.jobs.core import RelaxMaker, StaticMaker
from atomate2.vasp.powerups import update_user_incar_settings, update_user_kpoints_settings
from jobflow import run_locally
from pymatgen.core import Lattice, Structure

import scdp_flows
from scdp_flows.stores.factory import job_store, open_stores

SMALL = os.environ.get("SCDP_TUTORIAL_SMALL") == "1"
TESTS = Path(scdp_flows.__file__).parents[1] / "tests"
STORE = str(Path("store").absolute())
RUNS = str(Path("runs").absolute())


def run(work: Any, folder: str = "runs") -> dict[str, Any]:
    """Run a job or flow here and now, each job in a folder of its own; return all outputs."""
    Path(folder).mkdir(exist_ok=True)
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        done = run_locally(
            work,
            create_folders=True,
            root_dir=folder,
            store=job_store(STORE),
            raise_immediately=True,
        )
    return {uuid: attempts[max(attempts)].output for uuid, attempts in done.items()}


# %% [markdown]
# The stand-in takes VASP's name, and calculations are made cheap.

# %%
Path("bin").mkdir()
for name in ("vasp_std", "vasp_gam"):
    program = Path("bin", name)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{TESTS / "fake_vasp.py"}"\n')
    program.chmod(0o755)
os.environ["PATH"] = f"{Path('bin').absolute()}{os.pathsep}{os.environ['PATH']}"
pymatgen.core.SETTINGS["PMG_VASP_PSP_DIR"] = str(TESTS / "data" / "vasp" / "psp")


def small(maker: Any) -> Any:
    """Make the calculations cheap, by power-ups of atomate2."""
    quick = {"_set": {"run_vasp_kwargs->custodian_kwargs": {"polling_time_step": 0.2}}}
    maker = maker.update_kwargs(quick, class_filter=BaseVaspMaker, dict_mod=True)
    settings = {"ENCUT": 150, "PREC": "Normal", "MAGMOM": {"Si": 0.6}}
    maker = update_user_incar_settings(maker, settings)
    return update_user_kpoints_settings(maker, {"reciprocal_density": 8})


def silicon(seed: int) -> Structure:
    """Return silicon, rattled and strained."""
    random = np.random.default_rng(seed)
    crystal = Structure(
        Lattice([[0, 2.7, 2.7], [2.7, 0, 2.7], [2.7, 2.7, 0]]),
        ["Si", "Si"],
        [[0, 0, 0], [0.25, 0.25, 0.25]],
    )
    crystal.apply_strain(random.normal(scale=0.01, size=3))
    crystal.translate_sites([1], random.normal(scale=0.05, size=3), frac_coords=False)
    return crystal


# %% [markdown]
# ## The folder
#
# Static calculations wrote their density; relaxations of atomate2 did not (`LCHARG = .FALSE.`). One
# log is of a real run of VASP 5.4.1, whose density somebody has deleted.

# %%
for seed in range(3 if SMALL else 8):
    run(small(StaticMaker()).make(silicon(seed)))
for seed in range(20, 21 if SMALL else 23):
    run(small(RelaxMaker()).make(silicon(seed)))
Path("runs/real").mkdir()
_ = shutil.copy(TESTS / "data" / "vasp" / "Si_static_OUTCAR.gz", "runs/real/OUTCAR.gz")

# %% [markdown]
# ## What is there, and what is missing
#
# `scdp survey runs` says this on the command line. Densities may be mixed in training only if
# pseudopotentials, functional and cut-off agree.

# %%
from scdp_flows.jobs.survey import survey_folder

report = survey_folder("runs")
for group in report.groups:
    print(" ".join(group.potcars), group.functional, f"{group.encut_ev:g} eV:", end=" ")
    print(f"{group.n_with_density} of {group.n_runs} runs with a density,", end=" ")
    print(f"{group.density_bytes / 1e6:.1f} MB,", end=" ")
    print(f"the missing ones would cost {group.missing_core_hours:.2g} core hours")
for text in report.conflicts:
    print(text)

# %% [markdown]
# The real run is alone with its pseudopotential: nothing can be trained on one crystal, and its
# density would have to be computed with the settings of the others. The relaxations are worth a
# static calculation each, at their final structure. `harvest_vasp` takes the density of every run
# that finishes into the store; it works the same inside any flow, from now on.

# %%
from scdp_flows.powerups import harvest_vasp

static = harvest_vasp(small(StaticMaker()), tags=["mine"], store_path=STORE)
finals = [
    Structure.from_file(path)
    for path in sorted(Path("runs").rglob("CONTCAR.gz"))
    if not (path.parent / "CHGCAR.gz").exists()
]
for final in finals:
    run(static.make(final))
print(len(finals), "computed again")

# %% [markdown]
# ## Densities into the store
#
# The densities of the old runs are taken from the folder; what is there already is recognised. Then
# each is fitted: spherical atoms by least squares over all of them, Gaussian shells for the rest.
# On the command line: `scdp ingest runs --store store --tag mine` and `scdp dataset fit`.

# %%
from scdp_flows.jobs.fit_grids import FitGridsMaker
from scdp_flows.jobs.ingest import IngestMaker

(taken,) = run(IngestMaker(store_path=STORE).make([f"{RUNS}/*/CHGCAR.gz"], tags=["mine"])).values()
print(f"{taken.n_new} new, {taken.n_reused} there before, {len(taken.failed)} refused")
(fitted,) = run(FitGridsMaker(basis="crystal+small", store_path=STORE).make()).values()
with open_stores(STORE) as stores:
    errors = [stores.densities.get(key).fit.nmae_percent for key in fitted.density_ids]
print(f"{len(errors)} fitted, error {np.mean(errors):.2f} % on average")

# %% [markdown]
# ## Training, and what it costs

# %%
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker

rule = SplitRule(validation=0.15, test=0.15)
builder = BuildDatasetMaker(
    dataset_name="silicon", basis="crystal+small", split=rule, store_path=STORE
)
(dataset,) = run(builder.make(fitted.density_ids)).values()
settings = {"max_seconds": 2 if SMALL else 90, "n_steps": 100_000, "steps_per_round": 20}
trainer = TrainMaker(
    model_name="silicon", preset="small", training=settings | {"threads": 1}, store_path=STORE
)
(model,) = run(trainer.make(dataset.dataset_id)).values()

# %% [markdown]
# The document of the model has the time of training, the store its size on disk. Both grow with the
# number of atoms that are learnt from; the time also with how often each is seen. On a GPU the same
# number, times `devices`, is the GPU-hours.

# %%
hours = model.history[-1]["training_seconds"] / 3600
megabytes = sum(path.stat().st_size for path in Path(STORE).rglob("*") if path.is_file()) / 1e6
with open_stores(STORE) as stores:
    densities = [stores.densities.get(key) for key in fitted.density_ids]
    kept = sum(blob.size for doc in densities for blob in doc.blobs.values()) / 1e6
n_atoms = sum(doc.n_atoms for doc in densities)
print(f"trained on {dataset.n_train} crystals for {hours:.4f} hours of one processor core")
print(f"store: {megabytes:.1f} MB on disk; densities and fits {kept / n_atoms:.2f} MB per atom")

# %%
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.predictors.scdp import ScdpPredictor

predictor = ScdpPredictor("silicon", store_path=STORE)
judge = EvaluateMaker(store_path=STORE)
(errors_of,) = run(judge.make(predictor, dataset_id="silicon", split="test")).values()
for who, means in errors_of.summary.items():
    print(f"{who:8} NMAE {means['nmae_percent']:.2f} %")

# %% [markdown]
# ## PAW occupancies
#
# VASP drops a density without occupancies. They are learned from the same runs, one equivariant
# model per pseudopotential and functional: `scdp vasp-harvest runs/* -o occupancies.json --train
# occupancies.safetensors`. The stand-in writes the same numbers for every atom, so that there is
# nothing to learn here but the mean; [the guide](../guide/atomate2.md) has numbers of real ones.

# %%
from scdp_flows.dft.vasp.augmentation import OccupancyLibrary
from scdp_flows.dft.vasp.fit import learn_occupancies
from scdp_flows.dft.vasp.harvested import harvest

folders = sorted(path.parent for path in Path("runs").rglob("CHGCAR.gz"))
library = OccupancyLibrary(()).extended(map(harvest, folders))
occupancies = learn_occupancies(library)
occupancies.write("occupancies.safetensors")
for learned in occupancies.learned:
    print(learned.kind.title, learned.kind.channels, learned.n_runs, "runs")

# %% [markdown]
# ## Relaxations from predictions
#
# One line seeds a Maker, another judges the model by each run that wrote a density. The model has
# not seen these crystals.

# %%
from scdp_flows.dft.vasp.sources import PredictedSource
from scdp_flows.jobs.harvest import harvest_leaderboard
from scdp_flows.powerups import seed_vasp

source = PredictedSource(predictor, str(Path("occupancies.safetensors").absolute()))
relax = seed_vasp(small(RelaxMaker()), source, store_path=STORE)
final = harvest_vasp(seed_vasp(small(StaticMaker()), source, store_path=STORE), predictor,
                     store_path=STORE)  # fmt: skip
for seed in range(30, 31 if SMALL else 33):
    run(relax.make(silicon(seed)), "new")
    run(final.make(silicon(seed + 100)), "new")

with open_stores(STORE) as stores:
    for doc in stores.reports.vasp_seeds.query(sort={"provenance.created_at": 1}):
        used = doc.audit is not None and doc.audit.seed_used
        steps = [] if doc.audit is None else doc.audit.scf_steps
        print(f"{doc.job_name:7} {doc.status:7} used: {used!s:6} electronic steps {steps}")
        if doc.reason:
            print("       ", doc.reason)
    board = harvest_leaderboard(stores)
for row in board.rows if board else []:
    print(f"{row.rank}. {row.predictor:8} NMAE {row.means['nmae_percent']:.2f} %, new runs")

# %% [markdown]
# Before you rely on it: `seed_vasp(..., unseeded_sample=0.1)` leaves every tenth structure
# unseeded, and `VaspSeedBuilder` compares steps, energies and moments with those. What is never
# seeded, and why, stands in [the guide](../guide/atomate2.md).
