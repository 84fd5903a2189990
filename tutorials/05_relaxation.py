# %% [markdown]
# # Relaxations with fewer SCF steps
#
# A relaxation converges many similar geometries one after the other. What should each of them start
# from? PySCF's own scanner takes the density matrix of the geometry before. A model sees the new
# geometry, and what it missed is known from the geometries before. In this tutorial a displaced
# molecule is relaxed, and we compare the starts step by step.
#
# displaced molecule → two relaxations → what was chosen → as a job of atomate2
#
# It takes some minutes on two cores, with `SCDP_TUTORIAL_SMALL=1` less than one. All policies and
# guards are in [the guide](../guide/relaxation.md).

# %%
import io
import os
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

# Hints of tqdm and jobflow that do not concern us.
warnings.filterwarnings("ignore", message="IProgress not found|cd is deprecated")

import numpy as np
from ase import Atoms
from ase.optimize import BFGS
from IPython.display import Image
from jobflow import run_locally

from scdp_flows.demo.structures import load_ethanol, load_qm7_small
from scdp_flows.reports.style import decorate, new_figure, to_png
from scdp_flows.stores.factory import job_store, open_stores

SMALL = os.environ.get("SCDP_TUTORIAL_SMALL") == "1"
STORE = "store"  # a folder; every document of this tutorial goes there

# %% [markdown]
# ## A displaced molecule
#
# Ethanol from a molecular dynamics run, or methane in the small version, each atom displaced by
# about 0.06 Å.

# %%
molecule = load_qm7_small()[0] if SMALL else load_ethanol()[185]
shift = np.random.default_rng(0).normal(scale=0.035, size=(len(molecule), 3))
displaced = molecule.copy()
for site, vector in enumerate(shift):
    displaced.translate_sites([site], vector)
print(displaced.formula)

# %% [markdown]
# ## Two relaxations
#
# The calculator computes energies and forces for ASE and keeps a record of each geometry.
# `previous_dm` is what PySCF's scanner does. `auto` starts from the prediction of the shipped
# model, corrected by what the converged Fock matrices of the geometries before say about it.

# %%
from scdp_flows.dft.pyscf.calculator import PyscfRelaxation
from scdp_flows.predictors.scdp import ScdpPredictor

predictor = ScdpPredictor()
records = {}
for policy in ("previous_dm", "auto"):
    atoms = Atoms(displaced.atomic_numbers, displaced.cart_coords)
    atoms.calc = PyscfRelaxation(policy=policy).calculator(predictor)
    BFGS(atoms, logfile=None).run(fmax=0.05, steps=3 if SMALL else 12)
    records[policy] = atoms.calc.steps
    mean = np.mean([step.iterations for step in atoms.calc.steps])
    print(f"{policy:12} {mean:.2f} SCF cycles per geometry, {len(atoms.calc.steps)} geometries")

# %%
with new_figure(7, 3.5) as figure:
    axes = figure.subplots()
    for policy, steps in records.items():
        axes.plot([step.iterations for step in steps], marker="o", label=policy)
    axes.legend(frameon=False)
    decorate(axes, "Starts along a relaxation", x="geometry", y="SCF cycles")
    axes.xaxis.get_major_locator().set_params(integer=True)
    picture = to_png(figure)
Image(picture)

# %% [markdown]
# ## What was chosen
#
# Once a geometry has converged, the error of each candidate is known, and the next start is what
# should be best. The first geometry has no past: it starts from the prediction. Near the minimum
# steps are short, and the correction becomes very good.

# %%
for step in records["auto"]:
    move = "" if step.largest_move_ang is None else f"{step.largest_move_ang:.3f} Å"
    print(f"{step.start:12} {step.iterations} cycles  {move:>8}  {step.energy_ev:.6f} eV")

# %% [markdown]
# ## As a job of atomate2
#
# `SeededRelaxMaker` makes one job per molecule. Its output is atomate2's document; our record lies
# in the store of the reports. With `check_every` some geometries are also computed from PySCF's own
# guess, so that the saving, and that the energy is the same, are on record.

# %%
from scdp_flows.flows.seeded_relax import SeededRelaxMaker
from scdp_flows.jobs.relax import RelaxMaker

code = PyscfRelaxation(check_every=2 if SMALL else 4)
maker = SeededRelaxMaker(
    relax_maker=RelaxMaker(code=code, steps=2 if SMALL else 12), store_path=str(Path(STORE))
)
with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
    run_locally(maker.make(displaced), store=job_store(STORE), ensure_success=True)

with open_stores(STORE) as stores:
    (record,) = stores.reports.relaxations.query()
print(f"{record.formula}: {record.mean_iterations:.2f} cycles per geometry")
for step in record.steps:
    if step.energy_difference_ev is not None:
        print(
            f"{step.start:12} {step.iterations} cycles, PySCF's own guess "
            f"{step.unseeded_iterations}; energies differ by {step.energy_difference_ev:.1e} eV"
        )
