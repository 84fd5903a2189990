"""Define the document of one density that was offered to the store."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.identity import content_hash

__all__ = ["IngestDoc", "IngestStatus"]

IngestStatus = Literal["accepted", "duplicate", "quarantined", "refused"]


class IngestDoc(ScdpDoc):
    """Record what became of one density that was offered.

    Quarantined means that it could be read and is doubted: it is not in the store, and is taken
    when it is offered again after it was released, or with all doubts accepted.
    """

    doc_type: ClassVar[str] = "ingest"
    id_field: ClassVar[str] = "ingest_id"

    ingest_id: str = Field(description="Hash of fingerprint and settings; see make_id.")
    source: str = Field(description="File, member of an archive, job or material it came from.")
    status: IngestStatus = Field(description="What became of it.")
    density_id: str | None = Field(
        default=None, description="The stored density, also that of an earlier duplicate."
    )
    error: str | None = Field(default=None, description="Class of the error of a refusal.")
    reasons: list[str] = Field(
        default_factory=list, description="Why it was refused or doubted: found, expected, to do."
    )
    tags: list[str] = Field(default_factory=list, description="Labels of the attempt.")
    released: str | None = Field(
        default=None, description="Why somebody let it out of quarantine; None: nobody did."
    )

    @staticmethod
    def make_id(fingerprint: str, settings: str) -> str:
        """Return the identifier of an offer: the same content under the same settings."""
        return content_hash([fingerprint, settings])[:24]
