"""The network a run starts with: random weights with scales of the labels, or earlier weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from scdp_models.basis.shells import BasisSet
from scdp_models.checkpoint import load_checkpoint
from scdp_models.errors import TrainingError
from scdp_models.nn.network import DensityNetwork
from scdp_models.nn.whitening import CoefficientMoments, unfitted_whitening

if TYPE_CHECKING:
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.nn.whitening import Whitening
    from scdp_models.training.batches import BatchSource
    from scdp_models.training.config import RunSpecification

__all__ = ["initial_network"]

# Settings that may differ from those of the initial weights, and the module each brings.
_ADDITIONS = {
    "scale_exponents": "exponents",
    "charge_input": "charge_state",
    "spin_output": "spin_readout",
}


def initial_network(
    specification: RunSpecification, source: BatchSource, reference: AtomicReference
) -> DensityNetwork:
    """Make the network of a run.

    Parameters
    ----------
    specification
        The run.
    source
        Its training structures; told the spreads of their coefficients where they were fitted.
    reference
        The free atoms.

    Raises
    ------
    TrainingError
        If the initial weights do not belong to this network.
    """
    basis = BasisSet.from_dict(specification.basis)
    moments = _moments(basis, source)
    if moments is not None:
        source.spreads = moments.spreads()
    torch.manual_seed(specification.training.seed)
    spin = _spin_whitening(basis, source) if specification.network.spin_output else None
    if specification.training.initial_weights is not None:
        return _continued(specification, basis, reference, spin)
    graphs = (source.graph(i) for i in range(len(source.reader)))
    neighbours = float(np.mean([len(graph.source) / graph.n_nodes for graph in graphs]))
    total = specification.network.target == "total"
    learnt = None if moments is None else moments.whitening()
    return DensityNetwork(
        specification.network,
        basis,
        electrons=_electrons(reference) if total else None,
        whitening=learnt or _unfitted(basis, reference, total=total),
        mean_neighbours=neighbours,
        spin_whitening=spin,
    )


def _spin_whitening(basis: BasisSet, source: BatchSource) -> Whitening:
    """Learn the scales of the spin density of one unpaired electron.

    Species that occur in closed shells only get general ones.
    """
    moments = CoefficientMoments(basis)
    for index in range(len(source.reader)):
        sample = source.reader[index]
        if sample.spin is not None and sample.unpaired:
            moments.add(sample.template.numbers, sample.spin / sample.unpaired)
    return {**unfitted_whitening(basis, {}), **moments.known_whitening()}


def _electrons(reference: AtomicReference) -> dict[int, float]:
    return {z: atom.n_electrons for z, atom in reference.atoms.items()}


def _moments(basis: BasisSet, source: BatchSource) -> CoefficientMoments | None:
    """Gather the coefficients of the fitted labels; None if there are none."""
    moments, found = CoefficientMoments(basis), False
    for index in range(len(source.reader)):
        sample = source.reader[index]
        if sample.metric is not None:
            moments.add(sample.template.numbers, sample.template.coefficients)
            found = True
    return moments if found else None


def _unfitted(basis: BasisSet, reference: AtomicReference, *, total: bool) -> Whitening:
    atoms = [z for z in basis.species if z in reference.atoms] if total else []
    return unfitted_whitening(
        basis, {z: reference.superposition([z], np.zeros((1, 3))) for z in atoms}
    )


def _continued(
    specification: RunSpecification,
    basis: BasisSet,
    reference: AtomicReference,
    spin: Whitening | None,
) -> DensityNetwork:
    """Return the network with the weights of a checkpoint; only additions to it may be new."""
    path = specification.training.initial_weights
    checkpoint = load_checkpoint(str(path))
    wanted = specification.network
    new = {name: getattr(wanted, name) for name in _ADDITIONS}
    if replace(checkpoint.network, **new) != wanted:
        msg = (
            f"{path} holds a network with other settings ({checkpoint.network}) than this run "
            f"({wanted}); take its settings, {', '.join(_ADDITIONS)} aside, or another checkpoint"
        )
        raise TrainingError(msg)
    if checkpoint.basis.to_dict()["species"] != basis.to_dict()["species"]:
        msg = f"{path} was trained with another basis ({checkpoint.basis.name!r}); use that basis"
        raise TrainingError(msg)
    earlier = checkpoint.build().state_dict()
    electrons = _electrons(reference) if wanted.target == "total" else None
    network = DensityNetwork(wanted, basis, electrons=electrons, spin_whitening=spin)
    found = network.load_state_dict(earlier, strict=False)
    lacking = [name for name in found.missing_keys if name.split(".")[0] not in _ADDITIONS.values()]
    if lacking or found.unexpected_keys:
        msg = (
            f"{path} lacks the weights {lacking} and has {found.unexpected_keys} beyond those of "
            "this run; take a checkpoint of the same network"
        )
        raise TrainingError(msg)
    return network
