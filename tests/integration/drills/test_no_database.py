"""Workers that reach no database work with a shared folder and an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.predict import PredictMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.schemas.training import ModelDoc
from scdp_flows.stores.check import check_stores
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path, s3_port: int) -> Path:
    """Let documents go to a shared folder and blobs to an object store, by the settings alone."""
    shared = {"type": "files", "path": str(tmp_path / "shared")}
    access = {"aws_access_key_id": "anyone", "aws_secret_access_key": "anything"}
    chosen: dict[str, Any] = {
        f"{name.upper()}_STORE": {**shared, "collection_name": name}
        for name in ("density", "model", "report")
    }
    chosen["BLOB_STORE"] = {
        "type": "S3Store",
        "bucket": "blobs",
        "sub_dir": tmp_path.name,
        "key": "blob_key",
        "endpoint_url": f"http://127.0.0.1:{s3_port}",
        "s3_profile": {**access, "region_name": "us-east-1"},
        "index": {**shared, "collection_name": "index", "key": "blob_key"},
    }
    file = tmp_path / "scdp.yaml"
    file.write_text(yaml.safe_dump(chosen))
    return file


@pytest.mark.requires("pyscf")
@pytest.mark.usefixtures("settings")
def test_labels_datasets_models_and_predictions_live_there(
    whole_way: Any, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    def run(maker: Any, *given: Any) -> Any:
        return type(maker).make.original(maker, *given)

    molecules = whole_way.molecules()[:2]
    labels = run(LabelMaker(code=whole_way.CODE, n_processes=1), molecules).density_ids
    dataset = run(BuildDatasetMaker(split=SplitRule(validation=0.5), n_processes=1), labels)
    kind = whole_way.CODE.kind()
    model = ModelDoc.from_checkpoint(
        tiny_checkpoint, name="tiny", kind=kind.as_dict(), kind_key=kind.key(), elements=["H"]
    )
    with open_stores() as stores:
        stores.models.put_checkpoint(tiny_checkpoint, model)
        run(PredictMaker(predictor=ScdpPredictor(model=model.model_id)), molecules)
        assert all(map(stores.blobs.is_whole, dataset.shards))
        assert stores.reports.predictions.count() == 2
        assert not check_stores(stores).problems
    assert not (tmp_path / "scdp_data" / "blobs").exists()


@pytest.mark.soak
@pytest.mark.requires("pyscf")
@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("fireworks", marks=pytest.mark.requires("fireworks")),
        pytest.param("remote", marks=pytest.mark.requires("jobflow_remote")),
    ],
)
def test_a_pipeline_needs_no_database_on_the_workers(
    tmp_path: Path,
    settings: Path,
    whole_way: Any,
    drill: Callable[..., dict[str, Any]],
    mongo_port: int,
    engine: str,
) -> None:
    # The port of the database is closed to the workers of jobflow-remote.
    found = drill(engine, whole_way.whole_way(tmp_path, by_settings=True), port=mongo_port)
    assert set(found["states"]) == {"COMPLETED"}
    with open_stores() as stores:
        assert stores.densities.count() == whole_way.N_LABELS + 1
        assert stores.reports.seeds.count() == whole_way.N_SEEDS
        assert len(list(stores.models.query())) == 1
        assert not check_stores(stores).problems
