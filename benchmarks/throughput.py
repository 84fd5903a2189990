"""Measure what a flow costs per structure beside the prediction, and how that grows.

Run ``OMP_NUM_THREADS=1 python benchmarks/throughput.py [--quick]``. Flows predict 10 to 10 000
distorted water molecules, by superposed atoms, which takes next to no time: what remains is
bookkeeping. Up to 1000 structures it is told apart into what our jobs do (identifiers,
coefficients, documents) and what the engine does (inputs, outputs, references). Times are processor
times, so that other programs matter little; waiting for the disk is not in them and stands beside
them as elapsed time. FireWorks runs on the stand-in server of the tests, whose own time is not
counted. jobflow-remote starts processes of its own, a runner and one per job, so only elapsed time
is taken. The network of the shipped model is timed on the same molecules for comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jobflow import run_locally
from monty.json import MontyEncoder
from pymatgen.core import Molecule
from results_file import make_row, write_results

from scdp_flows.flows.predict import PredictFlowMaker
from scdp_flows.jobs.predict import PredictMaker, predict_each
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.predictors.scdp import DEFAULT_MODEL, ScdpPredictor
from scdp_flows.stores.factory import job_store, open_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobflow import Flow
    from results_file import Row

    from scdp_flows.predictors.base import Predictor

_SIZES = (10, 100, 1000, 10_000)
_QUICK_SIZES = (10, 100, 300)
_MOST_TOLD_APART = 1000
_WATER = np.array([[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])
_TESTS = Path(__file__).parents[1] / "tests"
_FIGURE = Path(__file__).parent / "results" / "throughput.png"


class Cost(NamedTuple):
    """Milliseconds per structure."""

    cpu: float
    elapsed: float


def molecules(count: int) -> list[Molecule]:
    """Return different water molecules."""
    rng = np.random.default_rng(0)
    return [
        Molecule(["O", "H", "H"], _WATER + 0.03 * rng.normal(size=(3, 3))) for _ in range(count)
    ]


def cost(count: int, act: Callable[[], object]) -> Cost:
    """Time something that is done for so many structures."""
    cpu, elapsed = time.process_time(), time.perf_counter()
    act()
    scale = 1e3 / count
    return Cost(scale * (time.process_time() - cpu), scale * (time.perf_counter() - elapsed))


def predict(predictor: Predictor, chosen: list[Molecule]) -> None:
    """Predict and keep nothing."""
    for _ in predict_each(predictor, chosen, {}):
        pass


def run_job(store: Path, predictor: Predictor, chosen: list[Molecule]) -> None:
    """Do what the jobs of the flow do, without an engine."""
    maker = PredictMaker(predictor=predictor, store_path=str(store))
    for start in range(0, len(chosen), 1000):
        PredictMaker.make.original(maker, chosen[start : start + 1000])  # type: ignore[attr-defined]


def flow_of(store: Path, predictor: Predictor, chosen: list[Molecule]) -> Flow:
    """Return the flow."""
    maker = PredictMaker(predictor=predictor)
    return PredictFlowMaker(predict_maker=maker, store_path=str(store)).make(chosen)


def run_local(folder: Path, predictor: Predictor, chosen: list[Molecule]) -> None:
    """Build and run the flow by run_locally."""
    flow = flow_of(folder, predictor, chosen)
    run_locally(flow, store=job_store(folder), ensure_success=True, log=False)


def run_fireworks(pad: Any, folder: Path, predictor: Predictor, chosen: list[Molecule]) -> None:
    """Build the flow, add it to a LaunchPad, and be its worker."""
    from fireworks import FWorker
    from fireworks.core.rocket_launcher import rapidfire
    from jobflow.managers.fireworks import flow_to_workflow

    flow = flow_of(folder, predictor, chosen)
    pad.add_wf(flow_to_workflow(flow, store=job_store(folder)))
    rapidfire(pad, FWorker(), nlaunches=0, sleep_time=0, strm_lvl="ERROR")


def run_remote(port: int, folder: Path, predictor: Predictor, chosen: list[Molecule]) -> None:
    """Build the flow, and run it by jobflow-remote's runner and workers, started for it."""
    folder.mkdir()
    file = folder / "flow.json"
    flow = flow_of(folder / "store", predictor, chosen)
    file.write_text(json.dumps(flow, cls=MontyEncoder))
    command = [sys.executable, str(_TESTS / "remote_drill.py"), str(file), str(port)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    rows = json.loads(done.stdout.splitlines()[-1])
    if {state for _, _, state, _ in rows} != {"COMPLETED"}:
        raise SystemExit(f"jobs did not end: {rows}")


@contextmanager
def launchpad() -> Iterator[Any]:
    """Give an empty LaunchPad on the stand-in server."""
    from fireworks import LaunchPad

    script = _TESTS / "mongo_server.py"
    with subprocess.Popen(  # noqa: S603
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        port = int(server.stdout.readline()) if server.stdout else 0
        pad = LaunchPad(host="127.0.0.1", port=port, name="throughput", strm_lvl="ERROR")
        pad.reset("", require_password=False)
        yield pad
        pad.connection.close()
        if server.stdin:
            server.stdin.close()


def measure(count: int, pad: Any | None, *, remote: bool = False) -> dict[str, Cost]:
    """Return the costs of one size, taken one after the other."""
    chosen = molecules(count)
    predictor = AtomicPredictor(model=DEFAULT_MODEL)
    found = {"prediction": cost(count, lambda: predict(predictor, chosen))}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if pad is not None:
            found["jobs"] = cost(count, lambda: run_job(place / "jobs", predictor, chosen))
        found["local"] = cost(count, lambda: run_local(place / "local", predictor, chosen))
        if pad is not None:
            os.chdir(folder)
            found["fireworks"] = cost(
                count, lambda: run_fireworks(pad, place / "fw", predictor, chosen)
            )
            os.chdir("/")
        if pad is not None and remote:
            there = place / "remote"
            found["remote"] = cost(count, lambda: run_remote(pad.port, there, predictor, chosen))
        with open_stores(place / "local") as stores:
            if stores.reports.predictions.count() != count:
                raise SystemExit(f"of {count} structures, some are missing in the store")
    return found


def rows_of(costs: dict[int, dict[str, Cost]], network: Cost) -> list[Row]:
    """Return what is kept: the overhead of each size, and how it grows."""
    rows = [make_row("network of the shipped model", network.cpu, "ms CPU per structure")]
    for count, found in costs.items():
        base = found["prediction"].cpu
        rows += [
            make_row(
                f"overhead of {name}, {count} structures",
                found[name].cpu - base,
                "ms CPU per structure",
                reference=round(base, 3),
            )
            for name in ("jobs", "local", "fireworks")
            if name in found
        ]
        rows += [
            make_row(
                f"elapsed, {name}, {count} structures", found[name].elapsed, "ms per structure"
            )
            for name in ("local", "remote")
            if name in found
        ]
    sizes = sorted(costs)
    large = [size for size in sizes if size >= 100]
    first, last = (
        costs[n]["local"].cpu - costs[n]["prediction"].cpu for n in (large[0], large[-1])
    )
    rows.append(
        make_row(
            f"growth of the local overhead from {large[0]} to {large[-1]} structures",
            last / first,
            "ratio",
            target="at most 1.3",
        )
    )
    return rows


def plot(costs: dict[int, dict[str, Cost]]) -> None:
    """Draw the costs over the number of structures."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
    for name in ("prediction", "jobs", "local", "fireworks"):
        points = [(n, found[name].cpu) for n, found in costs.items() if name in found]
        axes.loglog(*zip(*points, strict=True), marker="o", label=name)
    axes.set_xlabel("structures in the flow")
    axes.set_ylabel("processor time per structure / ms")
    axes.legend()
    figure.savefig(_FIGURE, dpi=110)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes; nothing is kept")
    given = parser.parse_args()
    sizes = _QUICK_SIZES if given.quick else _SIZES
    warm, shipped = molecules(64), ScdpPredictor(device="cpu")
    predict(shipped, warm)
    network = cost(len(warm), lambda: predict(shipped, warm))
    costs = {}
    with launchpad() as pad:
        measure(3, pad)  # what is loaded once
        for size in sizes:
            few = size <= _MOST_TOLD_APART
            costs[size] = measure(size, pad if few else None, remote=not given.quick)
            told = ", ".join(f"{k} {c.cpu:.2f} ({c.elapsed:.1f})" for k, c in costs[size].items())
            print(f"{size}: {told} ms CPU (elapsed) per structure", flush=True)
    rows = rows_of(costs, network)
    for row in rows:
        print(f"{row['name']}: {row['value']:.2f} {row['unit']}")
    if not given.quick:
        write_results("throughput", rows)
        plot(costs)


if __name__ == "__main__":
    main()
