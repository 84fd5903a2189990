"""Read and write densities of any known format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.compression import COMPRESSED_SUFFIXES
from scdp_flows.io.reading import read_start
from scdp_flows.plugins import available, resolve

if TYPE_CHECKING:
    import os

    from scdp_flows.density import ChargeDensity

__all__ = [
    "DensityReader",
    "DensityWriter",
    "count_densities",
    "read_density",
    "sniff",
    "write_density",
]

_HEAD_LENGTH = 4096

# VASP writes these quantities in the syntax of densities; nothing inside tells them apart.
_NO_DENSITIES = ("LOCPOT", "ELFCAR", "WAVECAR")


class DensityReader(Protocol):
    """What a class of the plugin group ``readers`` offers; it is made without arguments.

    Two more methods are used where they exist. ``confirms(path) -> bool`` looks inside a file whose
    first bytes several formats share. ``count(path) -> int`` says how many densities a file holds;
    then ``read`` takes the index of one as its second argument.
    """

    def sniff(self, head: str) -> bool:
        """Tell by its first bytes, one character each (Latin-1), whether a file is of this format.

        The bytes are those of the content, after decompression.
        """
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


class _ContainerReader(DensityReader, Protocol):
    """A reader of a format whose first bytes others share."""

    def confirms(self, path: str | os.PathLike[str]) -> bool:
        """Tell by its content whether a file is of this format."""
        ...


class _SeriesReader(Protocol):
    """A reader of files that hold several densities."""

    def count(self, path: str | os.PathLike[str]) -> int:
        """Return how many."""
        ...

    def read(self, path: str | os.PathLike[str], index: int) -> ChargeDensity:
        """Read one of them."""
        ...


def sniff(path: str | os.PathLike[str]) -> str:
    """Find the format of a file by its content.

    Raises
    ------
    DensityFormatError
        If the file is missing, empty or of no known format.
    """
    head = read_start(path, _HEAD_LENGTH).decode("latin-1")
    for name in available("readers"):
        reader = _reader(name)
        if reader.sniff(head) and _is_confirmed(reader, path):
            return name
    found = f"begins with {head[:60]!r}" if head else "is empty"
    raise DensityFormatError(
        f"the file {found}; expected one of the formats {', '.join(available('readers'))}",
        file=path,
        fix="check that it is a density and complete",
    )


def _is_confirmed(reader: DensityReader, path: str | os.PathLike[str]) -> bool:
    """Look inside the file where its first bytes do not suffice."""
    if not hasattr(reader, "confirms"):
        return True
    return cast("_ContainerReader", reader).confirms(path)


def count_densities(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - the word users expect
) -> int:
    """Return how many densities a file holds: one, save for the formats of whole series.

    Parameters
    ----------
    path
        The file.
    format
        Name of the format; default: judged from the content.

    Raises
    ------
    DensityFormatError
        If the file is no density or malformed.
    UnknownNameError
        If the format is unknown.
    """
    reader = _reader(format or sniff(path))
    return cast("_SeriesReader", reader).count(path) if hasattr(reader, "count") else 1


# What a file makes overflow is not finite, and refused as such at the end.
@np.errstate(all="ignore")
def read_density(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - the word users expect
    index: int | None = None,
) -> ChargeDensity:
    """Read a density.

    Parameters
    ----------
    path
        The file, also compressed.
    format
        Name of the format; default: judged from the content.
    index
        Which density of a file that holds several, from 0.

    Raises
    ------
    DensityFormatError
        If the file is no density or malformed, or holds several and none is chosen.
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
    reader = _reader(format or sniff(path))
    if not hasattr(reader, "count"):
        if index:
            raise DensityFormatError(
                f"holds one density, none of index {index}", file=path, fix="leave out the index"
            )
        return reader.read(path)
    series = cast("_SeriesReader", reader)
    if index is None and series.count(path) != 1:
        raise DensityFormatError(
            f"holds {series.count(path)} densities", file=path, fix="choose one by its index"
        )
    return series.read(path, index or 0)


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
