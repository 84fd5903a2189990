"""Define the document of a trained model."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from scdp_flows.errors import ModelError
from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.density import BlobReference
from scdp_flows.schemas.part import ScdpPart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "MAX_CORRECTIONS",
    "MAX_HISTORY_ROWS",
    "ModelDoc",
    "TrainingCorrection",
    "file_sha256",
    "thin_history",
]

MAX_HISTORY_ROWS = 500
MAX_CORRECTIONS = 100


class TrainingCorrection(ScdpPart):
    """Record that a training run was corrected, stopped or started again, and why."""

    time: str = Field(description="When, UTC, ISO 8601.")
    handler: str = Field(description="Who acted: name of the class.")
    error: str = Field(description="What was found.")
    action: dict[str, Any] = Field(
        description="What was done, such as a setting and its new value; empty if nothing helped."
    )


class ModelDoc(ScdpDoc):
    """Describe a checkpoint: what it predicts, how it was trained and how good it is."""

    doc_type: ClassVar[str] = "model"
    id_field: ClassVar[str] = "model_id"

    model_id: str = Field(pattern="^[0-9a-f]{64}$", description="sha256 of the checkpoint file.")
    name: str = Field(min_length=1, description="Name given by the user.")
    blob: BlobReference | None = Field(
        default=None, description="The checkpoint file; None until it is stored."
    )
    kind: dict[str, Any] = Field(description="What it predicts: DensityKind.as_dict().")
    kind_key: str = Field(description="Hash of the kind: DensityKind.key().")
    elements: list[str] = Field(description="Chemical symbols that it knows, sorted.")
    dataset_id: str | None = Field(default=None, description="Dataset it was trained on.")
    parent_id: str | None = Field(
        default=None, description="Model from whose weights training started; None if from none."
    )
    config: dict[str, Any] = Field(
        default_factory=dict, description="Configuration of model and training."
    )
    metrics: dict[str, float] = Field(
        default_factory=dict, description="Final metrics; each name ends in its unit."
    )
    history: list[dict[str, float | None]] = Field(
        default_factory=list,
        max_length=MAX_HISTORY_ROWS,
        description="Rows with 'step', 'train_loss', 'validation_loss', ...; None where unknown.",
    )
    corrections: list[TrainingCorrection] = Field(
        default_factory=list,
        max_length=MAX_CORRECTIONS,
        description="What was corrected while it was trained; the last ones of very many.",
    )
    train_seconds: float = Field(default=0.0, ge=0, description="Elapsed training time in s.")
    tags: list[str] = Field(default_factory=list, description="Free labels for curation.")

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        *,
        history: Sequence[Mapping[str, float]] = (),
        **fields: Any,
    ) -> Self:
        """Describe a checkpoint file that is not stored yet.

        Parameters
        ----------
        path
            The checkpoint file.
        history
            One row per logged step; thinned to at most 500 rows.
        fields
            The remaining fields of the document.

        Raises
        ------
        ModelError
            If the file cannot be read.
        """
        return cls(model_id=file_sha256(path), history=thin_history(history), **fields)


def file_sha256(path: str | Path) -> str:
    """Return the sha256 of a file as 64 hexadecimal digits.

    Raises
    ------
    ModelError
        If the file cannot be read.
    """
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"cannot read the checkpoint {path}: {error.strerror}; give the path of an existing "
            "checkpoint file"
        ) from error


def thin_history(
    rows: Sequence[Mapping[str, float]], *, limit: int = MAX_HISTORY_ROWS
) -> list[dict[str, float | None]]:
    """Return at most ``limit`` rows, evenly chosen, always with the first and the last.

    Numbers that are not finite become None: a diverged step is worth recording, NaN is no JSON.
    """
    if len(rows) > limit:
        last = len(rows) - 1
        rows = [rows[round(i * last / (limit - 1))] for i in range(limit)]
    return [{k: float(v) if math.isfinite(v) else None for k, v in row.items()} for row in rows]
