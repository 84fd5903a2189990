"""Put models of the official SCDP code into a model store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scdp_flows.errors import ModelError
from scdp_flows.kind import DensityKind
from scdp_flows.schemas.identity import symbols
from scdp_flows.schemas.training import ModelDoc
from scdp_flows.scratch import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scdp_flows.stores.factory import Stores

__all__ = ["PARITY_NOTE", "ImportedModel", "import_published"]

PARITY_NOTE = (
    "The importer was verified on checkpoints of the official layout: coefficients, exponent "
    "factors and densities agree with the official code. It was not tried on the published weights."
)


@dataclass(frozen=True)
class ImportedModel:
    """A stored model, and what it was made of.

    Attributes
    ----------
    doc
        Its document in the store.
    settings
        Settings of the network.
    """

    doc: ModelDoc
    settings: Mapping[str, Any]


def import_published(
    folder: str | Path,
    stores: Stores,
    *,
    name: str,
    kind: Mapping[str, Any] | None = None,
    use_ema: bool = True,
) -> ImportedModel:
    """Convert an official run directory and store the model.

    Parameters
    ----------
    folder
        Holds a Lightning checkpoint, ``config.yaml`` and ``metadata.json``.
    stores
        Where the model goes.
    name
        Name of the model.
    kind
        Fields of the density kind that differ from that of the published models: VASP, PAW-PBE
        valence densities, PBE, 400 eV.
    use_ema
        Whether to take the moving averages of the weights.

    Raises
    ------
    ModelError
        If the directory cannot be used; the message names file and field.
    """
    from scdp_models.checkpoint import save_checkpoint
    from scdp_models.errors import ScdpModelsError
    from scdp_models.published import PUBLISHED_KIND, import_run

    density_kind = DensityKind.from_dict({**PUBLISHED_KIND, **(kind or {})})
    try:
        checkpoint = import_run(folder, kind=density_kind.as_dict(), use_ema=use_ema)
        with scratch_folder("scdp-import-") as scratch:
            path = save_checkpoint(scratch / "model.safetensors", checkpoint)
            doc = ModelDoc.from_checkpoint(
                path,
                name=name,
                kind=density_kind.as_dict(),
                kind_key=density_kind.key(),
                elements=sorted(symbols([z for z in checkpoint.basis.species if z])),
                config={
                    "network": checkpoint.network.to_dict(),
                    "published": dict(checkpoint.training),
                },
                tags=["published"],
            )
            stored = stores.models.put_checkpoint(path, doc)
    except ScdpModelsError as error:
        raise ModelError(f"cannot import {folder}: {error}") from error
    return ImportedModel(stored, checkpoint.network.to_dict())
