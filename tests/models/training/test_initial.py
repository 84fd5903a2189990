"""What a run starts with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from scdp_models.basis.shells import BasisSet
from scdp_models.checkpoint import Checkpoint, save_checkpoint
from scdp_models.data.shards import ShardReader, write_shard
from scdp_models.errors import TrainingError
from scdp_models.training.batches import BatchSource, SourceSettings
from scdp_models.training.initial import initial_network

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_models.data.samples import TrainingSample
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.nn.network import DensityNetwork
    from scdp_models.training.config import RunSpecification


@pytest.fixture
def source(reader: ShardReader) -> BatchSource:
    return BatchSource(reader, SourceSettings(cutoff=5.0))


@pytest.fixture
def earlier(
    specification: RunSpecification,
    tiny_network: DensityNetwork,
    reference: AtomicReference,
    tmp_path: Path,
) -> Path:
    """Give the checkpoint of an earlier stage."""
    basis = BasisSet.from_dict(specification.basis)
    state = tiny_network.state_dict()
    checkpoint = Checkpoint(specification.network, basis, reference, {}, state)
    return save_checkpoint(tmp_path / "earlier.safetensors", checkpoint)


def _starting_from(path: Path, specification: RunSpecification, **network: Any) -> RunSpecification:
    training = replace(specification.training, initial_weights=str(path))
    changed = replace(specification.network, **network)
    return replace(specification, training=training, network=changed)


def test_scales_are_learnt_from_the_labels(
    specification: RunSpecification, source: BatchSource, reference: AtomicReference
) -> None:
    network = initial_network(specification, source, reference)
    matrix = network.readout.get_buffer("matrix_0")
    assert float(matrix.abs().max()) not in {0.0, 1.0}
    assert sorted(source.spreads) == [1, 8]
    again = initial_network(specification, source, reference)
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_total_densities_without_a_fit_start_from_the_atoms(
    specification: RunSpecification,
    samples: list[TrainingSample],
    reference: AtomicReference,
    tmp_path: Path,
) -> None:
    bare = [replace(sample, metric=None) for sample in samples]
    reader = ShardReader([write_shard(tmp_path / "bare", bare)])
    source = BatchSource(reader, SourceSettings(cutoff=5.0))
    total = replace(specification, network=replace(specification.network, target="total"))
    network = initial_network(total, source, reference)
    held = network.readout.get_buffer("mean")[:, :, 0]
    assert float(held[1].abs().max()) > float(held[0].abs().max()) > 0
    network = initial_network(specification, source, reference)
    assert not network.readout.get_buffer("mean").any()
    assert source.spreads == {}


def test_a_second_stage_keeps_the_weights_and_adds_exponents(
    earlier: Path, specification: RunSpecification, source: BatchSource, reference: AtomicReference
) -> None:
    second = _starting_from(earlier, specification, scale_exponents=True)
    network = initial_network(second, source, reference)
    first = initial_network(
        _starting_from(earlier, specification),
        source,
        reference,
    )
    graph = source.graph(0)
    with torch.no_grad():
        parts, before = network.predict_parts(graph), first.predict_parts(graph)
    torch.testing.assert_close(parts.coefficients, before.coefficients)
    assert parts.exponent_factors is not None
    torch.testing.assert_close(parts.exponent_factors, torch.ones_like(parts.exponent_factors))


def test_a_neutral_model_can_learn_charge_and_spin(
    earlier: Path, specification: RunSpecification, source: BatchSource, reference: AtomicReference
) -> None:
    second = _starting_from(earlier, specification, charge_input=True, spin_output=True)
    network = initial_network(second, source, reference)
    first = initial_network(_starting_from(earlier, specification), source, reference)
    graph = source.graph(0)
    with torch.no_grad():
        before, after = first(graph), network(graph)
        anion = network(graph.with_state(-1, 1))
    torch.testing.assert_close(after, before)
    assert float((anion - before).abs().max()) > 1e-4


def test_another_network_is_refused(
    earlier: Path, specification: RunSpecification, source: BatchSource, reference: AtomicReference
) -> None:
    other = _starting_from(earlier, specification, n_channels=5)
    with pytest.raises(TrainingError, match="holds a network with other settings"):
        initial_network(other, source, reference)


def test_another_basis_is_refused(
    earlier: Path, specification: RunSpecification, source: BatchSource, reference: AtomicReference
) -> None:
    basis = BasisSet.from_dict(specification.basis)
    wider = {z: replace(s, exponents=(0.4, 1.4, 0.8)) for z, s in basis.species.items()}
    changed = replace(specification, basis=BasisSet("wider", wider).to_dict())
    with pytest.raises(TrainingError, match="another basis"):
        initial_network(_starting_from(earlier, changed), source, reference)


def test_exponents_that_were_learnt_are_not_dropped(
    earlier: Path, specification: RunSpecification, source: BatchSource, reference: AtomicReference
) -> None:
    scaled = _starting_from(earlier, specification, scale_exponents=True)
    network = initial_network(scaled, source, reference)
    settings = replace(specification.network, scale_exponents=True)
    basis = BasisSet.from_dict(specification.basis)
    path = earlier.with_name("scaled.safetensors")
    save_checkpoint(path, Checkpoint(settings, basis, reference, {}, network.state_dict()))
    with pytest.raises(TrainingError, match=r"exponents\."):
        initial_network(_starting_from(path, specification), source, reference)
