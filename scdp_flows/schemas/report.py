"""Define the document of a written report."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.identity import content_hash

__all__ = ["ReportDoc"]


class ReportDoc(ScdpDoc):
    """Describe a report: its files and its numbers."""

    doc_type: ClassVar[str] = "report"
    id_field: ClassVar[str] = "report_id"

    report_id: str = Field(description="Hash of title, files and summary.")
    title: str = Field(min_length=1, description="Title of the report.")
    files: list[str] = Field(description="Files written, relative to the folder of the report.")
    summary: dict[str, Any] = Field(
        default_factory=dict, description="Main numbers; each name ends in its unit."
    )

    @field_validator("files")
    @classmethod
    def _relative(cls, files: list[str]) -> list[str]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{name!r} leaves the folder of the report; use a relative name")
        return files

    @classmethod
    def from_files(cls, title: str, *, files: list[str], summary: dict[str, Any]) -> Self:
        """Build the document; the identifier is computed."""
        return cls(
            report_id=content_hash([title, files, summary])[:24],
            title=title,
            files=files,
            summary=summary,
        )
