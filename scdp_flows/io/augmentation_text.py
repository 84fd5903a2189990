"""Read and write the PAW occupancies and moments that stand after the grids of a CHGCAR."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_flows.density import Augmentation
from scdp_flows.errors import DensityFormatError
from scdp_flows.io.grid_text import read_numbers
from scdp_flows.io.number_layout import MOMENTS, OCCUPANCIES, NumberLayout, NumberWriter
from scdp_flows.io.reading import COPY_ANEW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.io.grid_text import Lines

__all__ = ["AfterGrid", "read_after_grid", "write_augmentation", "write_moments"]

_TITLE = "augmentation occupancies"
_IMAGINARY = " (imaginary part)"
_MOST_OCCUPANCIES = 100_000
_LARGEST_INDEX = 9999


class AfterGrid(NamedTuple):
    """What stands between two grids, or after the last."""

    augmentation: Augmentation | None
    is_followed_by_grid: bool


@dataclass
class _Records:
    """Gather records while reading."""

    atoms: list[int] = field(default_factory=list)
    imaginary: list[bool] = field(default_factory=list)
    values: list[NDArray[np.float64]] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)

    def finish(self) -> Augmentation | None:
        """Return the records; None if there are none."""
        if not self.atoms and not self.moments:
            return None
        return Augmentation(
            np.array(self.atoms, dtype=np.int64),
            np.array([len(values) for values in self.values], dtype=np.int64),
            np.concatenate([np.empty(0), *self.values]),
            np.array(self.imaginary, dtype=np.bool_),
            np.array(self.moments),
        )


def read_after_grid(lines: Lines, shape: tuple[int, int, int], n_atoms: int) -> AfterGrid:
    """Read what stands after a grid, up to and including the shape of the next.

    Raises
    ------
    DensityFormatError
        If it is incomplete or something else.
    """
    records = _Records()
    for text in iter(lambda: lines.skip_blank(_TITLE), None):
        words = text.split()
        if text.lstrip().startswith(_TITLE):
            _read_record(lines, text.strip(), records)
        elif len(words) == 3 and all(word.isdecimal() for word in words):
            if tuple(map(int, words)) != shape:
                raise lines.error(
                    f"a grid of {' x '.join(words)} follows one of {shape}",
                    field="grid shape",
                    fix=COPY_ANEW,
                )
            _check_complete(lines, records, n_atoms, is_last=False)
            return AfterGrid(records.finish(), is_followed_by_grid=True)
        else:
            _read_moments(lines, words, records)
    _check_complete(lines, records, n_atoms, is_last=True)
    return AfterGrid(records.finish(), is_followed_by_grid=False)


def _read_record(lines: Lines, title: str, records: _Records) -> None:
    """Read the occupancies that a title announces."""
    rest = title.removeprefix(_TITLE)
    imaginary = rest.startswith(_IMAGINARY)
    rest = rest.removeprefix(_IMAGINARY)
    # Two integers of four columns each, which touch each other where there are many atoms.
    words = [rest[:4], rest[4:]] if len(rest) == 8 else rest.split()
    if records.moments or len(words) != 2 or not all(word.strip().isdecimal() for word in words):
        raise lines.error(
            f"found {title!r}, expected the numbers of an atom and of its occupancies",
            field=_TITLE,
            fix=COPY_ANEW,
        )
    atom, count = int(words[0]), int(words[1])
    if not 0 < count <= _MOST_OCCUPANCIES or atom < 1:
        raise lines.error(f"{count} occupancies of atom {atom}", field=_TITLE, fix=COPY_ANEW)
    records.atoms.append(atom - 1)
    records.imaginary.append(imaginary)
    records.values.append(read_numbers(lines, count, field=f"{_TITLE} of atom {atom}"))


def _read_moments(lines: Lines, words: list[str], records: _Records) -> None:
    """Read a line of moments."""
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = [np.nan]
    if not np.isfinite(values).all():
        raise lines.error(
            f"found {' '.join(words)[:60]!r}, expected occupancies, moments or a grid",
            field=_TITLE,
            fix=COPY_ANEW,
        )
    records.moments.extend(values)


def _check_complete(lines: Lines, records: _Records, n_atoms: int, *, is_last: bool) -> None:
    """Refuse missing atoms and numbers that nothing explains."""
    atoms = [a for a, i in zip(records.atoms, records.imaginary, strict=True) if not i]
    if atoms and atoms != list(range(n_atoms)):
        raise lines.error(
            f"occupancies of {len(atoms)} atoms, expected those of {n_atoms} in order",
            field=_TITLE,
            fix=COPY_ANEW,
        )
    found = len(records.moments)
    if found and (is_last or found not in {n_atoms, 3 * n_atoms}):
        raise lines.error(
            f"{found} numbers that belong to no occupancies ({n_atoms} moments, one per atom, may "
            "stand before another grid)",
            field=_TITLE,
            fix=COPY_ANEW,
        )


def write_augmentation(stream: IO[bytes], augmentation: Augmentation) -> None:
    """Write occupancies as VASP does.

    Raises
    ------
    DensityFormatError
        If there are more atoms than the four columns of VASP's format can number.
    """
    if len(augmentation) and augmentation.atoms.max() >= _LARGEST_INDEX:
        raise DensityFormatError(
            f"occupancies of {augmentation.atoms.max() + 1} atoms; VASP's format ends at "
            f"{_LARGEST_INDEX}",
            field=_TITLE,
            fix="write the density without augmentation",
        )
    ends = np.cumsum(augmentation.counts)
    for index, atom in enumerate(augmentation.atoms):
        kind = _IMAGINARY if augmentation.imaginary[index] else ""
        count = int(augmentation.counts[index])
        stream.write(f"{_TITLE}{kind}{atom + 1:4d}{count:4d}\n".encode())
        values = augmentation.occupancies[ends[index] - count : ends[index]]
        _write(stream, values, OCCUPANCIES)


def write_moments(stream: IO[bytes], augmentation: Augmentation) -> None:
    """Write the record of moments that precedes another grid, if there is one."""
    _write(stream, augmentation.moments, MOMENTS)


def _write(stream: IO[bytes], values: NDArray[np.float64], layout: NumberLayout) -> None:
    """Write a run of numbers."""
    writer = NumberWriter(stream, layout, len(values))
    writer.write(values)
    writer.close()
