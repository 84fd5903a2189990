"""Read from a POTCAR what a seed must know: titles, valence, cut-offs and projector channels."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from scdp_flows.errors import CalculationError
from scdp_flows.io.compression import open_text

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

__all__ = [
    "PotcarEntry",
    "channel_blocks",
    "declared_hash",
    "differ",
    "occupancy_count",
    "read_potcar",
    "same_potential",
]

_TITLE = re.compile(r"TITEL\s*=\s*(.+)")
_ELEMENT = re.compile(r"VRHFIN\s*=\s*([A-Z][a-z]?)")
_VALENCE = re.compile(r"ZVAL\s*=\s*([-\d.Ee+]+)")
_CUTOFF = re.compile(r"ENMAX\s*=\s*([-\d.Ee+]+)")
_EXCHANGE = re.compile(r"LEXCH\s*=\s*(\S+)")
_CHANNELS = re.compile(r"^\s*(\d)\s+(\d)\s+\d*\.\d+\s*$")
_HASH = re.compile(r"SHA256\s*=\s*([0-9a-fA-F]{64})")
_FUNCTIONALS = {"PE": "PBE", "CA": "LDA", "91": "PW91"}


@dataclass(frozen=True)
class PotcarEntry:
    """What one pseudopotential of a POTCAR says of itself."""

    title: str
    """Its TITEL, such as ``"PAW_PBE Si 05Jan2001"``."""
    element: str
    """Chemical symbol."""
    n_electrons: float
    """Valence electrons of the neutral atom."""
    encut_ev: float
    """Recommended cut-off, eV."""
    functional: str
    """The functional it was made for, which holds where INCAR names none."""
    channels: tuple[int, ...] = ()
    """Angular momentum of each projector channel in the order of the file; empty if none."""
    potcar_hash: str | None = None
    """``sha256:`` and the hash that the entry states, else ``text:`` and the hash of its text."""


def channel_blocks(channels: Sequence[int]) -> tuple[tuple[int, int, int], ...]:
    """List the blocks of a record of occupancies in the order of the file.

    The on-site density of a pair of channels has the components ``L = |l1 - l2|, ..., l1 + l2`` in
    steps of two (the Gaunt rule), each of ``2L + 1`` numbers.

    Returns
    -------
    tuple
        First channel, second channel and L of each block.

    Examples
    --------
    >>> channel_blocks([0, 1])
    ((0, 0, 0), (0, 1, 1), (1, 1, 0), (1, 1, 2))
    """
    return tuple(
        (a, b, l)
        for a in range(len(channels))
        for b in range(a, len(channels))
        for l in range(abs(channels[a] - channels[b]), channels[a] + channels[b] + 1, 2)
    )


def occupancy_count(channels: Sequence[int]) -> int:
    """Return how many occupancies VASP writes for an atom with these projector channels.

    Examples
    --------
    >>> occupancy_count([0, 0, 1, 1])
    33
    """
    return sum(2 * l + 1 for _, _, l in channel_blocks(channels))


def read_potcar(path: str | os.PathLike[str]) -> tuple[PotcarEntry, ...]:
    """Read the pseudopotentials of a POTCAR, in the order of the species.

    Raises
    ------
    CalculationError
        If the file cannot be read or an entry lacks its title, element, valence or cut-off.
    """
    try:
        with open_text(path) as stream:
            text = stream.read()
    except OSError as error:
        raise CalculationError(
            f"{path}: {error.strerror}; the calculation needs its POTCAR"
        ) from error
    parts = [part for part in text.split("End of Dataset") if part.strip()]
    if not parts:
        raise CalculationError(f"{path}: holds no pseudopotential; write the inputs anew")
    return tuple(_entry(part, path) for part in parts)


def _entry(text: str, path: str | os.PathLike[str]) -> PotcarEntry:
    found = {
        name: pattern.search(text)
        for name, pattern in (
            ("TITEL", _TITLE), ("VRHFIN", _ELEMENT), ("ZVAL", _VALENCE), ("ENMAX", _CUTOFF),
        )
    }  # fmt: skip
    missing = [name for name, match in found.items() if match is None]
    if missing:
        raise CalculationError(
            f"{path}: a pseudopotential without {', '.join(missing)}; is this a POTCAR of VASP?"
        )
    words = {name: match.group(1).strip() for name, match in found.items() if match is not None}
    exchange = _EXCHANGE.search(text)
    code = exchange.group(1) if exchange else ""
    return PotcarEntry(
        " ".join(words["TITEL"].split()),
        words["VRHFIN"],
        float(words["ZVAL"]),
        float(words["ENMAX"]),
        _FUNCTIONALS.get(code, code),
        _channels(text),
        declared_hash(text) or f"text:{hashlib.sha256(text.strip().encode()).hexdigest()}",
    )


def declared_hash(text: str) -> str | None:
    """Return the hash that the head of a pseudopotential states, in POTCAR or in OUTCAR.

    Examples
    --------
    >>> declared_hash("   SHA256 =  " + 8 * "0123abcd" + " Si/POTCAR")[:15]
    'sha256:0123abcd'
    """
    match = _HASH.search(text)
    return f"sha256:{match.group(1).lower()}" if match else None


def differ(first: str | None, second: str | None) -> bool:
    """Tell whether two hashes are of one sort and unequal; what is unknown differs from nothing."""
    if first is None or second is None or first.split(":")[0] != second.split(":")[0]:
        return False
    return first != second


def _channels(text: str) -> tuple[int, ...]:
    """Read l and number of projectors behind each head of a non-local part."""
    lines = text.splitlines()
    channels: list[int] = []
    for head, line in pairwise(lines):
        match = _CHANNELS.match(line)
        if head.strip().lower().startswith("non local part") and match:
            channels += [int(match.group(1))] * int(match.group(2))
    return tuple(channels)


def same_potential(first: str, second: str) -> bool:
    """Tell whether two names mean one pseudopotential; one may be the symbol of a POTCAR.spec.

    Examples
    --------
    >>> same_potential("PAW_PBE Si 05Jan2001", "Si"), same_potential("PAW_PBE Si 05Jan2001", "Si_d")
    (True, False)
    """
    one, two = first.split(), second.split()
    if len(one) > 1 and len(two) > 1:
        return one == two
    return one[min(1, len(one) - 1)] == two[min(1, len(two) - 1)]
