"""Files of ABINIT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.abinit.files import RunFiles, grid_density, waves_of
from scdp_flows.dft.plane_waves.seed import seed_waves
from scdp_flows.errors import CalculationError
from scdp_flows.io.abinit_den import read_abinit_den

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.dft.plane_waves.structure import Crystal
    from scdp_models.density.atomic import AtomicReference


def test_waves_to_file_and_back(
    crystal: Crystal, cheap: AbinitSettings, gaussian_atom: AtomicReference, tmp_path: Path
) -> None:
    atoms = gaussian_atom.superposition(
        crystal.numbers, crystal.positions, crystal.cell, (True, True, True)
    )
    waves = seed_waves(crystal, cheap, atoms, symmetrise=False)
    files = RunFiles(tmp_path)
    files.write_seed(crystal, cheap, waves)
    density = read_abinit_den(files.seed)
    assert density.integral() == pytest.approx(8.0, abs=1e-10)
    np.testing.assert_allclose(density.values, grid_density(crystal, cheap, waves).values)
    back = waves_of(crystal, cheap, density)
    np.testing.assert_array_equal(back.indices, waves.indices)
    np.testing.assert_allclose(back.components[0], waves.components[0], atol=1e-12)


def test_a_run_without_density_is_named(tmp_path: Path) -> None:
    assert RunFiles(tmp_path).read_output() == ""
    with pytest.raises(CalculationError, match="wrote no density"):
        RunFiles(tmp_path).read_density()
