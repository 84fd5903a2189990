"""Compare trunks, losses, targets and bases at equal training time on real labels.

Every variant is trained on the same molecules (205 ethanol frames and 304 QM7 molecules) for the
same time on one thread, with two seeds, and judged on molecules it has not seen: NMAE, Coulomb
error, NMAE after one diagonalisation, time per prediction. The best fit that the basis allows
stands beside them. Finished runs are kept in the folder and not repeated.

Usage: python benchmarks/ablation.py FOLDER [--seconds S] [--seeds 0 1] [--only NAME ...]
       [--processes N] [--labels-only] [--no-diagonalisation]
       [--quick]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ablation_data import ELEMENTS, SETTINGS, Groups, groups, label_all, read_label, sample_of
from ablation_judge import Judge
from ablation_report import write_report
from results_file import command, machine, make_row, write_results

from scdp_flows.dft.pyscf.atoms import atomic_reference
from scdp_flows.progress import track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_models.basis.shells import BasisSet

_SHARD = 32
ESCN = {
    "trunk": "escn",
    "lmax": 4,
    "n_channels": 32,
    "n_hidden": 64,
    "edge_channels": 32,
    "distance_spacing": 0.2,
}
LEGACY = {
    **ESCN,
    "lmax": 3,
    "cutoff": 6.0,
    "distance_spacing": 0.02,
    "mode": "legacy",
    "activation": "s2",
    "readout": "tensor_product",
    "project_charge": False,
}
MAE = {"loss": "grid_mae", "n_probes": 3000}


@dataclass(frozen=True)
class Variant:
    """One row of the ablation.

    Attributes
    ----------
    name
        Of the row.
    basis, target
        What is predicted.
    network, training
        What differs from the defaults.
    stage_two
        Training settings of a second stage with learnable exponents; each gets half of the time.
    large
        Whether the metric of the basis is too large to be kept.
    """

    name: str
    basis: str = "lean"
    target: str = "delta"
    network: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    stage_two: dict[str, Any] | None = None

    large: bool = False

    @property
    def final_loss(self) -> str:
        """The loss it ends with."""
        loss = self.training.get("loss", "coulomb")
        return str(self.training.get("loss_switch", {}).get("to", loss))

    @property
    def holds(self) -> frozenset[str]:
        """What its samples hold: fit and metric, unless that is too large; the grid if needed."""
        losses = {self.training.get("loss"), self.training.get("loss_switch", {}).get("to")}
        grid = {"grid"} if "grid_mae" in losses else set()
        return frozenset(grid if self.large else {"fit", *grid})


ESCN_RATE = {"learning_rate": 5e-3}
FULL = Variant(
    "compact, etb-2.0 + full midpoints, grid MAE",
    basis="etb-2.0-max60+vo",
    training=MAE,
    large=True,
)
VARIANTS = (
    Variant("compact"),
    Variant("compact, total", target="total"),
    Variant("compact, grid MAE", training=MAE),
    Variant("compact, total, grid MAE", target="total", training=MAE),
    Variant(
        "compact, grid MAE, then Coulomb",
        training={**MAE, "loss_switch": {"after": 0.5, "to": "coulomb"}},
    ),
    Variant(
        "compact, Coulomb, then grid MAE",
        training={**MAE, "loss": "coulomb", "loss_switch": {"after": 0.5, "to": "grid_mae"}},
    ),
    Variant("compact, small midpoints", basis="lean-l13+small"),
    Variant("compact, etb-2.0, grid MAE", basis="etb-2.0-max60", training=MAE),
    FULL,
    Variant("escn", network=ESCN, training=ESCN_RATE),
    Variant("escn, grid MAE", network=ESCN, training={**MAE, **ESCN_RATE}),
    Variant(
        "escn, grid MAE, then exponents",
        network=ESCN,
        training={**MAE, **ESCN_RATE},
        stage_two={**MAE, "learning_rate": 2e-4},
    ),
    Variant("escn, small midpoints", basis="lean-l13+small", network=ESCN, training=ESCN_RATE),
    Variant(
        "escn, tensor product readout",
        network={**ESCN, "readout": "tensor_product"},
        training=ESCN_RATE,
    ),
    Variant("escn, s2", network={**ESCN, "activation": "s2"}, training=ESCN_RATE),
    Variant("escn legacy", network=LEGACY, training={"learning_rate": 3e-3}),
    Variant(
        "escn legacy, total, etb-2.0, grid MAE (the paper's)",
        basis="etb-2.0-max60",
        target="total",
        network=LEGACY,
        training={**MAE, "learning_rate": 1e-3},
    ),
)


class Ablation:
    """All runs of one folder.

    Parameters
    ----------
    folder
        Where labels, samples and runs are kept.
    parts
        Molecules by part and name.
    seconds
        Training time of each run, s.
    """

    def __init__(self, folder: Path, parts: Groups, seconds: float) -> None:
        self.folder, self.parts, self.seconds = folder, parts, seconds
        self.labels = folder / "labels"
        self.reference = atomic_reference(SETTINGS, ELEMENTS)

    def basis(self, variant: Variant) -> BasisSet:
        """Return the basis of a variant."""
        from scdp_models.basis.named import basis_from_spec

        return basis_from_spec(variant.basis, ELEMENTS)

    def shards(self, variant: Variant, part: str) -> list[Path]:
        """Write the samples of a part, unless they are there."""
        from scdp_models.data.shards import write_shard

        kind = "-".join(sorted(variant.holds))
        place = self.folder / "samples" / f"{variant.basis}-{variant.target}-{kind}" / part
        place.mkdir(parents=True, exist_ok=True)
        names = self._names(part)
        basis, paths = self.basis(variant), []
        starts = range(0, len(names), _SHARD)
        for start in track(starts, f"samples {place.parent.name}/{part}", total=len(starts)):
            path = place / f"{start}.safetensors"
            if not path.is_file():
                samples = [
                    sample_of(
                        read_label(self.labels, name),
                        self._molecule(name),
                        basis,
                        target=variant.target,
                        holds=variant.holds,
                    )
                    for name in names[start : start + _SHARD]
                ]
                write_shard(path.with_suffix(".tmp"), samples).replace(path)
            paths.append(path)
        return paths

    def _names(self, part: str) -> list[str]:
        """Every twenty-fifth molecule of the training parts is for validation."""
        names = [n for p in ("ethanol", "qm7") for n in self.parts[p]]
        return [n for i, n in enumerate(names) if (i % 25 == 7) == (part == "validation")]

    def _molecule(self, name: str) -> Any:
        return next(part[name] for part in self.parts.values() if name in part)

    def train(self, variant: Variant, seed: int) -> Path:
        """Train a variant, unless it is done; return the folder of its last stage."""
        stages = [(variant.network, variant.training)]
        if variant.stage_two is not None:
            stages.append(({**variant.network, "scale_exponents": True}, variant.stage_two))
        done: Path | None = None
        for number, (network, training) in enumerate(stages):
            run = self.folder / "runs" / f"{_slug(variant.name)}-{seed}-{number}"
            start = {} if done is None else {"initial_weights": str(done / "model.safetensors")}
            settings = {
                **training,
                **start,
                "seed": seed,
                "max_seconds": self.seconds / len(stages),
                "n_steps": 10**6,
                "steps_per_round": 50,
            }
            self._run(variant, run, network, settings)
            done = run
        return run

    def _run(
        self, variant: Variant, run: Path, network: dict[str, Any], training: dict[str, Any]
    ) -> None:
        from scdp_models.nn.config import NetworkConfig
        from scdp_models.training.config import RunSpecification, TrainingConfig

        if (run / "model.safetensors").is_file():
            return
        run.mkdir(parents=True, exist_ok=True)
        RunSpecification(
            training_shards=tuple(map(str, self.shards(variant, "training"))),
            validation_shards=tuple(map(str, self.shards(variant, "validation"))),
            network=NetworkConfig(target=variant.target, **network),
            training=TrainingConfig(**training),
            basis=self.basis(variant).to_dict(),
            reference=self.reference.to_dict(),
            kind=SETTINGS.kind().as_dict(),
        ).write(run)
        command = [sys.executable, "-m", "scdp_models.training", str(run)]
        with (run / "log").open("wb") as log:
            subprocess.run(command, check=True, stdout=log, stderr=log)  # noqa: S603

    def judge(self, names: Sequence[tuple[str, Path]], judge: Judge) -> None:
        """Judge models that were not judged before."""
        missing = [(name, run) for name, run in names if not (run / "judged.json").is_file()]
        for run, rows in judge.models([run for _, run in missing]).items():
            (run / "judged.json").write_text(json.dumps(rows, indent=1))


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)


def _floors(ablation: Ablation, judge: Judge, variants: Sequence[Variant]) -> dict[str, Any]:
    """Judge the best fit of each basis and target."""
    path = ablation.folder / "floors.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    for variant in variants:
        key = f"{variant.basis} {variant.target}"
        if key not in known:
            known[key] = judge.floor(ablation.basis(variant), variant.target)
            path.write_text(json.dumps(known, indent=1))
    return known


def _quick(parts: Groups) -> Groups:
    """Keep four of the smallest molecules."""
    small = sorted(parts["qm7"].items(), key=lambda item: len(item[1]))[:9]
    return {"ethanol": {}, "qm7": dict(small[:8]), "ethanol_test": {}, "qm7_test": dict(small[8:])}


def main() -> None:
    """Label, train, judge, and write results and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", nargs="+", default=None)
    parser.add_argument("--processes", type=int, default=None)
    parser.add_argument("--labels-only", action="store_true")
    parser.add_argument("--no-diagonalisation", action="store_true")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    parts = _quick(groups()) if arguments.quick else groups()
    seconds = 3.0 if arguments.quick else arguments.seconds
    label_all(arguments.folder / "labels", parts, processes=arguments.processes)
    if arguments.labels_only:
        return
    wanted = ["compact", "escn"] if arguments.quick else arguments.only
    variants = [v for v in VARIANTS if wanted is None or v.name in wanted]
    ablation = Ablation(arguments.folder, parts, seconds)
    judge = Judge(parts, arguments.folder / "labels", diagonalise=not arguments.no_diagonalisation)
    runs = []
    for seed in arguments.seeds[: 1 if arguments.quick else None]:
        for variant in variants:
            started = time.monotonic()
            run = ablation.train(variant, seed)
            runs.append((variant.name, run))
            print(f"{variant.name} (seed {seed}): {time.monotonic() - started:.0f} s", flush=True)
    ablation.judge(runs, judge)
    floors = _floors(ablation, judge, variants)
    rows = [
        make_row(f"{name} | {run.name} | {part} | {quantity}", value, judge.unit(quantity))
        for name, run in runs
        for part, values in judge.means(json.loads((run / "judged.json").read_text())).items()
        for quantity, value in values.items()
    ]
    print(f"mean over {len(rows)} figures: {fmean(row['value'] for row in rows):.3g}")
    if not arguments.quick:
        write_results("ablation", rows)
        write_report(variants, runs, floors, command=command(), machine=machine())


if __name__ == "__main__":
    main()
