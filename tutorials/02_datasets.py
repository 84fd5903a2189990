# %% [markdown]
# # Datasets
#
# What a model learns is decided before any training: which densities are in, which are there
# twice, what is held out. In this tutorial densities from two sources — files of VASP, and labels
# that we compute — become a dataset that can be described, cited and carried elsewhere.
#
# survey → ingest → fit → label → query → duplicates → split → dataset → statistics → archive
#
# With `SCDP_TUTORIAL_SMALL=1` the same cells run with fewer molecules.

# %%
import gzip
import io
import os
import shutil
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

# Hints of tqdm and jobflow that do not concern us.
warnings.filterwarnings("ignore", message="IProgress not found|cd is deprecated")

from IPython.display import Image
from jobflow import Job, run_locally

import scdp_flows
from scdp_flows.stores.factory import job_store, open_stores

SMALL = os.environ.get("SCDP_TUTORIAL_SMALL") == "1"
STORE = "store"  # a folder; every document and array of this tutorial goes there


def run(job: Job) -> Any:
    """Run a job here and now, without its log, and return its output."""
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        responses = run_locally(job, store=job_store(STORE), ensure_success=True)
    return list(responses.values())[-1][1].output


# %% [markdown]
# ## What is there
#
# Most calculations leave no density: the relaxations of atomate2, for instance, write none. Before
# anything is moved, a survey tells which do, and what it would cost to have the others. Here are
# three folders: a calculation of silicon that kept its log alone, iron with a density and no log,
# and a file that looks like a density. On the command line: `scdp survey runs`.

# %%
from scdp_flows.jobs.survey import survey_folder

examples = Path(scdp_flows.__file__).parents[1] / "tests" / "data"
for source, place in {
    "vasp/Si_static_OUTCAR.gz": "runs/silicon/OUTCAR.gz",
    "vasp/Fe2_cubic_CHGCAR.gz": "runs/iron/CHGCAR.gz",
    "malformed/CHGCAR_water_3x3x2": "runs/water/CHGCAR",
}.items():
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(examples / source, place)

survey = survey_folder("runs")
(group,) = survey.groups
print(f"{group.n_runs} run of {group.functional} at {group.encut_ev:g} eV with {group.potcars}")
print(f"with a density: {group.n_with_density}; ", end="")
print(f"one static calculation would cost {group.missing_core_hours:.3f} core hours")
print(f"densities without a log: {survey.other_densities}")

# %% [markdown]
# ## Densities that exist already
#
# `scdp ingest` and `IngestMaker` take CHGCARs, cubes and more, from folders, archives, stores of
# jobs and the Materials Project. A density says of what *kind* it is: which electrons, which
# pseudopotentials, which functional. The log beside a density tells; without one, we say it. One
# of the files here is another one again, under another name and not compressed: its content is
# recognised.

# %%
from scdp_flows.jobs.ingest import IngestMaker
from scdp_flows.jobs.ingest_records import list_offers

iron = Path("runs/iron/CHGCAR.gz")
Path("CHGCAR_copy").write_bytes(gzip.decompress(iron.read_bytes()))

kind = {
    "electrons": "valence",
    "pseudopotential": "paw-pbe-54",
    "functional": "PBE",
    "basis": "270eV",
    "spin": "restricted",
    "code": "vasp",
}
taken = run(IngestMaker(kind=kind, store_path=STORE).make(["runs", "CHGCAR_copy"], ["iron"]))
print(f"{taken.n_items} files, {len(taken.density_ids)} density, {len(taken.failed)} not taken")

# %% [markdown]
# Every file that was offered has a record. What is readable and looks wrong is in quarantine: not
# in the store, and not repaired in silence. If it is right after all, say why, by
# `scdp dataset release` or `scdp_flows.jobs.ingest_records.release`, and ingest again.

# %%
with open_stores(STORE) as stores:
    for offer in list_offers(stores):
        print(f"{offer.status}: {Path(offer.source).name}", *offer.reasons, sep="\n    ")

# %% [markdown]
# A model predicts coefficients of Gaussian shells, so a density that came from a file gets a fit
# before it can be trained on: spherical atoms first, fitted to all densities of its kind, then the
# difference to them. On the command line: `scdp dataset fit --select tags=iron --set basis=...`.

# %%
from scdp_flows.jobs.fit_grids import FitGridsMaker

fits = run(FitGridsMaker(basis="etb-2.0-max20", store_path=STORE).make({"tags": "iron"}))
with open_stores(STORE) as stores:
    for doc in stores.densities.query({"tags": "iron"}):
        print(f"{doc.formula}: {doc.fit.n_functions} functions, {doc.fit.nmae_percent:.1f} % off")

# %% [markdown]
# ## Densities that we compute
#
# To have something to divide, we label small organic molecules. The first one is labelled once
# more, turned in space and with one atom moved by a thousandth of an Å, as happens when two people
# optimise the same molecule.

# %%
from scdp_flows.demo.structures import load_qm7_small
from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.jobs.label import LabelMaker

molecules = load_qm7_small()[1 : 60 if SMALL else 216 : 10]
again = molecules[0].copy()
again.rotate_sites(theta=0.7, axis=[1, 2, 3])
again.translate_sites([0], [0.001, 0.0, 0.0])

code = PyscfCode(PyscfSettings(basis="gth-szv", spacing=0.25, padding=3.5, charge_tolerance=2e-2))
labels = run(LabelMaker(code=code, store_path=STORE).make([*molecules, again], tags=["organic"]))
print(f"{labels.n_new} densities, {len(labels.failed)} refused")

# %% [markdown]
# ## Ask
#
# The store answers MongoDB queries, whether it is the folder used here or a MongoDB server.

# %%
with open_stores(STORE) as stores:
    densities = stores.densities
    print("densities:", densities.count())
    print("with oxygen:", densities.count({"elements": "O"}))
    print("organic, up to 8 atoms:", densities.count({"tags": "organic", "n_atoms": {"$lte": 8}}))
    for doc in densities.query({"kind.code": "vasp"}):
        print(f"{doc.formula}: {doc.integral_e:.3f} electrons on {doc.grid.shape}, {doc.source}")

# %% [markdown]
# Tags are free labels. On the command line: `scdp dataset tag --select elements=N --add amines`.

# %%
from scdp_flows.jobs.curate import divide, select, tag_densities, tag_duplicates
from scdp_flows.jobs.splits import SplitRule

with open_stores(STORE) as stores:
    print(tag_densities(stores.densities, {"elements": "N"}, add=["with nitrogen"]), "tagged")

# %% [markdown]
# ## What is there twice
#
# A molecule in the training set and, a thousandth of an Å away, in the test set makes every error
# look better than it is. Structures of one kind are compared: molecules by the distances between
# their atoms, crystals by pymatgen's `StructureMatcher`, in whatever cell they are given. All but
# the first get the tag `duplicate`; nothing is removed.

# %%
with open_stores(STORE) as stores:
    for same in tag_duplicates(stores, tolerance=0.01):
        print(f"{same.why}: kept {same.kept}, tagged {', '.join(same.others)}")

# %% [markdown]
# ## Hold out what is new
#
# A split by chance asks how well a model does on more of the same. A split by composition, or by
# prototype (crystals) and connectivity (molecules), asks how well it does on something else: what
# belongs together stays together. A split is a document. Its identifier is the hash of what is
# where, so it can be cited, and compared with that of someone else. Published lists, such as that
# of QM9, are taken over by `scdp dataset split qm9 --file datasplits.json --set offset=1`.

# %%
organic, twice = {"tags": "organic"}, {"tags": "duplicate"}
rule = SplitRule(by="composition", validation=0.2, test=0.2)
with open_stores(STORE) as stores:
    split = divide(stores, "unseen compositions", rule, criteria=organic, exclude=twice)
    places = stores.curation.load_split(split)
    held_out = {
        doc.formula
        for doc in select(stores.densities, organic, twice)
        if places[doc.density_id] == "test"
    }
print(f"{split.split_id}: {split.n_train} / {split.n_validation} / {split.n_test}")
print(f"{split.n_groups} compositions; for testing: {', '.join(sorted(held_out))}")

# %% [markdown]
# ## Build
#
# A dataset is a frozen selection with its split, its target and its packed samples. Building it
# again packs nothing. Once a model was trained on it, it does not change any more: building
# another one of the same name makes the next version, which points back to it.

# %%
from scdp_flows.jobs.build_dataset import BuildDatasetMaker

maker = BuildDatasetMaker(dataset_name="small organic", stored_split=split.split_id)
maker = maker.in_store(STORE)
dataset = run(maker.make(criteria=organic, exclude=twice))
print(f"{dataset.name} {dataset.dataset_id}, version {dataset.version}")
print(
    f"{dataset.n_train} / {dataset.n_validation} / {dataset.n_test}, {len(dataset.shards)} shards"
)

# %% [markdown]
# ## Describe
#
# On the command line: `scdp dataset stats "small organic" --plot statistics.png`. A maggma Builder
# (`scdp_flows.stores.builders.StatisticsBuilder`) keeps the statistics of all datasets up to date,
# and another one a leaderboard of the predictors that were judged on the same labels.

# %%
from scdp_flows.reports.statistics import statistics_figure
from scdp_flows.reports.style import to_png
from scdp_flows.stores.builders import describe

with open_stores(STORE) as stores:
    statistics = describe(stores, stores.datasets.get("small organic"))
Image(to_png(statistics_figure(statistics)))

# %% [markdown]
# ## Carry it elsewhere
#
# One file holds the documents, the split and all arrays, with a checksum of each. On import
# everything is checked before it is stored.

# %%
from scdp_flows.stores.archive import export_dataset, import_dataset

with open_stores(STORE) as stores, open_stores("elsewhere") as other:
    archive = export_dataset(stores, stores.datasets.get("small organic"), "organic.zip")
    found = import_dataset(other, archive)
    print(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB, {found.n_new} documents, ", end="")
    print(f"{found.n_blobs} blobs; the same dataset: {found.dataset.same_content(dataset)}")

# %% [markdown]
# ## Look after the store
#
# `scdp store check` reads every document and every blob and says what is missing or damaged and
# what to do; `scdp store gc` removes arrays that no document refers to.

# %%
from scdp_flows.stores.check import check_stores
from scdp_flows.stores.garbage import collect_garbage

with open_stores(STORE) as stores:
    checked = check_stores(stores)
    print(
        f"{checked.n_documents} documents, {checked.n_blobs} blobs, {len(checked.problems)} wrong"
    )
    print(f"blobs that would be removed: {collect_garbage(stores, dry_run=True).n_removed}")
