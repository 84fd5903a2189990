# %% [markdown]
# # Training your own model
#
# A model that ships with the package knows some molecules and one kind of calculation. Yours may be
# others. In this tutorial two networks learn the same labels for the same time, we look at what it
# means that their predictions turn with the molecule, stop a run and see it go on, and ask an
# ensemble how sure it is.
#
# labels → two presets → convergence → rotations → stop and go on → published models → uncertainty
#
# It takes some minutes on two cores. With `SCDP_TUTORIAL_SMALL=1` the same cells run in one or two,
# with networks that have hardly learnt anything. The reference to all settings is
# [the guide](../guide/training.md).

# %%
import io
import os
import warnings
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

# Hints of tqdm and jobflow that do not concern us.
warnings.filterwarnings("ignore", message="IProgress not found|cd is deprecated")

import numpy as np
from IPython.display import Image
from jobflow import Flow, Job, run_locally

from scdp_flows.reports.style import decorate, logarithmic, new_figure, to_png
from scdp_flows.stores.factory import job_store, open_stores

SMALL = os.environ.get("SCDP_TUTORIAL_SMALL") == "1"
STORE = "store"  # a folder; every document and array of this tutorial goes there


def run(flow: Job | Flow) -> Any:
    """Run a job or flow here and now, without its log, and return the output of its last job."""
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        responses = run_locally(flow, store=job_store(STORE), ensure_success=True)
    attempts = list(responses.values())[-1]
    return attempts[max(attempts)].output


# %% [markdown]
# ## Labels
#
# The molecules of QM7 with up to four atoms of C, N and O, and hydrogen, ship with the package.
# Every fourth one is for testing alone. Some of the rest are for validation: the model does not
# learn from them, they tell how far it is.

# %%
from scdp_flows.demo.structures import load_qm7_small
from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.label import LabelMaker

molecules = load_qm7_small()[0 : 59 : 5 if SMALL else 1]
cheap = PyscfSettings(basis="gth-szv", spacing=0.25, padding=3.5, charge_tolerance=2e-2)
code = PyscfCode(cheap if SMALL else PyscfSettings())
labels = run(LabelMaker(code=code, store_path=STORE).make(molecules))

maker = BuildDatasetMaker(dataset_name="molecules")
training_ids = [key for i, key in enumerate(labels.density_ids) if i % 4 != 1]
dataset = run(maker.in_store(STORE).make(training_ids, test_ids=labels.density_ids[1::4]))
print(f"training {dataset.n_train}, validation {dataset.n_validation}, test {dataset.n_test}")

# %% [markdown]
# ## Two networks, the same time
#
# A preset names settings that belong together. `small` is our compact network, which multiplies
# features on a sphere; `small-escn` is a small version of the published one (eSCN), which turns
# every pair of atoms into a common frame. Their steps do not cost the same, so we do not give them
# the same number of steps but the same training time: `max_seconds`. Time for validation does not
# count.

# %%
from scdp_flows.jobs.train import TrainMaker

settings = {
    "max_seconds": 3 if SMALL else 50,
    "n_steps": 100_000,  # more than there is time for
    "steps_per_round": 10 if SMALL else 25,
    "threads": 1,
}
trainers = {
    preset: TrainMaker(model_name=preset, preset=preset, training=settings, store_path=STORE)
    for preset in ("small", "small-escn")
}
models = {preset: run(trainer.make(dataset.dataset_id)) for preset, trainer in trainers.items()}

# %% [markdown]
# The document of a model has its history, one row for each round. The Coulomb error is the
# electrostatic energy of the difference between prediction and label.

# %%
with new_figure(7, 3.5) as figure:
    axes = figure.add_subplot()
    for (name, model), style in zip(models.items(), ("o-", "^--"), strict=True):
        seconds = [row["training_seconds"] for row in model.history]
        errors = [1e3 * row["validation_coulomb_ha"] for row in model.history]
        axes.plot(
            seconds, errors, style, ms=4, label=f"{name}: {model.history[-1]['step']:g} steps"
        )
    logarithmic(axes, "y")
    decorate(axes, "Molecules that were not trained on", x="training / s", y="Coulomb error / mHa")
    axes.legend()
Image(to_png(figure, dpi=110))

# %% [markdown]
# Ask such a curve before you train for a day: is it still falling at the end, then train longer; is
# it flat, then label more molecules. A comparison of a minute says little about one of a day.
#
# ## What equivariance means
#
# A molecule has no up and down: if it is turned, its density must turn with it. A network that is
# *equivariant* does so by construction. One that is not has to learn it, from more data, and never
# learns it exactly. Whether it is does not depend on training, so random weights can show it. We
# predict a molecule, predict it once more after turning it, turn that density back, and subtract.
#
# Three variants of one network: our eSCN; the same with the activation that was published, which
# acts on a coarse grid of directions; and the published arithmetic altogether (`mode="legacy"`,
# which is there to run published weights).

# %%
from dataclasses import replace

import torch

from scdp_flows.reports.slices import molecular_plane
from scdp_models.basis.named import basis_from_spec
from scdp_models.density.evaluate import evaluate_at_points
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.graph import build_graph
from scdp_models.nn.network import DensityNetwork
from scdp_models.nn.presets import find_preset
from scdp_models.testing import random_rotations

acrylonitrile = load_qm7_small()[31]
numbers = np.array(acrylonitrile.atomic_numbers)
positions = acrylonitrile.cart_coords
plane = molecular_plane(numbers, positions, step=0.1)
points = plane.points().reshape(-1, 3)


def predict(network: DensityNetwork, positions: Any) -> OrbitalDensity:
    """Return the density that a network gives a geometry."""
    graph = build_graph(numbers, positions, network.config.cutoff).to(torch.float64)
    with torch.no_grad():
        coefficients = network(graph)
    return OrbitalDensity.from_basis(
        network.basis, numbers, positions, coefficients=coefficients.numpy()
    )


def turned_and_back(network: DensityNetwork, rotation: Any) -> Any:
    """Predict the turned molecule, turn the density back, and cut it along the plane."""
    density = predict(network, positions @ rotation.T).rotated(rotation.T)
    return evaluate_at_points(density, points)


# %%
escn = find_preset("small-escn")
cases = {
    "eSCN": escn.network,
    "eSCN, published activation": replace(escn.network, activation="s2"),
    "published arithmetic": escn.legacy().network,
}
rotations = random_rotations(2, 0)
deviation, maps = {}, {}
for name, config in cases.items():
    torch.manual_seed(0)
    network = DensityNetwork(config, basis_from_spec("lean", [1, 6, 7])).double()
    before = turned_and_back(network, np.eye(3))
    after = [turned_and_back(network, rotation) for rotation in rotations]
    deviation[name] = max(np.abs(a - before).sum() for a in after) / np.abs(before).sum()
    maps[name] = [values.reshape(plane.shape).T for values in (before, after[0], after[0] - before)]
    print(f"{name:>27}: {100 * deviation[name]:.1e} % change by turning")

# %%
with new_figure(9.2, 7) as figure:
    titles = ("as it stands", "turned, predicted, turned back", "difference, magnified 20 times")
    for line, (name, panels) in zip(figure.subplots(3, 3), maps.items(), strict=True):
        scale = np.quantile(np.abs(panels[0]), 0.98)
        for axes, title, values, factor in zip(line, titles, panels, (1, 1, 20), strict=True):
            axes.imshow(factor * values, origin="lower", cmap="RdBu_r", vmin=-scale, vmax=scale)
            axes.set(xticks=[], yticks=[], title=title if name == "eSCN" else "")
        line[0].set_ylabel(name)
Image(to_png(figure, dpi=110))

# %% [markdown]
# Untrained, these are no densities yet, but the first one turns up to rounding, and the others do
# not. Fresh weights of the published arithmetic give nearly round atoms, which can hardly be turned
# wrongly; that its error looks small here says nothing of a trained model.
#
# ## Stop, and go on
#
# A run saves its state after every round of `steps_per_round` steps. A file `STOP` in its folder
# makes it leave after the present round; so does the end of the job's time, which the batch system
# tells or you do (`wall_time_s`). The job is then replaced by another one that goes on. We train
# the compact network again, with another seed, and stop it after its first round, as `touch STOP`
# would.

# %%
import time
from pathlib import Path
from threading import Thread


def stop_after_a_round() -> None:
    """Wait until a run has written its first row, and ask it to stop."""
    while True:
        for metrics in Path(STORE, "training").glob("*/metrics.jsonl"):
            if not (metrics.parent / "model.safetensors").exists():
                (metrics.parent / "STOP").touch()
                return
        time.sleep(0.1)


Thread(target=stop_after_a_round, daemon=True).start()
seeded = replace(trainers["small"], training={**settings, "seed": 1})
stopped = run(seeded.make(dataset.dataset_id))
folder = Path(STORE, "training", stopped.config["run"])
print("logs:", *sorted(log.name for log in folder.glob("train.log*")))
print("steps after each round:", *[int(row["step"]) for row in stopped.history])
print("corrections:", stopped.corrections)

# %% [markdown]
# Two logs, one of each process, and steps that are counted on: nothing was done twice. A stop by
# hand is no correction. That list tells of a wall time that was over, of a learning rate that was
# lowered because the loss was no longer a number, or of a batch that was cut because memory ran
# out.
#
# ## Models that others have trained
#
# A run directory of the official SCDP code (a Lightning checkpoint, `config.yaml` and
# `metadata.json`) becomes a model of the store, without running any code that is in it:
#
# ```console
# $ scdp model import runs/qm9_k8l6 --name k8l6 --store store
# ```
#
# From then on it is a predictor like any other, in the published arithmetic. What to know before
# using one is in [published models](../guide/published_models.md).
#
# ## How sure is it?
#
# Two models that differ only in their random start agree where they have learnt enough, and
# disagree where they have not. An ensemble of them costs as many trainings; ours are both in the
# store already, so the flow takes them from there. It evaluates the ensemble on the test molecules,
# next to its first model and superposed free atoms; we have it take the eSCN along.

# %%
from scdp_flows.flows.ensemble import EnsembleTrainMaker
from scdp_flows.predictors.scdp import ScdpPredictor

ensemble = EnsembleTrainMaker(train_maker=trainers["small"], n_models=2, store_path=STORE)
other = ScdpPredictor(model=models["small-escn"].model_id, store_path=STORE, name="small-escn")
evaluated = run(ensemble.make(dataset.dataset_id, predictors=[other]))
for name, metrics in evaluated.summary.items():
    coulomb = 1e3 * metrics["coulomb_error_ha"]
    print(f"{name:>21}: NMAE {metrics['nmae_percent']:6.3f} %, Coulomb error {coulomb:8.3f} mHa")

# %%
from scipy.stats import spearmanr

with open_stores(STORE) as stores:
    rows = stores.reports.evaluations.get(evaluated.evaluation_ids[0]).rows
    n_atoms = [stores.densities.get(row.density_id).n_atoms for row in rows]
uncertainties = [1e3 * row.uncertainty_ha_per_atom for row in rows]
errors = [1e3 * row.coulomb_error_ha / n for row, n in zip(rows, n_atoms, strict=True)]
with new_figure(7, 4) as figure:
    axes = figure.add_subplot()
    axes.plot(uncertainties, errors, "o")
    for row, x, y in zip(rows, uncertainties, errors, strict=True):
        axes.annotate(row.formula, (x, y), xytext=(5, 3), textcoords="offset points", fontsize=8)
    logarithmic(axes, "x")
    logarithmic(axes, "y")
    decorate(
        axes,
        "Test molecules",
        x="uncertainty / (mHa per atom)",
        y="Coulomb error / (mHa per atom)",
    )
print(f"rank correlation {spearmanr(uncertainties, errors).statistic:.2f}")
Image(to_png(figure, dpi=110))

# %% [markdown]
# The uncertainty ranks molecules; it is no error bar: what both models get wrong alike it cannot
# see. It is good for choosing what to label next. More of this is in
# [the guide](../guide/training.md).
