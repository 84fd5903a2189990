"""Read names and official splits of the QM9 charge densities of Jørgensen and Bhowmik.

The set comes as tar archives of files ``000001.CHGCAR.lz4`` to ``133885.CHGCAR.lz4``. The official
``datasplits.json`` lists the integers 0 to 133884. Index i stands for file i + 1: no other rule
maps one onto the other, but loaders exist that read it otherwise, and a shift by one mixes training
and test structures. ``check_index_rule`` proves it by the composition of molecules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from scdp_flows.errors import DatasetError
from scdp_flows.io.json_text import load_json

if TYPE_CHECKING:
    import os

__all__ = ["N_MOLECULES", "check_index_rule", "density_file", "molecule_index", "read_datasplits"]

N_MOLECULES = 133_885
"""Number of molecules, and of files."""

_NAME = re.compile(r"(?:.*/)?(\d{6})\.CHGCAR(?:\.\w+)?")


def molecule_index(member: str) -> int:
    """Return the index in ``datasplits.json`` of a file of the set.

    Raises
    ------
    DatasetError
        If the name is not one of the set.

    Examples
    --------
    >>> molecule_index("000xxx/000001.CHGCAR.lz4")
    0
    """
    found = _NAME.fullmatch(member)
    number = int(found.group(1)) if found else 0
    if not 1 <= number <= N_MOLECULES:
        raise DatasetError(
            f"{member!r} is no file of the QM9 densities; expected 000001.CHGCAR.lz4 to "
            f"{N_MOLECULES:06d}.CHGCAR.lz4"
        )
    return number - 1


def density_file(index: int) -> str:
    """Return the file that an index of ``datasplits.json`` stands for.

    Examples
    --------
    >>> density_file(0)
    '000001.CHGCAR.lz4'
    """
    if not 0 <= index < N_MOLECULES:
        raise DatasetError(f"there is no molecule {index}; expected 0 to {N_MOLECULES - 1}")
    return f"{index + 1:06d}.CHGCAR.lz4"


def read_datasplits(path: str | os.PathLike[str]) -> dict[str, list[int]]:
    """Read the official splits, which must name every molecule exactly once.

    Returns
    -------
    dict
        Indices by ``"train"``, ``"validation"`` and ``"test"``.

    Raises
    ------
    DatasetError
        If the splits overlap, or leave molecules out.
    DensityFormatError
        If the file is missing or damaged.
    """
    content = load_json(path)
    names = ("train", "validation", "test")
    if not isinstance(content, Mapping) or set(content) != set(names):
        raise DatasetError(f"{path}: expected the splits {', '.join(names)}")
    splits = {name: [int(index) for index in content[name]] for name in names}
    if sorted(chain.from_iterable(splits.values())) != list(range(N_MOLECULES)):
        raise DatasetError(
            f"{path}: the splits do not name each of 0 to {N_MOLECULES - 1} once; it is another "
            "file, or was changed"
        )
    return splits


def check_index_rule(formulas: Mapping[str, str], reference: Sequence[str]) -> None:
    """Prove by composition that file i + 1 holds molecule i.

    Parameters
    ----------
    formulas
        Formula in Hill order of the density in each file, by its name.
    reference
        Formulas of the first molecules of QM9, in its order.

    Raises
    ------
    DatasetError
        If a density is of another molecule, or the formulas could not tell a shift by one.
    """
    told_apart = False
    for name, formula in formulas.items():
        index = molecule_index(name)
        if index >= len(reference):
            continue
        if formula != reference[index]:
            raise DatasetError(
                f"{name} holds {formula}, and molecule {index} of QM9 is {reference[index]}; the "
                "files are not numbered from 1 in the order of QM9: do not use its splits"
            )
        neighbours = reference[max(index - 1, 0) : index + 2]
        told_apart |= len(set(neighbours)) > 1
    if not told_apart:
        raise DatasetError(
            "none of the densities differs from its neighbours in QM9; compare more of them"
        )
