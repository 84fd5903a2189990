"""Divide structures into training, validation and test, always in the same way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from monty.json import MSONable

from scdp_flows.errors import SettingsError, UnknownNameError
from scdp_flows.jobs.groups import Grouping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scdp_flows.schemas.dataset import Split

__all__ = ["SplitRule", "cover_elements", "unseen_elements"]


@dataclass(frozen=True)
class SplitRule(MSONable):
    """Say which structures are held out.

    A structure's place follows from its own hash, or from that of the group that it belongs to: it
    keeps it when structures are added or the order changes, and one structure labelled twice never
    stands on both sides. Groups are of different sizes, so the fractions are met only on average.

    Raises
    ------
    SettingsError
        If the fractions are impossible.

    Examples
    --------
    >>> SplitRule(validation=0.5, test=0.0).place("some structure") in ("train", "validation")
    True
    """

    validation: float = 0.1
    """Fraction for validation, of those that are not for testing."""
    test: float = 0.1
    """Fraction for testing; unused where the test structures are listed."""
    test_tag: str | None = None
    """Densities with this tag are for testing, and no others."""
    salt: str = ""
    """Another text gives another division."""
    by: Grouping = "structure"
    """What stays together: see :data:`scdp_flows.jobs.groups.Grouping`."""

    def __post_init__(self) -> None:
        """Check the fractions."""
        if self.by not in get_args(Grouping):
            raise SettingsError(str(UnknownNameError(self.by, get_args(Grouping), what="grouping")))
        for name in ("validation", "test"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise SettingsError(f"{name} fraction is {value}; expected at least 0 and below 1")

    def place(self, structure_hash: str, *, listed: bool | None = None) -> Split:
        """Return where a structure belongs.

        Parameters
        ----------
        structure_hash
            Identifies the structure.
        listed
            Whether it is listed as a test structure; None if there is no list.
        """
        if listed or (listed is None and self._share(structure_hash, "test") < self.test):
            return "test"
        held_out = self._share(structure_hash, "validation") < self.validation
        return "validation" if held_out else "train"

    def divide(
        self, structures: Iterable[tuple[str, str]], listed: set[str] | None = None
    ) -> dict[str, Split]:
        """Return where each density belongs.

        Where test or validation structures are wanted and chance gives none, the training
        group with the lowest hash goes there, as long as others remain.

        Parameters
        ----------
        structures
            Pairs of density identifier and structure hash, or label of its group.
        listed
            Density identifiers of the test structures; None if there is no list.
        """
        pairs = sorted(structures)
        places = {
            density_id: self.place(
                structure, listed=None if listed is None else density_id in listed
            )
            for density_id, structure in pairs
        }
        if listed is None:
            self._ensure("test", self.test, pairs, places)
        self._ensure("validation", self.validation, pairs, places)
        return places

    def _ensure(
        self,
        purpose: Split,
        fraction: float,
        pairs: list[tuple[str, str]],
        places: dict[str, Split],
    ) -> None:
        """Move one group where one is wanted and none is."""
        trained = {group for density_id, group in pairs if places[density_id] == "train"}
        if fraction > 0 and purpose not in places.values() and len(trained) > 1:
            first = min(trained, key=lambda group: self._share(group, purpose))
            places |= {
                density_id: purpose
                for density_id, group in pairs
                if group == first and places[density_id] == "train"
            }

    def _share(self, structure_hash: str, purpose: str) -> float:
        """Return a number between 0 and 1 that depends on nothing but its arguments."""
        digest = hashlib.sha256(f"{self.salt}/{purpose}/{structure_hash}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64


def unseen_elements(
    places: Mapping[str, Split], elements: Mapping[str, frozenset[int]]
) -> set[int]:
    """Return atomic numbers that stand in validation and not in training.

    Parameters
    ----------
    places
        Density identifier → where it belongs.
    elements
        Density identifier → its atomic numbers.
    """
    found: dict[str, set[int]] = {"train": set(), "validation": set()}
    for density_id, place in places.items():
        if place in found:
            found[place] |= elements[density_id]
    return found["validation"] - found["train"]


def cover_elements(
    places: Mapping[str, Split],
    groups: Mapping[str, str],
    elements: Mapping[str, frozenset[int]],
) -> dict[str, Split]:
    """Return the division with as many validation groups in training as all elements need.

    A model can neither predict an element that it was not trained on nor be judged by it.

    Parameters
    ----------
    places
        Density identifier → where it belongs.
    groups
        Density identifier → label of the group that stays together.
    elements
        Density identifier → its atomic numbers.
    """
    covered = dict(places)
    while unseen := unseen_elements(covered, elements):
        moved = min(
            groups[density_id]
            for density_id, place in covered.items()
            if place == "validation" and elements[density_id] & unseen
        )
        covered |= {
            density_id: "train"
            for density_id, place in covered.items()
            if place == "validation" and groups[density_id] == moved
        }
    return covered
