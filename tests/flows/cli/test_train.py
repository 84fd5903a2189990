"""Training from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scdp_flows.cli.train import _flow_maker
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path


def test_a_model_is_trained_on_what_was_selected(
    scdp: Any, store: Path, instant_training: list[Path]
) -> None:
    result = scdp("train", "--store", store, "--name", "mine", "--select", "tags=few")
    assert result.exit_code == 0, result.stderr
    assert "atomic" in result.stdout
    assert "train_loss_ha" in result.stdout
    with open_stores(store) as stores:
        dataset = stores.datasets.get("mine")
        assert stores.models.get("mine").dataset_id == dataset.dataset_id
    assert (dataset.n_train, dataset.n_validation, dataset.n_test) == (1, 1, 1)
    assert len(instant_training) == 1


def test_settings_reach_their_owners() -> None:
    settings = {"n_steps": 5, "n_channels": 8, "test": 0.3, "target": "total", "keep_grid": True}
    maker = _flow_maker("mine", None, settings, basis="lean+small")
    assert maker.train_maker.training == {"n_steps": 5}
    assert maker.train_maker.network == {"n_channels": 8}
    assert maker.dataset_maker.split.test == 0.3
    assert (maker.dataset_maker.target, maker.dataset_maker.keep_grid) == ("total", True)
    assert (maker.dataset_maker.basis, maker.dataset_maker.dataset_name) == ("lean+small", "mine")


def test_a_preset_brings_basis_and_both_stages() -> None:
    maker = _flow_maker("mine", "K4L3-b2.0-sf", {"n_steps": 10, "n_channels": 8})
    assert (maker.dataset_maker.basis, maker.dataset_maker.target) == ("etb-2.0", "total")
    assert maker.dataset_maker.keep_grid
    assert (maker.train_maker.preset, maker.train_maker.training) == (
        "K4L3-b2.0-sf",
        {"n_steps": 10},
    )
    assert maker.second_maker is not None
    assert maker.second_maker.network == {"n_channels": 8, "scale_exponents": True}
    assert maker.second_maker.training["n_steps"] == 6
    one_stage = _flow_maker("mine", "K4L3-b2.0-sf", {"scale_exponents": False})
    assert one_stage.second_maker is None


def test_a_second_stage_brings_grids() -> None:
    maker = _flow_maker("mine", None, {"scale_exponents": True})
    assert maker.dataset_maker.keep_grid
    assert maker.second_maker is not None
    assert maker.second_maker.training["loss"] == "coulomb_g"


def test_an_unknown_preset_lists_the_known(scdp: Any, store: Path) -> None:
    result = scdp("train", "--store", store, "--preset", "K4L4")
    assert result.exit_code == 2
    assert "no preset 'K4L4'; there are: K4L3-b2.0" in result.stderr


def test_an_unknown_setting_lists_the_known(scdp: Any, store: Path) -> None:
    result = scdp("train", "--store", store, "--set", "n_stepz=5")
    assert result.exit_code == 2
    assert "unknown setting 'n_stepz'; known (closest first): n_steps" in result.stderr


def test_an_empty_selection_is_an_error(scdp: Any, store: Path) -> None:
    result = scdp("train", "--store", store, "--select", "tags=none")
    assert result.exit_code == 2
    assert "there are no labels" in result.stderr
