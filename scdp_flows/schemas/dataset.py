"""Define the document of a dataset: which densities, in which split, in which shards."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.density import BlobReference
from scdp_flows.schemas.identity import content_hash
from scdp_flows.schemas.part import ScdpPart

__all__ = ["AtomCounts", "DatasetDoc", "DatasetMember", "Split"]

Split = Literal["train", "validation", "test"]


class DatasetMember(ScdpPart):
    """Name one density of a dataset and the use that is made of it."""

    density_id: str = Field(description="Identifier of the DensityDoc.")
    split: Split = Field(description="'train', 'validation' or 'test'.")
    weight: float = Field(default=1.0, ge=0, description="Weight in the loss, dimensionless.")


class AtomCounts(ScdpPart):
    """Summarise the sizes of the structures of a dataset."""

    smallest: int = Field(ge=0, description="Fewest atoms in a structure.")
    largest: int = Field(ge=0, description="Most atoms in a structure.")
    mean: float = Field(ge=0, description="Mean number of atoms per structure.")
    total: int = Field(ge=0, description="Atoms in all structures together.")

    @classmethod
    def from_counts(cls, counts: list[int]) -> Self:
        """Summarise the numbers of atoms, one per structure."""
        if not counts:
            return cls(smallest=0, largest=0, mean=0.0, total=0)
        total = sum(counts)
        return cls(smallest=min(counts), largest=max(counts), mean=total / len(counts), total=total)


class DatasetDoc(ScdpDoc):
    """Describe a fixed set of densities that a model is trained and judged on."""

    doc_type: ClassVar[str] = "dataset"
    id_field: ClassVar[str] = "dataset_id"

    dataset_id: str = Field(description="Hash of members, splits and target; see make_id.")
    name: str = Field(min_length=1, description="Name given by the user.")
    members: list[DatasetMember] = Field(min_length=1, description="Densities and their splits.")
    kind: dict[str, Any] = Field(description="What the densities are: DensityKind.as_dict().")
    kind_key: str = Field(description="Hash of the kind: DensityKind.key().")
    elements: list[str] = Field(description="Chemical symbols that occur, sorted.")
    n_atoms: AtomCounts = Field(description="Sizes of the structures.")
    target: dict[str, Any] = Field(
        default_factory=dict,
        description="Settings that define the target: delta or total, metric, basis settings, ...",
    )
    basis: dict[str, Any] = Field(
        default_factory=dict, description="Auxiliary basis of the target coefficients."
    )
    reference: dict[str, Any] = Field(
        default_factory=dict,
        description="Superposition of atomic densities: AtomicReference.to_dict().",
    )
    shards: list[BlobReference] = Field(
        default_factory=list, description="Packed samples, in reading order."
    )
    n_train: int = Field(ge=0, description="Number of training structures.")
    n_validation: int = Field(ge=0, description="Number of validation structures.")
    n_test: int = Field(ge=0, description="Number of test structures.")
    query: dict[str, Any] = Field(
        default_factory=dict, description="Query of the density store that found the members."
    )
    exclude: dict[str, Any] = Field(
        default_factory=dict, description="Query whose densities were left out of those found."
    )
    split_id: str | None = Field(default=None, description="Stored split that placed the members.")
    version: int = Field(default=1, ge=1, description="Counts the datasets of this name, from 1.")
    previous: str | None = Field(
        default=None, description="dataset_id of the version before, None for the first."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [member.density_id for member in self.members]
        if len(set(ids)) != len(ids):
            twice = next(i for i, n in Counter(ids).items() if n > 1)
            raise ValueError(f"density {twice} is in the dataset twice; splits would overlap")
        if self.counts(self.members) != self._stated_counts():
            raise ValueError(
                f"n_train, n_validation and n_test are {self._stated_counts()}, the members say "
                f"{self.counts(self.members)}; use DatasetDoc.from_members"
            )
        return self

    def _stated_counts(self) -> tuple[int, int, int]:
        return self.n_train, self.n_validation, self.n_test

    @staticmethod
    def counts(members: list[DatasetMember]) -> tuple[int, int, int]:
        """Return how many members are for training, validation and test."""
        found = Counter(member.split for member in members)
        return found["train"], found["validation"], found["test"]

    @classmethod
    def make_id(cls, members: list[DatasetMember], target: dict[str, Any]) -> str:
        """Return the identifier of a dataset, which does not depend on the order of its members."""
        rows = sorted([m.density_id, m.split, m.weight] for m in members)
        return content_hash({"members": rows, "target": target})[:24]

    @classmethod
    def from_members(
        cls, members: list[DatasetMember], *, target: dict[str, Any], **fields: Any
    ) -> Self:
        """Build the document; identifier and split sizes are computed.

        Parameters
        ----------
        members
            Densities, splits and weights.
        target
            Settings that define the training target; part of the identifier.
        fields
            The remaining fields of the document.
        """
        n_train, n_validation, n_test = cls.counts(members)
        return cls(
            dataset_id=cls.make_id(members, target),
            members=members,
            target=target,
            n_train=n_train,
            n_validation=n_validation,
            n_test=n_test,
            **fields,
        )

    def ids(self, split: Split) -> list[str]:
        """Return the density identifiers of one split, in the order of the members."""
        return [member.density_id for member in self.members if member.split == split]
