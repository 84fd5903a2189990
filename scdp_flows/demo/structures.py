"""Load the molecules that ship with the package.

Origin, licence and selection of the files are in the README beside them.
"""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, cast

from scdp_flows.errors import DatasetError
from scdp_flows.io.xyz import parse_xyz

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pymatgen.core.structure import Molecule

__all__ = [
    "ETHANOL_TEST_FRAMES",
    "ETHANOL_TRAIN_FRAMES",
    "QM7_TEST_IDS",
    "load_ethanol",
    "load_qm7_small",
    "select_test_ids",
]

ETHANOL_TRAIN_FRAMES = tuple(range(180))
"""Indices into ``load_ethanol()`` that training may use."""

ETHANOL_TEST_FRAMES = tuple(range(180, 200))
"""Indices into ``load_ethanol()`` that are never trained on."""

# The result of select_test_ids on the shipped molecules, written out so that it can never drift.
# fmt: off
QM7_TEST_IDS = (
    1, 7, 13, 17, 23, 39, 42, 47, 57, 73, 77, 94, 104, 105, 114, 118, 120, 126, 128, 130,
    142, 145, 148, 154, 173, 177, 178, 196, 214, 215,
)
# fmt: on
"""QM7 ids (``properties["qm7_id"]``) of the molecules that are never trained on."""


def load_ethanol(n: int | None = None) -> list[Molecule]:
    """Load frames of ethanol from a molecular dynamics run (rMD17).

    Parameters
    ----------
    n
        How many frames, from the first; default: all 200.

    Returns
    -------
    list of Molecule
        In fixed order; ``properties["rmd17_frame"]`` is the position in the original file.

    Raises
    ------
    DatasetError
        If more frames are asked for than there are.

    Examples
    --------
    >>> load_ethanol(1)[0].formula
    'H6 C2 O1'
    """
    frames = _load("ethanol.extxyz.gz")
    if n is None:
        return frames
    if not 0 <= n <= len(frames):
        message = f"{n} ethanol frames asked for; the package holds {len(frames)}"
        raise DatasetError(message)
    return frames[:n]


def load_qm7_small() -> list[Molecule]:
    """Load the 216 smallest molecules of QM7: at most five atoms of C, N, O and S, and hydrogen.

    Returns
    -------
    list of Molecule
        By rising QM7 id, which is ``properties["qm7_id"]``.
    """
    return _load("qm7_small.extxyz.gz")


def select_test_ids(qm7_ids: Iterable[int], *, n: int = 30, every: int = 7) -> tuple[int, ...]:
    """Choose test molecules by a rule that knows nothing of chemistry and needs no random state.

    The ids are sorted by the SHA-256 of their decimal digits; of every ``every`` ids the first is
    taken until there are ``n``. ``QM7_TEST_IDS`` is the result for the shipped molecules.

    Returns
    -------
    tuple of int
        The chosen ids, rising.
    """
    shuffled = sorted(qm7_ids, key=lambda qm7_id: hashlib.sha256(str(qm7_id).encode()).hexdigest())
    return tuple(sorted(shuffled[::every][:n]))


def _load(name: str) -> list[Molecule]:
    """Read a file of this package; works from a zipped installation too."""
    data = (files("scdp_flows.demo") / name).read_bytes()
    lines = gzip.decompress(data).decode("ascii").splitlines()
    return cast("list[Molecule]", list(parse_xyz(iter(lines), name)))
