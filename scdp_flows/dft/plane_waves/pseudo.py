"""Read what matters here of a pseudopotential file: valence, type, functional, atomic density."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Element

from scdp_flows.errors import DensityFormatError, SettingsError

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["Pseudopotential", "file_sha256", "read_pseudopotential"]

# Exchange, correlation and their gradient corrections → the name people use.
_FUNCTIONALS = {
    ("SLA", "PW", "PBE", "PBE"): "PBE",
    ("SLA", "PW", "PBX", "PBC"): "PBE",
    ("SLA", "PW", "PSX", "PSC"): "PBEsol",
    ("SLA", "PZ", "NOGX", "NOGC"): "PZ",
    ("SLA", "PZ"): "PZ",
}
_GTH_FUNCTIONALS = {1: "PADE", 11: "PBE"}
_TYPES = {"NC": "NC", "SL": "NC", "US": "US", "USPP": "US", "PAW": "PAW"}


@dataclass(frozen=True, eq=False)
class Pseudopotential:
    """One pseudopotential."""

    name: str
    """Of the file, or of the set for a ``.gth`` file."""
    symbol: str
    """Element."""
    n_electrons: float
    """Valence electrons of the neutral atom."""
    kind: str
    """``"NC"``, ``"US"`` or ``"PAW"``."""
    functional: str
    """Exchange-correlation functional."""
    radii: NDArray[np.float64] | None
    """Radial mesh (n,), bohr; None where the file holds no atomic density."""
    steps: NDArray[np.float64] | None
    """Derivative of the mesh by its index (n,), bohr."""
    shells: NDArray[np.float64] | None
    """Atomic valence density times 4 pi r^2 (n,), e/bohr."""

    @property
    def is_gth(self) -> bool:
        """Whether it is analytical, after Goedecker, Teter and Hutter."""
        return self.radii is None


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a pseudopotential file in hexadecimal.

    Raises
    ------
    SettingsError
        If there is no such file.
    """
    return hashlib.sha256(_content(Path(path))).hexdigest()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"pseudopotential {path} cannot be read ({error}); correct pseudo_dir or the name"
        ) from error


def read_pseudopotential(path: str | os.PathLike[str]) -> Pseudopotential:
    """Read a UPF (version 1 or 2) or ``.gth`` file.

    Raises
    ------
    SettingsError
        If there is no such file.
    DensityFormatError
        If it is of another format, or damaged.
    """
    return _parsed(str(path), file_sha256(path))


@lru_cache(maxsize=64)
def _parsed(path: str, _sha256: str) -> Pseudopotential:
    text = _content(Path(path)).decode("utf-8", errors="replace")
    try:
        if path.endswith(".gth"):
            return _read_gth(text)
        if "<PP_HEADER" in text:
            return _read_upf(text, Path(path).name)
    except (ValueError, KeyError, IndexError) as error:
        raise DensityFormatError(
            f"a field is missing or malformed ({error!r})", file=path, fix="get the file anew"
        ) from error
    raise DensityFormatError(
        "is neither UPF nor GTH",
        file=path,
        fix="use UPF files; older formats are converted by upfconv.x of the same program",
    )


def _read_gth(text: str) -> Pseudopotential:
    title, atom, code = text.splitlines()[:3]
    number, n_electrons = (float(word) for word in atom.split()[:2])
    functional = int(code.split()[1])
    return Pseudopotential(
        name=title.split()[0],
        symbol=Element.from_Z(round(number)).symbol,
        n_electrons=n_electrons,
        kind="NC",
        functional=_GTH_FUNCTIONALS.get(functional, str(functional)),
        radii=None,
        steps=None,
        shells=None,
    )


def _read_upf(text: str, name: str) -> Pseudopotential:
    header = _attributes(text) or _header_lines(text)
    words = tuple(header["functional"].upper().split())
    return Pseudopotential(
        name=name,
        symbol=header["element"].strip().capitalize(),
        n_electrons=float(header["z_valence"].replace("D", "E")),
        kind=_TYPES[header["pseudo_type"].strip().upper()],
        functional=_FUNCTIONALS.get(words[:4], " ".join(words)),
        radii=_numbers(text, "PP_R"),
        steps=_numbers(text, "PP_RAB"),
        shells=_numbers(text, "PP_RHOATOM"),
    )


def _attributes(text: str) -> dict[str, str]:
    """Return the header of version 2: attributes of one element."""
    found = re.search(r"<PP_HEADER\s([^>]*)>", text)
    if found is None:
        return {}
    pairs = re.findall(r"(\w+)\s*=\s*\"([^\"]*)\"", found[1])
    attributes = {key.lower(): value for key, value in pairs}
    # Coulomb potentials of hydrogen and "1/r" are norm-conserving for all that matters here.
    if attributes.get("is_paw", "f").strip(". ").lower().startswith("t"):
        attributes["pseudo_type"] = "PAW"
    elif attributes.get("pseudo_type") == "1/r":
        attributes["pseudo_type"] = "NC"
    return attributes


def _header_lines(text: str) -> dict[str, str]:
    """Return the header of version 1: lines whose values come first."""
    found = re.search(r"<PP_HEADER>(.*?)</PP_HEADER>", text, re.DOTALL)
    lines = [line for line in (found[1] if found else "").splitlines() if line.strip()]
    return {
        "element": lines[1].split()[0],
        "pseudo_type": lines[2].split()[0],
        "functional": " ".join(lines[4].split()[:4]),
        "z_valence": lines[5].split()[0],
    }


def _numbers(text: str, section: str) -> NDArray[np.float64]:
    found = re.search(rf"<{section}(?:\s[^>]*)?>(.*?)</{section}>", text, re.DOTALL)
    if found is None:
        raise KeyError(section)
    return np.array(found[1].replace("D", "E").split(), dtype=np.float64)
