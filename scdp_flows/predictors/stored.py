"""Bring stored predictions back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scdp_flows.schemas.prediction import PredictionDoc
    from scdp_flows.stores.blobs import BlobStore
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["stored_density"]


def stored_density(doc: PredictionDoc, blobs: BlobStore) -> OrbitalDensity:
    """Return the total density of a prediction.

    Parameters
    ----------
    doc
        Its document.
    blobs
        Where its coefficients are.

    Raises
    ------
    BlobError
        If they are missing or damaged.
    """
    from scdp_models.density.orbital import OrbitalDensity

    return OrbitalDensity.from_arrays(blobs.get_arrays(doc.blob))
