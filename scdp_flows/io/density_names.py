"""Tell by their names which files of a folder or archive are to be taken for densities."""

from __future__ import annotations

import re
from typing import Literal

from scdp_flows.io.companions import is_companion
from scdp_flows.io.compression import COMPRESSED_SUFFIXES
from scdp_flows.io.espresso_xml import SCHEMA_FILE

__all__ = ["density_promise", "is_beside_density", "without_compression"]

Promise = Literal["sure", "maybe", "no"]

# CHG, AECCAR and PARCHG stand beside CHGCAR and hold less, or something else.
_SURE = re.compile(
    r"CHGCAR(?:[._-].*)?|.+\.chgcar|.+[._]CHGCAR|.+\.cube?|charge-density\.(?:dat|hdf5)"
    r"|.+_DEN(?:\.nc)?|dft_densities\.npy|.+\.xsf"
)
_MAYBE = re.compile(r".+\.(?:json|npy|h5|hdf5|chk|pp)", re.IGNORECASE)
_BESIDE = re.compile(
    rf"{re.escape(SCHEMA_FILE)}|box\.npy|structures\.npy|grid_sizes.*\.dat|INCAR(?:\..+)?"
    r"|OUTCAR(?:\..+)?|POTCAR\.spec"
)


def density_promise(name: str) -> Promise:
    """Tell whether a file name announces a density.

    Parameters
    ----------
    name
        A name without folders; the suffix of a compression is ignored.

    Returns
    -------
    str
        ``"sure"`` if the file is to be refused where it holds none, ``"maybe"`` if its content
        decides, ``"no"`` for all others.

    Examples
    --------
    >>> [density_promise(name) for name in ("CHGCAR.gz", "a.json.xz", "AECCAR0", "box.npy")]
    ['sure', 'maybe', 'no', 'no']
    """
    plain = without_compression(name)
    if _BESIDE.fullmatch(plain):
        return "no"
    if _SURE.fullmatch(plain):
        return "sure"
    return "maybe" if _MAYBE.fullmatch(plain) else "no"


def is_beside_density(name: str) -> bool:
    """Tell whether a file of this name holds what a density beside it lacks: atoms, settings."""
    plain = without_compression(name)
    return _BESIDE.fullmatch(plain) is not None or is_companion(plain)


def without_compression(name: str) -> str:
    """Return a file name without the suffix of a compression."""
    for suffix in COMPRESSED_SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name
