# %% [markdown]
# # Seeded VASP inside atomate2
#
# You have flows of atomate2 and folders of finished runs. Here a flow's calculations start from the
# density of the nearest finished run, by one changed line. No model is needed.
#
# VASP is licensed, so this page runs a stand-in, `tests/fake_vasp.py`: it reads INCAR, POSCAR,
# KPOINTS, POTCAR and CHGCAR as strictly as VASP and writes files of the same layout, with the
# energies of a classical potential. Everything else is real: atomate2, custodian, the files. **Its
# numbers of electronic steps are made up; they say nothing about savings.**

# %%
import io
import os
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")

import pymatgen.core
from atomate2.vasp.flows.core import DoubleRelaxMaker
from atomate2.vasp.jobs.base import BaseVaspMaker
from atomate2.vasp.jobs.core import StaticMaker
from atomate2.vasp.powerups import update_user_incar_settings, update_user_kpoints_settings
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from pymatgen.core import Lattice, Structure

import scdp_flows
from scdp_flows.dft.vasp.augmentation import OccupancyLibrary
from scdp_flows.dft.vasp.earlier_run import EarlierRunSource
from scdp_flows.dft.vasp.folder import read_record
from scdp_flows.dft.vasp.harvested import harvest
from scdp_flows.flows.seeded_vasp import SeededStaticMaker
from scdp_flows.powerups import seed_vasp
from scdp_flows.stores.factory import open_stores

TESTS = Path(scdp_flows.__file__).parents[1] / "tests"
RUNS = Path("runs").absolute()
STORE = str(Path("store").absolute())
RUNS.mkdir()

# %% [markdown]
# On a cluster, atomate2 finds VASP and the pseudopotentials by its own settings. Here the stand-in
# takes VASP's name, and made-up heads of pseudopotential files take their place.

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


def run(work: Any) -> None:
    """Run a job or flow here and now, each job in a folder of its own."""
    database = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        run_locally(work, create_folders=True, root_dir=RUNS, store=database, ensure_success=True)


silicon = Structure(
    Lattice([[0, 2.7, 2.7], [2.7, 0, 2.7], [2.7, 2.7, 0]]),
    ["Si", "Si"],
    [[0, 0, 0], [0.25, 0.25, 0.25]],
)

# %% [markdown]
# ## A first calculation, as ever

# %%
run(small(StaticMaker()).make(silicon))
(first,) = (path.parent for path in RUNS.rglob("CHGCAR*"))
print(sorted(path.name for path in first.iterdir()))

# %% [markdown]
# ## One line
#
# `seed_vasp` takes any Maker, job or flow. The source looks for finished runs in the folder.

# %%
source = EarlierRunSource((str(RUNS),))
maker = seed_vasp(small(DoubleRelaxMaker()), source, store_path=STORE)

strained = silicon.copy()
strained.apply_strain(0.01)
run(maker.make(strained))

# %% [markdown]
# Each VASP run has left its record, in its folder and in the report store.

# %%
with open_stores(STORE) as stores:
    for doc in stores.reports.vasp_seeds.query(sort={"provenance.created_at": 1}):
        steps = [] if doc.audit is None else doc.audit.scf_steps
        used = doc.audit is not None and doc.audit.seed_used
        print(f"{doc.job_name:10} {doc.status:7} used: {used!s:6} electronic steps {steps}")

# %% [markdown]
# ## A Maker instead of a power-up
#
# `SeededStaticMaker` has all the fields of `StaticMaker`. This structure is too far from every run
# (12 % strain), so that it is left alone. The calculation runs all the same; the record says why.

# %%
far = silicon.copy()
far.apply_strain(0.12)
run(small(SeededStaticMaker(source=source, store_path=STORE)).make(far))
last = max(path.parent for path in RUNS.rglob("scdp_seed.json"))
record = read_record(last)
print(record.status if record else None)
print(record.reason.replace(str(RUNS), "runs") if record and record.reason else "")

# %% [markdown]
# ## PAW occupancies for predicted densities
#
# A model predicts the density on the grid, VASP also wants the occupancies inside the spheres. They
# come from finished runs; `scdp vasp-harvest` does the same on the command line.

# %%
library = OccupancyLibrary((harvest(first),))
library.write("occupancies.json")
for item in library.kinds:
    print(item.title, item.functional, item.channels, len(library.runs[0].values[0]), "numbers")

# %% [markdown]
# Next: `PredictedSource(ScdpPredictor("my-model"), "occupancies.json")` in place of `source`, with
# a model trained on densities of this pseudopotential and functional. Which Makers are seeded, and
# what is never seeded, stands in the guide on atomate2.
