"""Published models in our format: official run directories become checkpoints.

Verified on checkpoints of the official layout, against results of the official code; the published
weights themselves were not at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scdp_models.checkpoint import Checkpoint
from scdp_models.density.atomic import AtomicReference
from scdp_models.errors import CheckpointError
from scdp_models.nn.legacy.run_directory import read_run_directory
from scdp_models.nn.legacy.settings import model_hparams, read_settings
from scdp_models.nn.legacy.weights import network_state
from scdp_models.nn.network import DensityNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scdp_models.nn.legacy.settings import PublishedSettings

__all__ = ["PUBLISHED_KIND", "import_run"]

PUBLISHED_KIND: Mapping[str, str] = {
    "electrons": "valence",
    "pseudopotential": "paw-pbe",
    "functional": "pbe",
    "basis": "400eV",
    "spin": "restricted",
    "code": "vasp",
}
"""What the labels of the published QM9 models are: VASP, PAW-PBE valence densities, 400 eV."""


def _check_metadata(settings: PublishedSettings, hparams: Mapping[str, Any]) -> None:
    """Make sure that ``metadata.json`` is of the same run as the weights."""
    metadata = model_hparams(hparams).get("metadata", {})
    known, said = list(settings.basis.species), metadata.get("unique_atom_types")
    if said is not None and sorted(said) != known:
        msg = f"metadata.json has unique_atom_types {said}, the checkpoint {known}; mixed-up runs?"
        raise CheckpointError(msg)
    variance = metadata.get("target_var")
    if variance is not None and abs(variance**0.5 - settings.scale) > 1e-4 * settings.scale:
        msg = f"metadata.json has target_var {variance}, the checkpoint {settings.scale**2:.6g}"
        raise CheckpointError(msg)


def import_run(
    folder: str | Path, *, kind: Mapping[str, Any] | None = None, use_ema: bool = True
) -> Checkpoint:
    """Turn an official run directory into a checkpoint, without running code of it.

    The network keeps the published arithmetic (mode ``"legacy"``). Its densities have no cut-off,
    where the official evaluation ends every function at 5 Å; :mod:`scdp_models.nn.legacy` gives
    those.

    Parameters
    ----------
    folder
        Holds a Lightning checkpoint, ``config.yaml`` and ``metadata.json``.
    kind
        JSON document of the density kind; :data:`PUBLISHED_KIND` when None.
    use_ema
        Whether to take the moving averages of the weights.

    Raises
    ------
    CheckpointError
        If a file is missing, refused or contradicts another one.
    """
    run = read_run_directory(folder, use_ema=use_ema)
    settings = read_settings(run.state, run.hparams)
    _check_metadata(settings, run.hparams)
    network = DensityNetwork(settings.network, settings.basis)
    training = {
        "imported_from": run.checkpoint.name,
        "moving_average": use_ema,
        "density_cutoff_ang": settings.density_cutoff,
        "parity": "verified on checkpoints of the official layout, not on the published weights",
        **run.progress,
    }
    return Checkpoint(
        network=settings.network,
        basis=settings.basis,
        reference=AtomicReference("none", {}),
        kind=dict(PUBLISHED_KIND if kind is None else kind),
        state=network_state(network, run.state),
        training=training,
    )
