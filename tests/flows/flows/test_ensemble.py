"""Models of several seeds are trained side by side, and their disagreement warns of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pymatgen.core import Molecule
from scipy.stats import spearmanr

from scdp_flows.errors import SettingsError
from scdp_flows.flows.ensemble import EnsembleTrainMaker
from scdp_flows.jobs import train
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.jobs.training_process import Watch


def test_members_differ_in_their_seed_alone() -> None:
    first = TrainMaker(model_name="mine", training={"seed": 5, "n_steps": 100})
    maker = EnsembleTrainMaker(train_maker=first, second_maker=first.second_stage(), n_models=2)
    flow = maker.make("dataset")
    makers: list[Any] = [job.maker for job in flow.jobs[:-1]]  # type: ignore[union-attr]
    assert [one.name for one in makers] == [
        "train 0",
        "train exponents 0",
        "train 1",
        "train exponents 1",
    ]
    assert [one.training["seed"] for one in makers] == [5, 5, 6, 6]
    assert [one.model_name for one in makers] == ["mine-0", "mine-0", "mine-1", "mine-1"]
    # Those of one member follow each other; members do not wait for one another.
    uuids = [job.uuid for job in flow.jobs]
    edges = {edge for edge in flow.graph.edges if edge[1] != uuids[-1]}
    assert edges == {(uuids[0], uuids[1]), (uuids[2], uuids[3])}


def test_an_ensemble_has_several_models() -> None:
    with pytest.raises(SettingsError, match="n_models is 1"):
        EnsembleTrainMaker(n_models=1).make("dataset")
    with pytest.raises(SettingsError, match="start_from names 1 models, n_models is 2"):
        EnsembleTrainMaker(n_models=2).make("dataset", start_from=["model"])


def _water(scale: float) -> Molecule:
    positions = [[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]]
    return Molecule(["O", "H", "H"], scale * np.array(positions))


@pytest.mark.slow
def test_disagreement_grows_with_the_error(
    gaussian_code: Any, tmp_path: Path, run_flow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scdp_models.training.run import run

    def here(folder: Path, watch: Watch) -> bool:
        """Train in this process, which has paid for its imports."""
        run(folder)
        return True

    monkeypatch.setattr(train, "run_training", here)
    store = str(tmp_path)
    label = LabelMaker(code=gaussian_code, store_path=store).make
    known = run_flow(label([_water(scale) for scale in (0.94, 0.97, 1.0, 1.03, 1.06)]))
    strange = run_flow(label([_water(scale) for scale in (0.8, 0.88, 0.98, 1.02, 1.12, 1.2, 1.3)]))
    dataset = BuildDatasetMaker(store_path=store, n_processes=1).make(
        known["density_ids"], test_ids=strange["density_ids"]
    )
    run_flow(dataset)
    network = {"n_layers": 1, "n_channels": 8, "lmax": 1, "n_radial": 4, "radial_hidden": 8}
    training = {"n_steps": 120, "batch_size": 4, "steps_per_round": 60}
    maker = EnsembleTrainMaker(
        train_maker=TrainMaker(network=network, training=training), n_models=3, store_path=store
    )
    output = run_flow(maker.make("dataset"))
    with open_stores(store) as stores:
        assert [stores.models.get(f"model-{i}").model_id for i in range(3)] == output["model_ids"]
        ensemble, first, _ = (
            stores.reports.evaluations.get(key) for key in output["evaluation_ids"]
        )
    errors = [row.coulomb_error_ha for row in ensemble.rows]
    uncertainties = [row.uncertainty_ha_per_atom for row in ensemble.rows]
    assert spearmanr(uncertainties, errors).statistic > 0.5
    assert ensemble.summary["coulomb_error_ha"].mean < 1.5 * first.summary["coulomb_error_ha"].mean
    assert first.rows[0].uncertainty_ha_per_atom is None
