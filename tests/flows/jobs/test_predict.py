"""Predictions are stored and written; what cannot be predicted is listed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from pymatgen.core import Molecule

from scdp_flows.errors import (
    DatasetError,
    ModelError,
    SettingsError,
    StoreError,
    StructureError,
    UnknownNameError,
)
from scdp_flows.io.base import read_density
from scdp_flows.jobs.predict import PredictMaker, merge_predictions, predict_each
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.predictors.lanes import share
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.schemas.outputs import PredictedRow, PredictionOutput, Refusal
from scdp_flows.schemas.training import file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def _predict(maker: PredictMaker, structures: Sequence[Any], **named: Any) -> PredictionOutput:
    output = PredictMaker.make.original(maker, structures, **named)  # type: ignore[attr-defined]
    assert isinstance(output, PredictionOutput)
    return output


@pytest.fixture
def maker(tiny_checkpoint: Path, tmp_path: Path) -> PredictMaker:
    """Predict by the tiny model; files are coarse and go to a folder of their own."""
    return PredictMaker(
        store_path=str(tmp_path / "store"),
        predictor=ScdpPredictor(str(tiny_checkpoint)),
        folder=str(tmp_path / "files"),
        spacing=0.35,
    )


def test_coefficients_are_stored(
    maker: PredictMaker, water: Molecule, tiny_checkpoint: Path
) -> None:
    from scdp_models.density.orbital import OrbitalDensity

    output = _predict(maker, [water])
    with maker.open_stores() as stores:
        doc = stores.reports.predictions.get(output.prediction_ids[0])
        density = OrbitalDensity.from_arrays(stores.blobs.get_arrays(doc.blob))
    assert doc.model_id == file_sha256(tiny_checkpoint)
    assert doc.n_electrons == pytest.approx(8, abs=1e-5)
    assert density.n_electrons() == pytest.approx(8, abs=1e-5)
    assert output.rows[0].files == []
    assert output.rows[0].formula == "H2O"


def test_files_hold_the_electrons(
    maker: PredictMaker, water: Molecule, tiny_checkpoint: Path
) -> None:
    atoms = AtomicPredictor(str(tiny_checkpoint))
    writing = replace(maker, formats=("chgcar", "cube"))
    output = _predict(writing, [water], names=["water"], predictor=atoms)
    assert [Path(file).name for file in output.rows[0].files] == ["water.chgcar", "water.cube"]
    for file in output.rows[0].files:
        assert read_density(file).integral() == pytest.approx(8, abs=0.02)


def test_failures_do_not_spoil_the_batch(maker: PredictMaker, water: Molecule) -> None:
    silicon = Molecule(["Si", "H", "H"], [[0.0, 0.0, 0.0], [0.0, 1.2, 1.0], [0.0, -1.2, 1.0]])
    output = _predict(maker, [silicon, water])
    assert [(f.index, f.error) for f in output.failed] == [(0, "ModelError")]
    assert len(output.prediction_ids) == 1


@dataclass(frozen=True)
class ManyDevices:
    """Predict in batches of two on many devices, all of which must work at the same time."""

    n_devices: int
    refused: int | None = None

    def predict_many(self, structures: Iterable[Any]) -> Iterator[Any]:
        """Give each structure back."""
        met, remaining = Barrier(self.n_devices, timeout=10), iter(structures)

        def lane(batch: list[Any]) -> list[Any]:
            if self.refused in batch:
                raise ModelError(str(batch))
            if self.refused is None:
                met.wait()
            return batch

        batches = iter(lambda: list(islice(remaining, 2)), [])
        for found in share([lane] * self.n_devices, batches):
            yield from found


def test_all_devices_of_a_predictor_have_work() -> None:
    errors: dict[int, Any] = {}
    many: Any = ManyDevices(20)
    structures: Any = range(80)
    found: list[Any] = list(predict_each(many, structures, errors))
    assert found == [(number, number) for number in range(80)]
    assert not errors


def test_after_a_failure_prediction_goes_on() -> None:
    errors: dict[int, Any] = {}
    one: Any = ManyDevices(3, refused=25)
    structures: Any = range(80)
    found: list[Any] = list(predict_each(one, structures, errors))
    assert found == [(number, number) for number in range(80) if number != 25]
    assert list(errors) == [25]


def test_a_single_failure_is_raised_as_it_is(maker: PredictMaker) -> None:
    with pytest.raises(StructureError, match="overlap"):
        _predict(maker, [Molecule(["H", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.1]])])


def test_predicting_again_changes_nothing(maker: PredictMaker, water: Molecule) -> None:
    first, second = _predict(maker, [water]), _predict(maker, [water])
    assert first.prediction_ids == second.prediction_ids
    with maker.open_stores() as stores:
        assert stores.reports.predictions.count() == 1


@pytest.mark.parametrize(
    ("changes", "names", "error", "message"),
    [
        ({"predictor": None}, None, SettingsError, "no predictor"),
        ({"formats": ("cbue",)}, None, UnknownNameError, "unknown format 'cbue'.*cube"),
        ({}, ["a", "a"], DatasetError, "1 names for 1 structures"),
        ({}, [], DatasetError, "0 names"),
        (
            {"predictor": ScdpPredictor("gone.safetensors")},
            None,
            ModelError,
            "no model 'gone.safetensors'",
        ),
    ],
)
def test_wrong_requests_are_explained(
    changes: dict[str, Any],
    names: list[str] | None,
    error: type[Exception],
    message: str,
    maker: PredictMaker,
    water: Molecule,
) -> None:
    with pytest.raises(error, match=message):
        _predict(replace(maker, **changes), [water], names=names)


def test_no_structures_is_an_error(maker: PredictMaker) -> None:
    with pytest.raises(DatasetError, match="no structures"):
        _predict(maker, [])


def test_an_unwritable_folder_is_named(maker: PredictMaker, water: Molecule) -> None:
    folder = Path(maker.folder or "")
    folder.write_text("no folder")
    with pytest.raises(StoreError, match="files: the density cannot be written"):
        _predict(replace(maker, formats=("cube",)), [water])


def test_outputs_of_batches_are_put_together() -> None:
    refusal = Refusal(index=0, item="SiH2", error="ModelError", reason="unknown element")
    row = PredictedRow(prediction_id="a", name="a", formula="H2", n_electrons=2, seconds=0)
    batch = PredictionOutput(rows=[row], failed=[refusal])
    merged = merge_predictions.original([batch, batch])  # type: ignore[attr-defined]
    assert merged.prediction_ids == ["a", "a"]
    assert [item.index for item in merged.failed] == [0, 2]
