"""Tell from names and comments which quantity a file holds.

Potentials, localisation functions, orbitals and densities of states come in the syntax of
densities. The numbers do not always give them away; names and comments often do.
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from scdp_flows.io.compression import COMPRESSED_SUFFIXES
from scdp_flows.io.reading import read_start

if TYPE_CHECKING:
    import os

__all__ = ["Quantity", "guess_quantity"]

_HEAD_LENGTH = 400


class Quantity(Enum):
    """What a file holds; the value completes the sentence "it is …"."""

    DENSITY = "an electron density"
    """As far as one can tell."""
    CORE = "a core density, which no uniform grid resolves"
    RECONSTRUCTED = "a valence density with its nodes at the nuclei, which no uniform grid resolves"
    ALL_ELECTRON = "an all-electron density"
    PARTIAL = "the partial density of some states"
    LOCAL_STATES = "a local density of states"
    ORBITAL = "an orbital"
    POTENTIAL = "a potential"
    LOCALISATION = "a localisation function"
    SPIN = "a spin density"
    DIFFERENCE = "a difference or derivative of densities"
    SUPERPOSITION = "a superposition of atoms"


_NAMES = {
    r"(chgcar|chg)": Quantity.DENSITY,  # VASP's own names go before any words in them
    r"aeccar0": Quantity.CORE,
    r"aeccar[12]": Quantity.RECONSTRUCTED,
    r"parchg": Quantity.PARTIAL,
    r"locpot|.*\blocpot\b": Quantity.POTENTIAL,
    r"elfcar|.*\belfcar\b": Quantity.LOCALISATION,
}
_WORDS = {
    r"\bldos\b|\bstm\b|energy\s*=.*broadening": Quantity.LOCAL_STATES,
    r"\b(homo|lumo|orbitals?|mo|wave.?functions?|psi)\b": Quantity.ORBITAL,
    r"\b(esp|v_?hartree|electrostatic|potential)\b": Quantity.POTENTIAL,
    r"\b(elf|eli|localization|localisation)\b": Quantity.LOCALISATION,
    r"\b(spin[ _-]density|alpha minus beta|ds)\b": Quantity.SPIN,
    r"\b(difference|deformation|laplacian|gradient)\b": Quantity.DIFFERENCE,
    r"all.electron": Quantity.ALL_ELECTRON,
    r"\b(sad|promolecule)\b": Quantity.SUPERPOSITION,
}


def guess_quantity(path: str | os.PathLike[str]) -> Quantity:
    """Guess by its name, and for cube files by the comments, what a file holds.

    Raises
    ------
    DensityFormatError
        If the file is a cube file by its name and missing or damaged.
    """
    file = Path(path)
    name = (file.stem if file.suffix in COMPRESSED_SUFFIXES else file.name).lower()
    for pattern, quantity in _NAMES.items():
        if re.match(pattern, name):
            return quantity
    words = name
    if name.endswith((".cube", ".cub")):
        head = read_start(path, _HEAD_LENGTH).decode("latin-1")
        words = " ".join([*head.lower().splitlines()[:2], name.rpartition(".")[0]])
    words = words.replace("_", " ")
    found = (quantity for pattern, quantity in _WORDS.items() if re.search(pattern, words))
    return next(found, Quantity.DENSITY)
