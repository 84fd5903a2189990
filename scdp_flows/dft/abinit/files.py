"""Where ABINIT keeps its files, and what of them is a density."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Element

from scdp_flows.density import ChargeDensity
from scdp_flows.dft.abinit.input_text import PREFIX, SEED_FILE, density_grid, species
from scdp_flows.dft.plane_waves.wave_list import reciprocal_vectors, wave_list
from scdp_flows.errors import CalculationError
from scdp_flows.io.abinit_den import read_abinit_den
from scdp_flows.io.abinit_den_write import AbinitSpecies, write_abinit_den
from scdp_flows.io.espresso_waves import EspressoWaves, waves_on_grid
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.dft.plane_waves.structure import Crystal

__all__ = ["RunFiles", "grid_density", "header_species", "waves_of"]

_PERIODIC = (True, True, True)
_BOHR3 = BOHR_TO_ANGSTROM**3


class RunFiles:
    """The files of one calculation.

    Parameters
    ----------
    folder
        Where ABINIT runs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.input = folder / f"{PREFIX}.abi"
        self.output = folder / f"{PREFIX}.abo"
        self.seed = folder / SEED_FILE

    def write_seed(self, crystal: Crystal, settings: AbinitSettings, waves: EspressoWaves) -> None:
        """Put a density where the input says it is."""
        write_abinit_den(
            grid_density(crystal, settings, waves),
            self.seed,
            [header_species(settings, symbol) for symbol in species(crystal)],
            settings.ecut_ha,
        )

    def read_output(self) -> str:
        """Return the main output, empty if there is none."""
        if not self.output.exists():
            return ""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def read_density(self) -> ChargeDensity:
        """Return the density of a finished calculation, e/Å^3.

        Raises
        ------
        CalculationError
            If the program has written none.
        """
        for name in (f"{PREFIX}o_DEN", f"{PREFIX}o_DS2_DEN"):
            if (self.folder / name).is_file():
                return read_abinit_den(self.folder / name)
        raise CalculationError(f"abinit wrote no density to {self.folder}")


def header_species(settings: AbinitSettings, symbol: str) -> AbinitSpecies:
    """Return how the header of a density names an element.

    Raises
    ------
    SettingsError
        If there is no pseudopotential, or its file has changed.
    """
    pseudo = settings.pseudopotential(symbol)
    path = Path(settings.pseudo_dir) / settings.pseudopotentials[symbol]
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return AbinitSpecies(Element(symbol).Z, pseudo.n_electrons, md5=md5)


def grid_density(
    crystal: Crystal,
    settings: AbinitSettings,
    waves: EspressoWaves,
    shape: tuple[int, int, int] | None = None,
) -> ChargeDensity:
    """Return waves on a grid.

    Parameters
    ----------
    crystal, settings
        What is computed, and how.
    waves
        The density.
    shape
        The grid; that of our inputs by default.
    """
    shape = shape or density_grid(crystal, settings)
    total, *spin = (waves_on_grid(waves, one, shape) / _BOHR3 for one in waves.components)
    return ChargeDensity(
        total,
        crystal.cell,
        np.zeros(3),
        crystal.numbers,
        crystal.positions,
        pbc=_PERIODIC,
        magnetization=spin[0] if spin else None,
    )


def waves_of(crystal: Crystal, settings: AbinitSettings, density: ChargeDensity) -> EspressoWaves:
    """Return the waves of a density on the program's grid, which holds no others.

    Parameters
    ----------
    crystal, settings
        What was computed, and how.
    density
        Of a calculation, or rendered.
    """
    indices = wave_list(crystal, settings)
    grids = [density.values]
    if density.magnetization is not None:
        grids.append(density.magnetization)
    components = [
        np.fft.fftn(grid)[tuple(indices.T)] * (_BOHR3 / density.values.size) for grid in grids
    ]
    return EspressoWaves(
        settings.gamma_only, reciprocal_vectors(crystal.cell_bohr), indices, components
    )
