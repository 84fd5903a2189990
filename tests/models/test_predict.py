"""The door to a model: arrays in, density out."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from scdp_models.basis.library import lean_basis
from scdp_models.basis.shells import shell_charge
from scdp_models.checkpoint import Checkpoint, save_checkpoint
from scdp_models.density.atomic import AtomicDensity, AtomicReference
from scdp_models.errors import CheckpointError, GraphError
from scdp_models.nn.config import NetworkConfig
from scdp_models.nn.network import DensityNetwork
from scdp_models.nn.passes import prediction_bytes
from scdp_models.predict import Geometry, Model, load, load_pretrained, pretrained_path
from scdp_models.testing import assert_charge, assert_equivariant, assert_same_density

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_models.graph import AtomGraph

WATER = Geometry([8, 1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.96], [0.93, 0.0, -0.24]])
METHANOL = Geometry(
    [6, 8, 1, 1, 1, 1],
    [
        [-0.66, 0.02, 0.0],
        [0.75, -0.12, 0.0],
        [-1.08, -0.98, 0.0],
        [-1.03, 0.54, 0.89],
        [-1.03, 0.54, -0.89],
        [1.13, 0.75, 0.0],
    ],
)
ELECTRONS = {1: 1.0, 6: 4.0, 8: 6.0}


def _checkpoint(*, midpoints: str = "none", **settings: Any) -> Checkpoint:
    """Make a small model with random weights."""
    basis = lean_basis(ELECTRONS, lmax=(1, 2), midpoints=midpoints)
    small = {"n_channels": 4, "lmax": 2, "n_radial": 4, "radial_hidden": 8, "blocks_per_layer": 1}
    config = NetworkConfig(**{**small, **settings})
    charge = float(shell_charge(0, 0.9))
    atoms = {z: AtomicDensity(n, (0.9,), (n / charge,)) for z, n in ELECTRONS.items()}
    torch.manual_seed(0)
    return Checkpoint(
        network=config,
        basis=basis,
        reference=AtomicReference("one Gaussian", atoms),
        kind={"electrons": "valence"},
        state=DensityNetwork(config, basis, mean_neighbours=5.0).state_dict(),
    )


@pytest.fixture
def model() -> Model:
    return Model(_checkpoint(), "float64")


@pytest.fixture
def midpoint_model() -> Model:
    return Model(_checkpoint(midpoints="smaller"), "float64")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_checkpoint(tmp_path / "model.safetensors", _checkpoint())


@pytest.mark.parametrize("target", ["delta", "total"])
def test_the_density_holds_the_electrons_of_the_neutral_molecule(target: str) -> None:
    model = Model(_checkpoint(target=target))
    assert_charge(model.predict, *WATER[:2], n_electrons=8, tolerance=1e-9)
    assert_charge(model.predict, *METHANOL[:2], n_electrons=14, tolerance=1e-9)


def test_predictions_turn_with_the_molecule(midpoint_model: Model) -> None:
    assert_equivariant(midpoint_model.predict, *METHANOL[:2], tolerance=1e-10)


def test_a_delta_model_adds_its_reference(model: Model) -> None:
    atoms = model.reference.superposition(*WATER[:2])
    density = model.predict(*WATER[:2])
    n_atomic = atoms.n_functions
    np.testing.assert_array_equal(density.coefficients[:n_atomic], atoms.coefficients)
    assert (density - atoms).n_electrons() == pytest.approx(0, abs=1e-9)


def test_the_excess_is_what_the_projection_took_away() -> None:
    corrected = Model(_checkpoint(), "float64").predict_batch([WATER])[0]
    free = Model(_checkpoint(project_charge=False), "float64").predict_batch([WATER])[0]
    assert abs(free.excess_electrons) > 1e-3
    assert corrected.excess_electrons == pytest.approx(free.excess_electrons)
    assert free.density.n_electrons() == pytest.approx(8 + free.excess_electrons)


@pytest.mark.parametrize("target", ["delta", "total"])
def test_scaled_exponents_are_those_of_the_density(target: str) -> None:
    checkpoint = _checkpoint(target=target, scale_exponents=True)
    state = dict(checkpoint.state)
    state["exponents.bias"] = torch.linspace(-1, 1, state["exponents.bias"].numel()).view(3, -1)
    model = Model(replace(checkpoint, state=state), "float64")
    water, twice = model.predict_batch([WATER, METHANOL])[0].density, model.predict(*WATER)
    fixed = Model(_checkpoint(target=target), "float64").predict(*WATER)
    ratio = water.shell_exponents / fixed.shell_exponents
    assert 0.5 < ratio.min() < 0.95
    assert 1.05 < ratio.max() < 2
    np.testing.assert_allclose(water.coefficients, twice.coefficients, rtol=1e-11, atol=1e-11)
    assert water.n_electrons() == pytest.approx(8, abs=1e-9)
    assert_equivariant(model.predict, *METHANOL[:2], tolerance=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_batch_gives_what_single_predictions_give(dtype: str) -> None:
    model = Model(_checkpoint(midpoints="smaller"), dtype)
    crystal = Geometry([8, 1], 1.1 * np.eye(3)[:2], 2.6 * np.eye(3), (True, True, True))
    geometries = [WATER, crystal, METHANOL, WATER]
    tolerance = 1e-5 if dtype == "float32" else 1e-11
    for found, geometry in zip(model.predict_batch(geometries), geometries, strict=True):
        alone = model.predict(*geometry)
        assert found.density.pbc == alone.pbc
        np.testing.assert_allclose(
            found.density.coefficients, alone.coefficients, rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize(("edges", "passes"), [(30, 3), (10_000, 1)])
def test_long_lists_go_through_in_parts(
    model: Model, monkeypatch: pytest.MonkeyPatch, edges: int, passes: int
) -> None:
    geometries = [WATER, WATER, METHANOL, WATER]  # of 6, 6, 30 and 6 edges
    whole = model.predict_batch(geometries)
    sizes, forward = [], model._forward

    def spy(batch: AtomGraph) -> Any:
        sizes.append(batch.n_structures)
        return forward(batch)

    monkeypatch.setattr(model, "_forward", spy)
    allowed = prediction_bytes(model._network.config, model._graph(METHANOL), itemsize=8)
    parts = model.predict_batch(geometries, memory=allowed * edges // 30)
    assert (sum(sizes), len(sizes)) == (4, passes)
    for found, expected in zip(parts, whole, strict=True):
        np.testing.assert_allclose(
            found.density.coefficients, expected.density.coefficients, atol=1e-11
        )
        assert found.excess_electrons == pytest.approx(expected.excess_electrons, abs=1e-11)


def test_structures_that_do_not_fit_into_memory_are_refused(model: Model) -> None:
    allowed = prediction_bytes(model._network.config, model._graph(WATER), itemsize=8)
    assert len(model.predict_batch([WATER, WATER], memory=allowed)) == 2
    with pytest.raises(GraphError, match="6 centres and 30 edges needs about"):
        model.predict_batch([WATER, METHANOL], memory=allowed)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"device": "abacus"}, "no device 'abacus'"), ({"compiled": True}, "are for GPUs")],
    ids=["device", "compiled"],
)
def test_what_needs_a_gpu_is_refused_without(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        Model(_checkpoint(), **settings)


def test_an_empty_batch_is_an_empty_list(model: Model) -> None:
    assert model.predict_batch([]) == []


def test_single_precision_is_close_to_double() -> None:
    single, double = (Model(_checkpoint(), dtype) for dtype in ("float32", "float64"))
    assert_same_density(single.predict(*METHANOL[:2]), double.predict(*METHANOL[:2]))


def test_a_crystal_may_be_described_by_any_of_its_cells(model: Model) -> None:
    numbers, positions, cell = [8, 1], np.array([[0, 0, 0], [0.9, 0.1, 0]]), 2.7 * np.eye(3)
    small = model.predict(numbers, positions, cell, (True, True, True))
    moved = model.predict(
        numbers, positions + np.array([[0, 0, 0], [5.4, 0, -2.7]]), cell, (True,) * 3
    )
    np.testing.assert_allclose(moved.coefficients, small.coefficients, atol=1e-10)
    double = model.predict(
        numbers * 2,
        np.concatenate([positions, positions + cell[0]]),
        cell * [[2], [1], [1]],
        (True, True, True),
    )
    # The supercell lists its atoms' reference shells first, then all that was predicted.
    half = small.n_functions - model.reference.superposition(numbers, positions).n_functions
    np.testing.assert_allclose(double.coefficients[-half:], small.coefficients[-half:], atol=1e-10)


def test_given_midpoints_take_the_place_of_the_rule(midpoint_model: Model) -> None:
    numbers, positions = WATER[:2]
    bonds = np.array(positions)[1:] / 2
    ruled = midpoint_model.predict(numbers, positions)
    given = midpoint_model.predict(numbers, positions, virtual_positions=bonds)
    assert_same_density(given, ruled, tolerance=1e-10)
    none = midpoint_model.predict(numbers, positions, virtual_positions=np.zeros((0, 3)))
    assert none.numbers.tolist() == [8, 1, 1]
    moved = midpoint_model.predict(numbers, positions, virtual_positions=bonds * 1.1)
    assert np.abs(moved.coefficients - given.coefficients).max() > 1e-4


def test_a_single_atom_has_a_spherical_density(midpoint_model: Model) -> None:
    density = midpoint_model.predict([8], [[1.0, 2.0, 3.0]])
    assert density.n_electrons() == pytest.approx(6)
    np.testing.assert_allclose(density.dipole(), np.multiply(6, [1.0, 2.0, 3.0]), atol=1e-9)


def test_the_model_says_what_it_knows(model: Model) -> None:
    assert model.elements == (1, 6, 8)
    assert model.kind == {"electrons": "valence"}
    assert Model(_checkpoint(midpoints="small")).elements == (1, 6, 8)


@pytest.mark.parametrize(
    ("numbers", "positions", "said"),
    [
        ([8, 26], np.eye(3)[:2], r"\[26\]; it covers \[1, 6, 8\]"),
        ([8, 1], np.zeros((2, 3)), "remove one of them"),
        ([8, 1], np.eye(3), "expected"),
        ([], np.zeros((0, 3)), "expected"),
        ([8, 1, 1], np.zeros((3, 2)), "expected"),
        ([8, 1], np.diag([1, np.nan, 1])[:2], "not finite"),
    ],
)
@pytest.mark.parametrize("midpoints", ["none", "small"])
def test_structures_it_cannot_take_are_refused(
    midpoints: str, numbers: list[int], positions: np.ndarray, said: str
) -> None:
    with pytest.raises(GraphError, match=said):
        Model(_checkpoint(midpoints=midpoints)).predict(numbers, positions)


@pytest.mark.parametrize("target", ["delta", "total"])
def test_ions_and_radicals_hold_their_electrons(target: str) -> None:
    model = Model(_checkpoint(target=target, charge_input=True, spin_output=True))
    states = [(0, 0), (-1, 1), (1, 3), (2, 0)]
    for state, found in zip(
        states, model.predict_batch([WATER._replace(state=state) for state in states]), strict=True
    ):
        assert found.density.n_electrons() == pytest.approx(8 - state[0], abs=1e-9)
        assert found.spin_density is not None
        assert found.spin_density.n_electrons() == pytest.approx(state[1], abs=1e-9)
    assert model.handles_charge
    assert model.handles_spin
    assert model.predict(*WATER[:2], state=(2, 0)).n_electrons() == pytest.approx(6, abs=1e-9)


def test_the_excess_of_an_ion_is_relative_to_its_electrons() -> None:
    checkpoint = _checkpoint(charge_input=True, project_charge=False)
    cation = Model(checkpoint, "float64").predict_batch([WATER._replace(state=(1, 1))])[0]
    assert cation.density.n_electrons() - 7 == pytest.approx(cation.excess_electrons, abs=1e-9)
    assert cation.spin_density is None


@pytest.mark.parametrize(
    ("charge_input", "state", "said"),
    [
        (False, (1, 1), "charge 1 and 1 unpaired .* neutral closed shells only"),
        (False, (0, 2), "neutral closed shells only"),
        (True, (1, 0), r"7 electrons \(charge 1\) cannot leave 0 unpaired"),
        (True, (0, 10), "8 electrons .* cannot leave 10"),
        (True, (8, 0), "0 electrons"),
        (True, (0, -2), "not negative"),
    ],
)
def test_states_it_cannot_take_are_refused(
    charge_input: bool, state: tuple[int, int], said: str
) -> None:
    with pytest.raises(GraphError, match=said):
        Model(_checkpoint(charge_input=charge_input)).predict(*WATER[:2], state=state)


def test_a_checkpoint_is_loaded_once(saved: Path) -> None:
    first = load(saved)
    assert load(str(saved)) is first
    assert load(saved, "float64") is not first


def test_a_checkpoint_that_changed_is_loaded_again(saved: Path) -> None:
    first = load(saved)
    save_checkpoint(saved, replace(_checkpoint(), training={"round": 2}))
    os.utime(saved, ns=(1, 1))
    assert load(saved).training == {"round": 2}
    assert first.training == {}


def test_what_cannot_be_loaded_is_named(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*gone\.safetensors"):
        load(tmp_path / "gone.safetensors")
    with pytest.raises(CheckpointError, match="'float16' is not supported; use 'float32'"):
        load(saved, "float16")


def test_an_unknown_shipped_model_lists_those_there_are(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CheckpointError, match="'large'; there are: "):
        load_pretrained("large")
    (saved.parent / "pretrained").mkdir()
    saved.rename(saved.parent / "pretrained" / "tiny.safetensors")
    monkeypatch.setattr("scdp_models.predict.resources.files", lambda _: saved.parent)
    with pytest.raises(CheckpointError, match="'large'; there are: tiny"):
        pretrained_path("large")
    assert load_pretrained("tiny").elements == (1, 6, 8)
