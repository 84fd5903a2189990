"""What a published checkpoint is comes from its weights, and must agree with what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from scdp_models.basis.even_tempered import even_tempered_basis
from scdp_models.errors import CheckpointError
from scdp_models.nn.legacy.settings import model_hparams, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable


def test_settings_are_read_off_the_weights(published: Any) -> None:
    weights = published("B")
    found = read_settings(weights.state, {"model": {}})
    network = found.network
    sizes = (network.n_layers, network.lmax, network.mmax, network.n_channels, network.n_hidden)
    assert sizes == (2, 3, 2, 16, 16)
    assert network.scale_exponents
    assert found == read_settings(weights.state, weights.hparams)
    assert found.scale == pytest.approx(0.45**0.5)


def test_the_basis_is_the_published_one(published: Any) -> None:
    basis = read_settings(published("B").state, published("B").hparams).basis
    expected = even_tempered_basis([1, 6, 7, 8, 9], beta=2.0, midpoints=True)
    assert list(basis.species) == list(expected.species)
    for z, shells in basis.species.items():
        assert shells.ls == expected.species[z].ls
        np.testing.assert_allclose(shells.exponents, expected.species[z].exponents, rtol=1e-6)


def test_a_whole_configuration_is_understood(published: Any) -> None:
    weights = published("C")
    metadata = weights.hparams.pop("metadata")
    config = {"core": {"expname": "x"}, "model": weights.hparams, "metadata": metadata}
    assert read_settings(weights.state, config).periodic
    assert model_hparams(config)["metadata"] == metadata


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("num_layers", 4, "num_layers is 4, but the weights have 2"),
        ("lmax_list", [6], "lmax_list is 6, but the weights have 2"),
        ("lmax_list", [2, 2], "one resolution is supported"),
        ("sphere_channels", 128, "but the weights have 16"),
        ("cutoff", 5.0, "300 centres up to 6 Å"),
        ("distance_resolution", 0.1, "mean 60 up to 6.0 Å"),
        ("distance_function", "silu", "only 'gaussian' is supported"),
    ],
)
def test_contradictions_are_named(published: Any, name: str, value: Any, said: str) -> None:
    weights = published("A")
    weights.hparams["model"][name] = value
    with pytest.raises(CheckpointError, match=said):
        read_settings(weights.state, weights.hparams)


def _without(name: str) -> Callable[[dict[str, torch.Tensor]], object]:
    return lambda state: state.pop(name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without("scale"), "scale of shape None"),
        (_without("gto_dict.6.expos"), r"gto_dict\.6\.expos of shape None"),
        (_without("model.sphere_embedding.weight"), "sphere_embedding"),
        (lambda state: state.update({"gto_dict.1.con_idx": torch.zeros(3)}), "contracted"),
        (lambda state: state.update(orb_index=torch.ones(10, 3)), "orb_index has 3 columns"),
        (lambda state: state["gto_dict.1.expos"].neg_(), "gto_dict.1 is no set of shells"),
    ],
    ids=["scale", "exponents", "embedding", "contraction", "columns", "negative"],
)
def test_unusable_state_dicts_are_refused(published: Any, change: Any, said: str) -> None:
    weights = published("A")
    weights.state["gto_dict.1.expos"] = weights.state["gto_dict.1.expos"].clone()
    change(weights.state)
    with pytest.raises(CheckpointError, match=said):
        read_settings(weights.state, weights.hparams)


def test_missing_exponent_weights_are_noticed(published: Any) -> None:
    weights = published("A")
    with pytest.raises(CheckpointError, match="lacks expo_scaling weights"):
        read_settings(weights.state, {**weights.hparams, "expo_trainable": True})


@pytest.mark.parametrize("hparams", [{}, {"model": 3}])
def test_hyperparameters_without_a_model_are_refused(hparams: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="lack the section 'model'"):
        model_hparams(hparams)
