"""Define the document of a split: which densities are for training, validation and testing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.dataset import Split
from scdp_flows.schemas.density import BlobReference
from scdp_flows.schemas.identity import content_hash

__all__ = ["SplitDoc"]


class SplitDoc(ScdpDoc):
    """Describe a division that can be cited: its identifier is the hash of what is where."""

    doc_type: ClassVar[str] = "split"
    id_field: ClassVar[str] = "split_id"

    split_id: str = Field(description="Hash of the identifiers in each part; see make_id.")
    name: str = Field(min_length=1, description="Name given by the user.")
    method: str = Field(
        description="'structure', 'composition' or 'prototype': what is kept together when it is "
        "divided by chance; 'file' where a file lists the parts."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Fractions and salt, or name and sha256 of the file."
    )
    query: dict[str, Any] = Field(
        default_factory=dict, description="Query of the density store that found the members."
    )
    members: BlobReference = Field(
        description="JSON of part to sorted density identifiers; a list of a million is no document"
    )
    n_train: int = Field(ge=0, description="Number of training densities.")
    n_validation: int = Field(ge=0, description="Number of validation densities.")
    n_test: int = Field(ge=0, description="Number of test densities.")
    n_groups: int = Field(ge=0, description="Number of groups that were kept together.")

    @staticmethod
    def make_id(parts: Mapping[Split, Sequence[str]]) -> str:
        """Return the identifier of a division, which does not depend on any order."""
        return content_hash({name: sorted(ids) for name, ids in parts.items() if ids})[:24]
