"""Start from the density of the nearest earlier run of the same kind: no model is needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from monty.json import MSONable

from scdp_flows.density import Augmentation, ChargeDensity
from scdp_flows.dft.vasp.atoms import fit_atoms
from scdp_flows.dft.vasp.displaced import Correspondence, Crystal, carry_over, match, resample
from scdp_flows.dft.vasp.potcar import same_potential
from scdp_flows.dft.vasp.sources import Seed, empty_grid
from scdp_flows.errors import CalculationError, DensityFormatError
from scdp_flows.io.chgcar import read_chgcar
from scdp_flows.io.compression import COMPRESSED_SUFFIXES
from scdp_flows.io.grid_text import open_lines
from scdp_flows.io.poscar import read_poscar_header
from scdp_flows.io.vasp_run import VaspRun, read_outcar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scdp_flows.dft.vasp.grid import Shape
    from scdp_flows.dft.vasp.inputs import VaspFolder

__all__ = ["EarlierRunSource"]

_SUFFIXES = ("", *COMPRESSED_SUFFIXES)
_SAME_MOMENT = 0.05  # µB


class _Candidate(NamedTuple):
    """An earlier run that could serve."""

    path: Path
    pairing: Correspondence
    run: VaspRun

    @property
    def distance(self) -> float:
        """How far it is from the new structure; a strain of 1 % weighs as much as 0.05 Å."""
        return 5.0 * self.pairing.strain + self.pairing.shift_ang


@dataclass(frozen=True)
class EarlierRunSource(MSONable):
    """Take the CHGCAR of the nearest earlier run and carry it to the new structure.

    Runs of the same atoms with equal pseudopotentials and functional count, strained and displaced
    by no more than the limits. Occupancies are the run's own.
    """

    folders: tuple[str, ...] | list[str] = field(default_factory=tuple)
    """Where finished runs are sought, with all folders below."""
    largest_strain: float = 0.1
    """Largest strain of the cell."""
    largest_shift_ang: float = 0.5
    """Largest displacement of an atom, Å."""
    name: str = "earlier run"
    """Name in documents."""

    def __post_init__(self) -> None:
        """Make the folders a tuple again, which JSON has not."""
        object.__setattr__(self, "folders", tuple(str(folder) for folder in self.folders))

    def seed(self, inputs: VaspFolder, shape: Shape) -> Seed:
        """Carry over the density of the nearest run.

        Raises
        ------
        ScdpFlowsError
            If no run is near enough.
        """
        new = Crystal(
            inputs.numbers,
            np.array(inputs.structure.cart_coords),
            np.array(inputs.structure.lattice.matrix),
        )
        best = min(self._candidates(inputs, new), key=lambda found: found.distance, default=None)
        if best is None:
            raise CalculationError(
                f"no earlier run of {inputs.structure.formula} with its pseudopotentials and "
                f"functional within a strain of {self.largest_strain:g} and "
                f"{self.largest_shift_ang:g} Å under {', '.join(self.folders) or 'none'}"
            )
        density = read_chgcar(best.path)
        if density.augmentation is None:
            raise CalculationError(f"{best.path}: without PAW occupancies, which a seed needs")
        return Seed(_carried(density, best.pairing, inputs, new, shape), "earlier run")

    def _candidates(self, inputs: VaspFolder, new: Crystal) -> Iterator[_Candidate]:
        """Yield the runs that fit."""
        own = inputs.path.resolve()
        for path in _chgcars(tuple(self.folders)):
            if path.parent.resolve() == own:
                continue
            pairing = _pairing(path, new)
            if (
                pairing is None
                or pairing.strain > self.largest_strain
                or pairing.shift_ang > self.largest_shift_ang
            ):
                continue
            run = _run_of(path)
            if run is not None and _is_of_kind(run, inputs):
                yield _Candidate(path, pairing, run)


def _chgcars(folders: tuple[str, ...]) -> Iterator[Path]:
    """Yield the density files below folders."""
    for folder in folders:
        for path in sorted(Path(folder).expanduser().rglob("CHGCAR*")):
            if path.is_file() and path.stat().st_size > 0 and not path.name.endswith(".partial"):
                yield path


def _pairing(path: Path, new: Crystal) -> Correspondence | None:
    """Compare the structure in a density file; None if it is another or unreadable."""
    header = _crystal(str(path), path.stat().st_mtime_ns)
    return None if header is None else match(header, new)


@lru_cache(maxsize=4096)
def _crystal(path: str, _modified: int) -> Crystal | None:
    try:
        with open_lines(path) as lines:
            header = read_poscar_header(lines)
    except DensityFormatError:
        return None
    return Crystal(header.numbers, header.positions, header.cell)


def _run_of(path: Path) -> VaspRun | None:
    """Read the log of the run that wrote a density; None if it is not there or unreadable."""
    stem = path.name.removeprefix("CHGCAR")
    for suffix in _SUFFIXES:
        ending = next((s for s in COMPRESSED_SUFFIXES if stem.endswith(s)), "")
        outcar = path.with_name(f"OUTCAR{stem.removesuffix(ending)}{suffix}")
        if outcar.is_file():
            try:
                return _read_log(str(outcar), outcar.stat().st_mtime_ns)
            except DensityFormatError:
                return None
    return None


@lru_cache(maxsize=4096)
def _read_log(path: str, _modified: int) -> VaspRun:
    return read_outcar(path)


def _is_of_kind(run: VaspRun, inputs: VaspFolder) -> bool:
    """Tell whether pseudopotentials and functional of a run are those of the calculation."""
    if len(run.potcars) != len(inputs.titles) or any(run.hubbard_u_ev) != _has_hubbard(inputs):
        return False
    known = inputs.functional
    return all(map(same_potential, run.potcars, inputs.titles)) and known in {None, run.functional}


def _has_hubbard(inputs: VaspFolder) -> bool:
    active = str(inputs.tags.get("LDAU", False)).strip(". ").lower().startswith("t")
    return active and bool(np.any(np.ravel(inputs.tags.get("LDAUU", 0.0))))


def _carried(
    density: ChargeDensity,
    pairing: Correspondence,
    inputs: VaspFolder,
    new: Crystal,
    shape: Shape,
) -> ChargeDensity:
    """Carry density, magnetisation and occupancies over."""
    valences = inputs.valences
    if valences is not None:
        valences = valences[np.argsort(pairing.order)]
    grid = empty_grid(inputs, shape)
    values = carry_over(density, new, shape, fit_atoms(density, valences))
    kept = tuple(_reordered(part, pairing) for part in density.augmentation or ())
    magnetization = None
    if _asks_the_same(kept, density, inputs):
        stretched = resample(np.asarray(density.magnetization), shape)
        magnetization = stretched * (density.volume / grid.volume)
    return ChargeDensity(
        values,
        grid.cell,
        grid.origin,
        grid.numbers,
        grid.positions,
        pbc=grid.pbc,
        magnetization=magnetization,
        augmentation=kept if magnetization is not None else kept[:1],
    )


def _reordered(part: Augmentation, pairing: Correspondence) -> Augmentation:
    """Put the records into the order of the new atoms."""
    records = [part.record(int(old)) for old in pairing.order]
    moments = part.moments[pairing.order] if len(part.moments) == len(records) else None
    return Augmentation.from_records(records, moments)


def _asks_the_same(
    kept: tuple[Augmentation, ...], density: ChargeDensity, inputs: VaspFolder
) -> bool:
    """Tell whether the earlier run had a magnetisation and began with the moments asked for now.

    The moments that VASP writes between the grids are those the run was asked to start with.
    """
    if inputs.ispin != 2 or density.magnetization is None or len(kept) != 2:
        return False
    asked = np.array(inputs.moments)
    return len(kept[0].moments) == len(asked) and bool(
        np.abs(kept[0].moments - asked).max() < _SAME_MOMENT
    )
