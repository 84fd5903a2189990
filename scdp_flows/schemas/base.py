"""Provide the base class of the documents, which adds version and provenance to the fields."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from scdp_flows.schemas.part import ScdpPart
from scdp_flows.schemas.provenance import Provenance

__all__ = ["SCHEMA_VERSION", "ScdpDoc"]

SCHEMA_VERSION = 1


class ScdpDoc(ScdpPart):
    """Hold one stored document.

    A subclass names itself in ``doc_type`` and names the field that identifies it in ``id_field``.
    """

    doc_type: ClassVar[str]
    id_field: ClassVar[str]

    schema_version: int = Field(
        default=SCHEMA_VERSION, ge=1, description="Version of the layout of this document."
    )
    provenance: Provenance = Field(
        default_factory=Provenance.collect,
        description="Software, machine and time that made this document.",
    )

    @field_validator("schema_version")
    @classmethod
    def _known_version(cls, value: int) -> int:
        if value > SCHEMA_VERSION:
            raise ValueError(
                f"the document has schema version {value} and this scdp-flows reads up to "
                f"{SCHEMA_VERSION}; upgrade scdp-flows"
            )
        return value

    @property
    def identifier(self) -> str:
        """The value of the field that identifies this document."""
        return str(getattr(self, self.id_field))

    def same_content(self, other: ScdpDoc) -> bool:
        """Return whether both documents say the same, whoever wrote them and whenever."""
        return type(self) is type(other) and self.model_dump(
            exclude={"provenance"}
        ) == other.model_dump(exclude={"provenance"})
