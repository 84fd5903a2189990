"""Read and write densities of any known format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.compression import COMPRESSED_SUFFIXES
from scdp_flows.io.grid_text import read_head
from scdp_flows.plugins import available, resolve

if TYPE_CHECKING:
    import os

    from scdp_flows.density import ChargeDensity

__all__ = ["DensityReader", "DensityWriter", "read_density", "sniff", "write_density"]

# VASP writes these quantities in the syntax of densities; nothing inside tells them apart.
_NO_DENSITIES = ("LOCPOT", "ELFCAR", "WAVECAR")


class DensityReader(Protocol):
    """What a class of the plugin group ``readers`` offers; it is made without arguments."""

    def sniff(self, head: str) -> bool:
        """Tell by its first lines whether a file is of this format."""
        ...

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file, also compressed; raise ``DensityFormatError`` for whatever is wrong."""
        ...


class DensityWriter(Protocol):
    """What a reader offers in addition if the format can be written, too."""

    def claims(self, name: str) -> bool:
        """Tell whether a file of this name (without ``.gz``) is to be written in this format."""
        ...

    def write(self, density: ChargeDensity, path: str | os.PathLike[str]) -> None:
        """Write a file as a whole or not at all."""
        ...


def sniff(path: str | os.PathLike[str]) -> str:
    """Find the format of a file by its content.

    Raises
    ------
    DensityFormatError
        If the file is missing, empty or of no known format.
    """
    head = read_head(path)
    for name in available("readers"):
        if _reader(name).sniff(head):
            return name
    found = f"begins with {head[:60]!r}" if head else "is empty"
    raise DensityFormatError(
        f"the file {found}; expected one of the formats {', '.join(available('readers'))}",
        file=path,
        fix="check that it is a density and complete",
    )


def read_density(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - the word users expect
) -> ChargeDensity:
    """Read a density.

    Parameters
    ----------
    path
        The file, also compressed by gzip, bzip2 or xz.
    format
        Name of the format; default: judged from the content.

    Raises
    ------
    DensityFormatError
        If the file is no density or malformed.
    UnknownNameError
        If the format is unknown.
    """
    name = Path(path).name
    if format is None and name.upper().startswith(_NO_DENSITIES):
        raise DensityFormatError(
            "by its name, this is a potential or localisation function and no density",
            file=path,
            fix="give its format explicitly if it is a density nonetheless",
        )
    return _reader(format or sniff(path)).read(path)


def write_density(
    density: ChargeDensity,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - the word users expect
) -> None:
    """Write a density as a whole or not at all.

    Parameters
    ----------
    density
        What to write.
    path
        Where to; compressed if the name ends in ``.gz``, ``.bz2`` or ``.xz``.
    format
        Name of the format; default: by the file's name (``CHGCAR…``, ``….cube``).

    Raises
    ------
    DensityFormatError
        If the name tells no format, or the format cannot be written.
    UnknownNameError
        If the format is unknown.
    OSError
        If the file cannot be written.
    """
    file = Path(path)
    name = file.stem if file.suffix in COMPRESSED_SUFFIXES else file.name
    writer = _writer(format) if format else _claimant(name)
    if writer is None:
        raise DensityFormatError(
            f"{format or 'the name'} tells no format that can be written",
            file=path,
            fix=f"use one of format={available('readers')}, or a name such as CHGCAR or rho.cube",
        )
    writer.write(density, path)


def _reader(name: str) -> DensityReader:
    """Make the reader of a format."""
    return cast("type[DensityReader]", resolve("readers", name))()


def _writer(name: str) -> DensityWriter | None:
    """Make the writer of a format; None if it can only be read."""
    made = _reader(name)
    return cast("DensityWriter", made) if hasattr(made, "write") else None


def _claimant(name: str) -> DensityWriter | None:
    """Find the writer for a file name."""
    writers = (_writer(known) for known in available("readers"))
    return next((writer for writer in writers if writer and writer.claims(name)), None)
