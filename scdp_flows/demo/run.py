"""Run the whole pipeline once on ethanol, from geometries to restarted calculations."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import run_locally
from rich.console import Console

from scdp_flows.demo.stages import Stages, elapsed_text, watched
from scdp_flows.demo.structures import ETHANOL_TEST_FRAMES, ETHANOL_TRAIN_FRAMES, load_ethanol
from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.errors import ModelError, StoreError
from scdp_flows.flows.label import LabelFlowMaker
from scdp_flows.flows.pipeline import PipelineMaker
from scdp_flows.flows.train import TrainFlowMaker
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.report import ReportMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.reports.tables import SummaryRow, terminal_table
from scdp_flows.stores.factory import job_store

if TYPE_CHECKING:
    from jobflow import Flow

    from scdp_flows.schemas.report import ReportDoc

__all__ = ["FULL", "SMALL", "DemoPlan", "demo_flow", "run_demo"]

_TRAINED = "trained in this demo"
_SHIPPED = "shipped checkpoint"
_STORE = "store"
_WIDTH = 110

_MEANINGS = {
    "label": "converge structures with PySCF; those in the store are not computed again",
    "build dataset": "divide the labels and pack them for training",
    "train": "fit the network to the labels; continues where it was interrupted",
    "evaluate": "predict the unseen structures and measure the errors",
    "seed": "restart PySCF on the unseen structures from each density",
    "report": "draw and tabulate",
}


@dataclass(frozen=True)
class DemoPlan:
    """Say how much the demo does."""

    n_train: int
    """Frames to train on, those of validation included."""
    n_test: int
    """Frames that are predicted and restarted, and never trained on."""
    settings: PyscfSettings = field(default_factory=PyscfSettings)
    """How frames are labelled and restarted."""
    training: dict[str, Any] = field(default_factory=dict)
    """Fields of the training configuration that differ from its defaults."""
    validation: float = 0.05
    """Fraction of the training frames that are kept for validation."""
    with_shipped: bool = True
    """Whether the checkpoint of the package is compared too."""


# One thread: the network of a small molecule is too small to divide, and threads that wait for one
# another stall when anything else runs on the machine.
FULL = DemoPlan(n_train=105, n_test=10, training={"n_steps": 3000, "threads": 1})
"""About ten minutes on two cores."""

SMALL = DemoPlan(
    n_train=12,
    n_test=2,
    settings=PyscfSettings(basis="gth-szv", spacing=0.2, padding=3.5, charge_tolerance=5e-3),
    training={"n_steps": 60, "steps_per_round": 20, "threads": 1},
    validation=0.1,
    with_shipped=False,
)
"""About a minute: a minimal basis, and a model that is hardly trained."""


def run_demo(output: Path, *, small: bool = False) -> ReportDoc:
    """Run the demo and show what came of it.

    Everything that is finished stays in ``output/store``: after an interruption the same call goes
    on where it was.

    Parameters
    ----------
    output
        Receives ``report.html``, ``report.json`` and the store; made when missing.
    small
        Whether to do only as much as shows that everything works.

    Returns
    -------
    ReportDoc
        The stored document of the report.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    ScdpFlowsError
        If a stage fails.
    """
    plan = SMALL if small else FULL
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    folder = _writable(output)
    _introduce(console, plan, folder)
    shipped = _shipped(folder, console) if plan.with_shipped else None
    flow = demo_flow(plan, folder, shipped=shipped)
    with watched(Stages(console, _MEANINGS)) as stages, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="cd is deprecated", category=FutureWarning)
        responses = run_locally(
            flow, log=False, store=job_store(folder / _STORE), raise_immediately=True
        )
    report: ReportDoc = list(responses.values())[-1][1].output
    _conclude(console, report, folder, stages)
    return report


def demo_flow(plan: DemoPlan, folder: Path, *, shipped: ScdpPredictor | None = None) -> Flow:
    """Build the flow of the demo.

    Parameters
    ----------
    plan
        How much to do.
    folder
        Where store and report go.
    shipped
        The checkpoint of the package, None to leave it out.
    """
    frames = load_ethanol()
    code = PyscfCode(plan.settings)
    maker = PipelineMaker(
        name="demo",
        label_maker=LabelFlowMaker(label_maker=LabelMaker(code=code)),
        train_maker=TrainFlowMaker(
            dataset_maker=BuildDatasetMaker(
                dataset_name="ethanol", split=SplitRule(validation=plan.validation)
            ),
            train_maker=TrainMaker(model_name=_TRAINED, training=dict(plan.training)),
            predictor_name=_TRAINED,
        ),
        seed_maker=SeedMaker(code=code),
        report_maker=ReportMaker(
            folder=str(folder), title="Ethanol, from geometry to a better start"
        ),
        store_path=str(folder / _STORE),
    )
    return maker.make(
        [frames[index] for index in ETHANOL_TRAIN_FRAMES[: plan.n_train]],
        test_structures=[frames[index] for index in ETHANOL_TEST_FRAMES[: plan.n_test]],
        predictors=[] if shipped is None else [shipped],
    )


def _writable(output: Path) -> Path:
    folder = Path(output).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be made: {error.strerror}; choose a folder that is writable"
        ) from error
    return folder


def _shipped(folder: Path, console: Console) -> ScdpPredictor | None:
    predictor = ScdpPredictor(name=_SHIPPED, store_path=str(folder / _STORE))
    try:
        predictor.model_id()
    except ModelError:
        console.print("No checkpoint ships with this copy of the package: its row is left out.")
        return None
    return predictor


def _introduce(console: Console, plan: DemoPlan, folder: Path) -> None:
    console.print(
        f"[bold]scdp-flows demo[/bold]: label {plan.n_train} frames of ethanol "
        f"(PBE/{plan.settings.basis}), train a model,\n"
        f"and restart PySCF from its predictions on {plan.n_test} frames that it has never seen.",
        highlight=False,
    )
    console.print(f"Everything is kept in {folder}; interrupt and run again as you like.\n")


def _conclude(console: Console, report: ReportDoc, folder: Path, stages: Stages) -> None:
    console.print()
    for group in report.summary["groups"]:
        rows = [SummaryRow(**row) for row in group["rows"]]
        console.print(terminal_table(rows, title=f"Restarts on the {group['structures']}"))
    times = ", ".join(f"{name} {elapsed_text(s).strip()}" for name, s in stages.seconds.items())
    total = elapsed_text(stages.finish()).strip()
    console.print(f"\nMinutes: {total} ({times}).", highlight=False)
    console.print(f"Report: {folder / report.files[0]}", soft_wrap=True)
