"""Presets are complete and belong together."""

from __future__ import annotations

import pytest

from scdp_models.basis.named import basis_from_spec
from scdp_models.errors import CheckpointError
from scdp_models.nn.presets import PRESETS, find_preset
from scdp_models.training.config import TrainingConfig

TABLE = (
    "K4L3-b2.0", "K8L6-b2.0", "K8L6-b1.5", "K8L6-b2.0-vo", "K8L6-b1.5-vo", "K8L6-b1.3-vo",
)  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_used(name: str) -> None:
    preset = find_preset(name.upper())
    assert basis_from_spec(preset.basis, [1, 6, 8]).has_midpoints == ("+" in preset.basis)
    for settings in (preset.training, preset.fine_tuning or {}):
        TrainingConfig.from_dict(dict(settings))
    assert preset.second_stage().scale_exponents


@pytest.mark.parametrize("name", TABLE)
def test_the_rows_of_the_paper_are_there(name: str) -> None:
    plain, scaled = PRESETS[name], PRESETS[f"{name}-sf"]
    assert plain.fine_tuning is None
    assert scaled.fine_tuning is not None
    assert scaled.fine_tuning["learning_rate"] == 2e-5
    assert (plain.network, plain.basis) == (scaled.network, scaled.basis)
    assert f"K{plain.network.n_layers}L{plain.network.lmax}" == name[:4]
    assert plain.training["n_probes"] == (60_000 if "-vo" in name else 100_000)


def test_the_best_published_model_is_what_it_was() -> None:
    preset = find_preset("K8L6-b1.3-vo-sf").legacy()
    network = preset.network
    assert (network.n_channels, network.n_hidden, network.edge_channels) == (128, 256, 128)
    assert (network.mode, network.activation, network.cutoff) == ("legacy", "s2", 6.0)
    assert basis_from_spec(preset.basis, [1, 8]).for_species(0).n_shells == 148


def test_compact_networks_have_no_published_form() -> None:
    with pytest.raises(CheckpointError, match="settings of trunk 'escn'"):
        find_preset("small").legacy()


def test_unknown_names_get_the_closest_first() -> None:
    with pytest.raises(CheckpointError, match=r"no preset 'K8L6-b1\.4'; there are: K8L6-b"):
        find_preset("K8L6-b1.4")
