"""Quadratic products turn as they should, and the published one is the published one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from e3nn import o3
from scipy.spatial.transform import Rotation

from scdp_models.density.orbital import rotation_matrix
from scdp_models.nn.tensor_product import QuadraticProduct, published_features

if TYPE_CHECKING:
    from pathlib import Path


def _features(n_channels: int, lmax: int, n_nodes: int = 5) -> torch.Tensor:
    return torch.randn(n_nodes, n_channels, (lmax + 1) ** 2, dtype=torch.float64)


def _flat(blocks: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([block.flatten(1) for block in blocks], dim=1)


@pytest.mark.parametrize(
    ("lmax", "outputs"), [(0, [3]), (1, [4, 3, 2, 2]), (2, [2, 2, 1, 1, 1]), (3, [5, 0, 2])]
)
def test_the_published_product_is_that_of_e3nn(lmax: int, outputs: list[int]) -> None:
    channels, features = 4, _features(4, lmax)
    product = QuadraticProduct(channels, lmax, outputs, legacy=True).double()
    inputs = o3.Irreps([(channels, (l, (-1) ** l)) for l in range(lmax + 1)])
    wanted = o3.Irreps([(n, (l, 1)) for l, n in enumerate(outputs) if n])
    theirs = o3.FullyConnectedTensorProduct(inputs, inputs, wanted).double()
    assert theirs.weight.shape == product.weight.shape
    theirs.weight.data = product.weight.data
    # published memory layout: component slowest, channel fastest
    x = features.transpose(1, 2).flatten(1)
    torch.testing.assert_close(_flat(product(features)), theirs(x, x), rtol=1e-6, atol=1e-6)
    ours, names = product.state_dict(), theirs.state_dict()
    assert torch.equal(ours["output_mask"].double(), names["output_mask"].double())


def test_the_published_layout_mixes_channels_and_components() -> None:
    features = torch.arange(2 * 4.0).reshape(1, 2, 4)
    scalars, vectors = published_features(features)
    assert scalars.tolist() == [[[0.0], [4.0]]]
    assert vectors.tolist() == [[[1.0, 5.0, 2.0], [6.0, 3.0, 7.0]]]


def test_signs_of_the_couplings_come_with_the_weights(repository: Path) -> None:
    signs = json.loads(
        (repository / "tests/data/scdp_reference/w3j_sign_e3nn044_over_e3nn060.json").read_text()
    )
    product = QuadraticProduct(2, 3, [1, 1, 1, 1, 1], legacy=True)
    state = product.state_dict()
    flipped = {n: t for n, t in state.items() if signs.get(n.rpartition("w3j_")[2]) == -1}
    assert len(flipped) == 4
    features = _features(2, 3).float()
    before = _flat(product(features))
    product.load_state_dict({**state, **{n: -t for n, t in flipped.items()}})
    assert not torch.allclose(_flat(product(features)), before)


@pytest.mark.parametrize("lmax", [1, 3, 6])
@pytest.mark.parametrize("proper", [True, False], ids=["rotation", "reflection"])
def test_the_repaired_product_is_equivariant(lmax: int, proper: bool) -> None:
    outputs = [3, 2, 2, 1, 1]
    product = QuadraticProduct(3, lmax, outputs).double()
    turn = Rotation.random(rng=np.random.default_rng(lmax)).as_matrix() * (1 if proper else -1)
    matrices = [torch.as_tensor(rotation_matrix(l, turn)) for l in range(max(lmax, 4) + 1)]
    features = _features(3, lmax)
    turned = features @ torch.block_diag(*matrices[: lmax + 1]).T
    with torch.no_grad():
        before, after = product(features), product(turned)
    for l, (block, expected) in enumerate(zip(after, before, strict=True)):
        difference = (block - expected @ matrices[l].T).abs().max()
        assert float(difference) < 1e-12 * max(1.0, float(block.abs().max()))
        assert (float(block.abs().max()) > 0) == (l <= 2 * lmax)


def test_outputs_are_of_order_one_for_features_of_order_one() -> None:
    product = QuadraticProduct(16, 4, [50, 50, 50, 50, 50])
    for block in product(_features(16, 4, 200).float()):
        assert 0.7 < float(block.detach().std()) < 1.6


def test_gradients_agree_with_finite_differences() -> None:
    product = QuadraticProduct(2, 2, [2, 1, 1]).double()
    features = _features(2, 2, 2).requires_grad_()

    def total(x: torch.Tensor, weight: torch.Tensor) -> Any:
        return _flat(torch.func.functional_call(product, {"weight": weight}, (x,)))

    assert torch.autograd.gradcheck(total, (features, product.weight))
