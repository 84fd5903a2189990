# %% [markdown]
# # Save SCF steps on your own molecules
#
# A DFT calculation starts from a guess of the density and improves it cycle by cycle. A better
# guess needs fewer cycles and leads to the same energy. In this tutorial the model that ships with
# the package makes the guess for molecules that it has never seen: first by hand, in three lines
# of your own PySCF script, then measured honestly, with every cost counted and the best possible
# guess beside it.
#
# molecules → one seeded calculation → what a start saves → daily work with a sample audited →
# limits
#
# It takes a few minutes on one core; with `SCDP_TUTORIAL_SMALL=1` under one. Background and the
# other DFT codes are in [the guide](../guide/seeding.md).

# %%
import io
import os
import warnings
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

# Hints of tqdm and jobflow that do not concern us.
warnings.filterwarnings("ignore", message="IProgress not found|cd is deprecated")
warnings.filterwarnings("ignore", message="Function int1e_r.*")

from IPython.display import Image
from jobflow import Flow, Job, run_locally
from jobflow.core.reference import find_and_resolve_references

from scdp_flows.reports.style import to_png
from scdp_flows.stores.factory import job_store, open_stores

SMALL = os.environ.get("SCDP_TUTORIAL_SMALL") == "1"
STORE = "store"  # a folder; every document of this tutorial goes there


def run(flow: Job | Flow) -> Any:
    """Run a job or flow here and now, without its log, and return its output."""
    outputs = job_store(STORE)
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        responses = run_locally(flow, store=outputs, ensure_success=True)
    if isinstance(flow, Flow):
        return find_and_resolve_references(flow.output, outputs)
    return responses[flow.uuid][1].output


# %% [markdown]
# ## Your molecules
#
# Any file that pymatgen or ASE can read will do: `read_structures("molecules.xyz")`. Here are some
# molecules of QM7 that were kept away from the training of the model. It knows H, C, N and O, and
# says so if yours hold anything else.

# %%
from scdp_flows.demo.structures import QM7_TEST_IDS, load_qm7_small

unseen = [m for m in load_qm7_small() if m.properties["qm7_id"] in QM7_TEST_IDS]
unseen = [m for m in unseen if "S" not in m.composition]
molecules = unseen[1:3] if SMALL else unseen[1:9:2]
print("\n".join(f"{m.formula:12} {len(m):2} atoms" for m in molecules))

# %% [markdown]
# ## One calculation, by hand
#
# In a PySCF script of your own a seed is three lines: predict the density, turn it into a density
# matrix, start from it. The density becomes a potential, and one diagonalisation of that a density
# matrix in your basis.

# %%
import time

from scdp_flows.dft.pyscf import PyscfSettings
from scdp_flows.dft.pyscf.molecule import build_molecule, mean_field
from scdp_flows.dft.pyscf.seed import seed_density_matrix
from scdp_flows.predictors.scdp import ScdpPredictor

settings = PyscfSettings()  # PBE, GTH pseudopotentials, gth-tzvp: what the model was trained on
mol = build_molecule(molecules[-1], settings)
predictor = ScdpPredictor()

cpu = time.process_time()
plain = mean_field(mol, settings, conv_tol_ha=1e-9).run()
cpu_plain = time.process_time() - cpu

predictor.predict(molecules[-1])  # the first time, the model is loaded
cpu = time.process_time()
seeded = mean_field(mol, settings, conv_tol_ha=1e-9)
density = predictor.predict(molecules[-1])  # 1. predict
dm0 = seed_density_matrix(mol, seeded, density)  # 2. one diagonalisation
seeded.kernel(dm0)  # 3. start from it
cpu_seeded = time.process_time() - cpu

for name, mf, cpu in (("own guess", plain, cpu_plain), ("predicted", seeded, cpu_seeded)):
    print(f"{name}: {mf.cycles:2} cycles, {cpu:.2f} s CPU, {mf.e_tot:.9f} Ha")

# %% [markdown]
# ## What a start saves, measured
#
# One molecule proves nothing. `SeedingBenchmarkMaker` converges every molecule from PySCF's own
# guess, from superposed atoms by the same route (so that you see what the route alone does), from
# the prediction, and from the converged density. The last is the ceiling: no prediction can do
# better.
#
# Prediction, seed and discarded attempts are counted. Finished molecules are stored at once; run
# the cell again and nothing is computed twice.

# %%
from scdp_flows.flows.seeding_benchmark import SeedingBenchmarkMaker

maker = SeedingBenchmarkMaker(name="my molecules", report_maker=None, store_path=STORE)
result = run(maker.make(molecules, predictors=predictor))

for start in result.starts:
    saved = (start.iterations_saved_percent, start.cpu_saved_percent)
    print(
        f"{start.start:8} {start.iterations_mean:5.2f} iterations ({saved[0]:3.0f} % saved), "
        f"{start.cpu_s_mean:5.2f} s CPU ({saved[1]:3.0f} % saved), "
        f"{start.more_iterations_percent:3.0f} % of the molecules take more iterations, "
        f"energies within {start.max_energy_difference_ha:.0e} Ha"
    )

# %% [markdown]
# The *Fock work* counts what the seed costs in units of one Fock build of the calculation. It is
# the fairest number for machines where other people work too.

# %%
from scdp_flows.reports.figures import cost_figure, scf_figure
from scdp_flows.reports.results import Group
from scdp_flows.reports.savings import savings_figure
from scdp_flows.reports.series import arrange

with open_stores(STORE) as stores:
    seeds = [stores.reports.seeds.get(key) for key in result.seed_ids]
series = arrange((), (), seeds)
Image(to_png(savings_figure(result, series)))

# %%
group = Group("my molecules", (), tuple(seeds))
Image(to_png(cost_figure(group, series)))

# %% [markdown]
# A good start does not converge faster, it begins nearer to the end:

# %%
Image(to_png(scf_figure(group, series)))

# %% [markdown]
# `scdp report seeding --store store` writes the same table and pictures to a page.
#
# ## Daily work: a sample audited
#
# Once you trust the model you will not compute everything twice. With `audit_fraction=0.1` every
# tenth molecule (always the same ones) is converged from PySCF's own guess as well; the others
# from the prediction alone. A seeded calculation that does not converge, or whose density holds a
# wrong number of electrons, falls back to PySCF's own guess by itself, and its record says why.

# %%
from scdp_flows.dft.pyscf import PyscfCode
from scdp_flows.jobs.seed import SeedMaker

daily = SeedMaker(code=PyscfCode(), audit_fraction=0.0, store_path=STORE)
output = run(daily.make(molecules[:1], predictors=predictor))
with open_stores(STORE) as stores:
    record = stores.reports.seeds.get(output.seed_ids[0]).starts[0]
print(record.start, "used" if record.seed_used else record.fallback_reason, record.iterations)

# %% [markdown]
# ## What is not seeded
#
# An open shell needs the densities of both spins. From the total density alone it may converge to
# another, higher state, so it is refused, and computed from PySCF's own guess.

# %%
from pymatgen.core import Molecule

from scdp_flows.dft.pyscf.compare import seeded_starts

methyl = Molecule(
    ["C", "H", "H", "H"],
    [[0, 0, 0], [1.08, 0, 0], [-0.54, 0.935, 0], [-0.54, -0.935, 0]],
    spin_multiplicity=2,
)
methane_like = predictor.predict(molecules[0])  # any total density will do to be refused
(start,) = seeded_starts(methyl, PyscfSettings(spin="unrestricted"), {"total": methane_like})
print(f"converged: {start.converged}; seed used: {start.seed_used}; {start.fallback_reason}")

# %% [markdown]
# ## What to take with you
#
# * The start never changes the answer: check the last column of the table on your own molecules.
# * Savings come from molecules like those of the training. For others, see [training your own
#   model](03_training.md).
# * Hybrid functionals save less, since no density says what exact exchange will be. The guide has
#   the numbers.
