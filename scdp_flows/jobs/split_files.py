"""Take over the splits that others have published as files."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scdp_flows.errors import DatasetError
from scdp_flows.io.compression import DECODE_ERRORS, open_binary

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from scdp_flows.schemas.dataset import Split
    from scdp_flows.schemas.density import DensityDoc

__all__ = ["SplitFile", "read_split_file"]

_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
_LARGEST_BYTES = 200 * 2**20
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class SplitFile:
    """Hold the parts that a file lists."""

    places: dict[str, Split]
    """Part of each entry; numbers are written out."""
    name: str
    """Name of the file."""
    sha256: str
    """Checksum of its uncompressed content."""

    def assign(self, docs: Iterable[DensityDoc], *, offset: int = 0) -> dict[str, Split]:
        """Return the part of each density that the file lists.

        A density is known by the file that it came from, its field ``source``: by the whole name,
        by the name without extensions, or by the last number in it.

        Parameters
        ----------
        docs
            Densities.
        offset
            What a number in the file must be raised by to give that in the name. The lists of QM9
            densities count from 0 and the files from ``000001``: their offset is 1.

        Raises
        ------
        DatasetError
            If two densities are the same entry, or the file lists none of them.
        """
        found: dict[str, tuple[str, Split]] = {}
        for doc in docs:
            entry = self._entry(doc.source or "", offset)
            if entry is None:
                continue
            if entry in found:
                raise DatasetError(
                    f"entry {entry} of {self.name} is density {found[entry][0]} and "
                    f"{doc.density_id}, both from files of that name; narrow the query down to one "
                    "data set"
                )
            found[entry] = doc.density_id, self.places[entry]
        if not found:
            raise DatasetError(
                f"{self.name} lists {len(self.places)} entries, such as {next(iter(self.places))}, "
                "and no density came from a file of such a name; check the query, and the offset "
                "where the file counts from another number"
            )
        return dict(found.values())

    def _entry(self, source: str, offset: int) -> str | None:
        name = source.rpartition("/")[2]
        numbers = _NUMBER.findall(name.partition(".")[0])
        candidates = [source, name, name.partition(".")[0]]
        if numbers:
            candidates.append(str(int(numbers[-1]) - offset))
        return next((c for c in candidates if c in self.places), None)


def read_split_file(path: str | PathLike[str]) -> SplitFile:
    """Read a JSON file of lists named train, validation (or val) and test.

    Parameters
    ----------
    path
        The file, which may be compressed. The entries are numbers or names.

    Raises
    ------
    DatasetError
        If it cannot be read, holds something else, or lists an entry twice.
    """
    file = Path(path)
    try:
        with open_binary(file) as stream:
            payload = stream.read(_LARGEST_BYTES + 1)
        content = json.loads(payload) if len(payload) <= _LARGEST_BYTES else None
    except (*DECODE_ERRORS, ValueError, RecursionError) as error:
        raise DatasetError(f"{file}: cannot be read as JSON ({error}); correct the path") from error
    if not isinstance(content, dict) or not content.keys() & _NAMES.keys():
        raise DatasetError(
            f"{file}: expected a JSON object with the lists train, validation and test, of at most "
            f"{_LARGEST_BYTES} bytes"
        )
    places: dict[str, Split] = {}
    for name, entries in content.items():
        for entry in _entries(file, name, entries):
            if entry in places:
                raise DatasetError(
                    f"{file}, {name}: {entry} is listed twice; parts must not overlap"
                )
            places[entry] = _NAMES[name]
    return SplitFile(places, file.name, hashlib.sha256(payload).hexdigest())


def _entries(file: Path, name: str, entries: Any) -> list[str]:
    if name not in _NAMES:
        known = ", ".join(_NAMES)
        raise DatasetError(f"{file}: {name!r} is no part of a split; expected some of {known}")
    if not isinstance(entries, list) or not all(
        isinstance(entry, str | int) and not isinstance(entry, bool) for entry in entries
    ):
        raise DatasetError(f"{file}, {name}: expected a list of numbers or names")
    return [str(entry) for entry in entries]
