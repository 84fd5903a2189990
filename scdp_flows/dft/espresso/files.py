"""Where ``pw.x`` keeps its files, and what of them is a density."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, NamedTuple

from scdp_flows.dft.espresso.input_text import OUT_FOLDER, PREFIX
from scdp_flows.dft.plane_waves.seed import Effort
from scdp_flows.errors import CalculationError
from scdp_flows.io.espresso import read_espresso_density
from scdp_flows.io.espresso_waves import EspressoWaves, read_waves, write_waves
from scdp_flows.io.espresso_xml import SCHEMA_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.density import ChargeDensity

__all__ = ["RunFiles", "SeedFiles"]


class SeedFiles(NamedTuple):
    """What a calculation starts from."""

    waves: EspressoWaves
    """The density."""
    paw: bytes | None = None
    """Content of ``paw.txt``, the occupancies inside the spheres of projector-augmented waves."""
    effort: Effort = Effort()
    """What ``pw.x`` did to find them."""
    orbitals: Path | None = None
    """Folder with the orbitals that the first diagonalisation begins with; they are taken out."""


class RunFiles:
    """The files of one calculation.

    Parameters
    ----------
    folder
        Where ``pw.x`` runs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.save = folder / OUT_FOLDER / f"{PREFIX}.save"
        self.density = self.save / "charge-density.dat"
        self.paw = self.save / "paw.txt"

    def write_seed(self, seed: SeedFiles) -> None:
        """Put a density where the program looks for it."""
        self.save.mkdir(parents=True, exist_ok=True)
        write_waves(seed.waves, self.density)
        if seed.paw is not None:
            self.paw.write_bytes(seed.paw)
        if seed.orbitals is not None:
            _move_orbitals(seed.orbitals, self.save)

    def keep_orbitals(self, folder: Path) -> None:
        """Move the orbitals of a finished calculation into a folder, in place of what is there."""
        for old in folder.iterdir():
            old.unlink()
        _move_orbitals(self.save, folder)

    def read_seed(self) -> SeedFiles:
        """Return the density of a finished calculation such that another can start from it.

        Raises
        ------
        CalculationError
            If the program has written none.
        """
        self._check()
        paw = self.paw.read_bytes() if self.paw.exists() else None
        return SeedFiles(read_waves(self.density), paw)

    def read_density(self) -> ChargeDensity:
        """Return the density of a finished calculation on its grid, e/Å^3.

        Raises
        ------
        CalculationError
            If the program has written none.
        """
        self._check()
        return read_espresso_density(self.density)

    def n_orbital_waves(self) -> int:
        """Return the largest number of plane waves of an orbital, 0 if it is not stated."""
        text = (self.save / SCHEMA_FILE).read_text(encoding="utf-8", errors="replace")
        found = re.search(r"<npwx>(\d+)</npwx>", text)
        return int(found[1]) if found else 0

    def _check(self) -> None:
        if not self.density.is_file():
            hdf5 = self.density.with_suffix(".hdf5")
            reason = "this pw.x is built with HDF5" if hdf5.exists() else "it wrote no density"
            raise CalculationError(f"{self.density} is missing: {reason}; use a build without HDF5")


def _move_orbitals(source: Path, target: Path) -> None:
    """Move orbitals, and the description without which the program does not read them."""
    for file in [*source.glob("wfc*"), source / SCHEMA_FILE]:
        shutil.move(file, target / file.name)
