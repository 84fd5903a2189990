# %% [markdown]
# # The first pipeline
#
# A DFT code spends most of its time finding a density that is consistent with itself, and it
# begins each search with a crude guess. In this tutorial a model learns densities of one
# molecule from a few dozen calculations, predicts those of geometries that it has never seen,
# and gives them to the code as the start of the next calculation. That converges in fewer
# iterations, to the same energy.
#
# structures → labels → dataset → model → prediction → restart → report
#
# Everything here is real: the geometries are frames of a molecular dynamics run, the labels come
# from PySCF. It takes some minutes on two cores. With `SCDP_TUTORIAL_SMALL=1` the same cells run
# in one minute with a minimal basis and a model that is hardly trained, which is what the tests
# do.

# %%
import io
import os
import time
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

# Hints of tqdm and jobflow that do not concern us.
warnings.filterwarnings("ignore", message="IProgress not found|cd is deprecated")

from IPython.display import Image
from jobflow import Flow, Job, run_locally

from scdp_flows.demo.structures import load_ethanol
from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.stores.factory import job_store, open_stores

SMALL = os.environ.get("SCDP_TUTORIAL_SMALL") == "1"
STORE = "store"  # a folder; every document and array of this tutorial goes there


def run(flow: Job | Flow) -> Any:
    """Run a job or flow here and now, without its log, and return the output of its last job."""
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        responses = run_locally(flow, store=job_store(STORE), ensure_success=True)
    return list(responses.values())[-1][1].output


# %% [markdown]
# ## Structures
#
# The package brings 200 frames of ethanol from a molecular dynamics run (rMD17). We train on the
# first ones and test on the last ones. Any list of pymatgen `Molecule` will do here, for example
# that of `scdp_flows.io.structures.read_structures("my_frames.xyz")`.

# %%
n_train, n_test = (6, 2) if SMALL else (60, 6)
frames = load_ethanol()
training, unseen = frames[:n_train], frames[-n_test:]
unseen[0]

# %% [markdown]
# ## Labels
#
# A *label* is the converged density of one structure. The settings say how it is computed; they
# are part of the label's identity, so densities of different settings are never mixed by
# accident. The default settings (PBE, GTH pseudopotentials, basis gth-tzvp) cost about 4 seconds
# per frame and core.

# %%
cheap = PyscfSettings(basis="gth-szv", spacing=0.2, padding=3.5, charge_tolerance=5e-3)
settings = cheap if SMALL else PyscfSettings()
code = PyscfCode(settings)
code.kind()

# %% [markdown]
# A step of the pipeline is a jobflow *Maker*: its fields say **how**, `make` is given **what**.
# One label job computes a whole batch on all cores. Each finished structure is stored at once:
# if the job is killed, the next one picks up where it stopped, and a structure that is in the
# store is never computed again.

# %%
from scdp_flows.jobs.label import LabelMaker

labels = run(LabelMaker(code=code, store_path=STORE).make([*training, *unseen], tags=["tutorial"]))
print(
    f"{labels.n_new} computed, {labels.n_reused} found in the store, {len(labels.failed)} refused"
)

# %% [markdown]
# What was stored is a small document, with the arrays beside it. The integral of the density is
# kept as it was computed and never rescaled: its distance from the electron count says how good
# the grid is. The *fit* is the same density written as Gaussian shells on the atoms, which is
# what a model will predict.

# %%
with open_stores(STORE) as stores:
    label = stores.densities.get(labels.density_ids[0])
print(f"{label.formula}: {label.n_electrons:g} electrons, integral {label.integral_e:.4f}")
print(f"grid {label.grid.shape}, spacing {label.grid.spacing[0]:.2f} Å")
print(
    f"{label.scf.iterations} SCF iterations, {label.scf.cpu_s:.1f} s, E = {label.energy_ev:.4f} eV"
)
print(f"fit by {label.fit.n_functions} functions: {label.fit.nmae_percent or 0:.2f} % error")

# %% [markdown]
# ## A dataset by a query
#
# The store answers MongoDB queries, whether it is the folder used here or a MongoDB server. A
# dataset is a frozen selection: which labels, and which of them are for training, validation and
# test.

# %%
with open_stores(STORE) as stores:
    criteria = {"formula": "C2H6O", "tags": "tutorial", "status": "ok"}
    print(stores.densities.count(criteria), "labels match")

# %%
from scdp_flows.jobs.build_dataset import BuildDatasetMaker

dataset = run(
    BuildDatasetMaker(dataset_name="ethanol", store_path=STORE).make(
        labels.density_ids[:n_train], test_ids=labels.density_ids[n_train:]
    )
)
print(f"training {dataset.n_train}, validation {dataset.n_validation}, test {dataset.n_test}")

# %% [markdown]
# ## Training
#
# The model is an equivariant network: rotate the molecule and the prediction rotates with it,
# exactly. It learns the *difference* between the true density and superposed free atoms, and its
# loss is the electrostatic energy of the error, because that decides how good a start the
# density makes. Training runs in a process of its own, saves its state as it goes, and resumes
# after an interruption.

# %%
from scdp_flows.jobs.train import TrainMaker

n_steps = 40 if SMALL else 2000
training_settings = {"n_steps": n_steps, "steps_per_round": n_steps // 20, "threads": 1}
trainer = TrainMaker(model_name="trained here", store_path=STORE, training=training_settings)
model = run(trainer.make(dataset.dataset_id))
print(f"{model.train_seconds:.0f} s, validation loss {model.metrics['validation_loss_ha']:.1e} Ha")

# %%
from scdp_flows.reports.figures import training_figure
from scdp_flows.reports.series import arrange
from scdp_flows.reports.style import to_png

Image(to_png(training_figure([model], arrange([model])), dpi=110))

# %% [markdown]
# ## Prediction
#
# A prediction costs a fraction of a second. It is a set of Gaussian shells, some kilobytes, from
# which a grid of any spacing can be written: a CHGCAR for VASP and VESTA, a cube file for most
# others. The electron count is exact.

# %%
from scdp_flows.jobs.predict import PredictMaker
from scdp_flows.predictors.scdp import ScdpPredictor

predictor = ScdpPredictor(model=model.model_id, store_path=STORE, name="trained here")
predicted = run(
    PredictMaker(store_path=STORE, formats=("chgcar", "cube"), folder="densities").make(
        unseen[:1], predictor=predictor, names=["unseen"]
    )
)
row = predicted.rows[0]
print(f"{row.formula}: {row.n_electrons:.6f} electrons, dipole {row.dipole_e_ang:.3f} e·Å")
for file in map(Path, row.files):
    print(file.name, f"{file.stat().st_size / 1e6:.1f} MB")

# %%
from scdp_flows.io.base import read_density

density = read_density("densities/unseen.cube")
print(f"{density.shape} points, {density.integral():.4f} electrons")

# %% [markdown]
# ## How good is it?
#
# Errors mean little alone, so every evaluation brings the baseline along: superposed free atoms,
# which cost nothing.

# %%
from scdp_flows.jobs.evaluate import EvaluateMaker

evaluated = run(EvaluateMaker(store_path=STORE).make(predictor, dataset_id=dataset.dataset_id))
for name, metrics in evaluated.summary.items():
    coulomb = 1e3 * metrics["coulomb_error_ha"]
    print(f"{name:>14}: NMAE {metrics['nmae_percent']:6.3f} %, Coulomb error {coulomb:8.4f} mHa")

# %% [markdown]
# ## Restart the DFT code
#
# Now the point of it all. Each unseen frame is converged several times: from the code's own
# guess, from superposed atoms, from our prediction, and from the exact density, which is the
# best that any model could do. From a density the code gets its first potential; one
# diagonalisation gives orbitals, and from there on it works as always. Every start is checked:
# its density must be plausible, and the energy must come out the same.

# %%
from scdp_flows.jobs.seed import SeedMaker

seeds = run(
    SeedMaker(code=code, store_path=STORE).make(
        density_ids=dataset.ids("test"), predictors=predictor
    )
)
for start, iterations in seeds.mean_iterations.items():
    print(f"{start:>14}: {iterations:.1f} iterations")

# %%
from scdp_flows.reports.figures import cost_figure, scf_figure
from scdp_flows.reports.results import gather

with open_stores(STORE) as stores:
    results = gather(
        stores,
        model_ids=[model.model_id],
        evaluation_ids=evaluated.evaluation_ids,
        seed_ids=seeds.seed_ids,
        title="Ethanol",
    )
Image(to_png(scf_figure(results.groups[0], results.series), dpi=110))

# %% [markdown]
# The curves are nearly parallel: a good start does not converge faster, it begins nearer to the
# end.

# %%
Image(to_png(cost_figure(results.groups[0], results.series), dpi=110))

# %% [markdown]
# ## The report
#
# All of this on one page, to keep and to send: it is one file that needs nothing else. It shows
# one thing more, where in the molecule the errors are.

# %%
from scdp_flows.reports.build import build_report

with open_stores(STORE) as stores:
    report = build_report(
        stores,
        Path("report"),
        model_ids=[model.model_id],
        evaluation_ids=evaluated.evaluation_ids,
        seed_ids=seeds.seed_ids,
        title="Ethanol, from structures to a better start",
    )
print(report.files)

# %%
from scdp_flows.reports.comparison import compare_densities
from scdp_flows.reports.slices import slice_figure

with open_stores(STORE) as stores:
    found = compare_densities(stores, results.groups[0], results.series)
named = {results.series[key].name: values for key, values in found.predictions.items()}
Image(to_png(slice_figure(found.label, named, magnified=["trained here"]), dpi=110))

# %% [markdown]
# ## All at once
#
# `PipelineMaker` chains these steps into one flow, which runs here under `run_locally` or on a
# cluster under FireWorks or jobflow-remote. Since every label, the model and every restart are
# in the store already, this takes no time: each step finds its result.

# %%
from scdp_flows.flows.label import LabelFlowMaker
from scdp_flows.flows.pipeline import PipelineMaker
from scdp_flows.flows.train import TrainFlowMaker
from scdp_flows.jobs.report import ReportMaker

pipeline = PipelineMaker(
    label_maker=LabelFlowMaker(label_maker=LabelMaker(code=code)),
    train_maker=TrainFlowMaker(
        dataset_maker=BuildDatasetMaker(dataset_name="ethanol"),
        train_maker=TrainMaker(model_name="trained here", training=training_settings),
        predictor_name="trained here",
    ),
    seed_maker=SeedMaker(code=code),
    report_maker=ReportMaker(folder="report", title="Ethanol, once more"),
    store_path=STORE,
)
start = time.monotonic()
again = run(pipeline.make(training, test_structures=unseen))
print(f"{time.monotonic() - start:.0f} s: {again.title}, {', '.join(again.files)}")

# %% [markdown]
# Where to go from here: `make demo` does the same on 100 frames and compares with the model that
# ships with the package. `scdp --help` has each of these steps as a command.
