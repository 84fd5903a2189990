"""Sample files of every format that is read: real ones where there are, else written here."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.density import ChargeDensity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

BOHR = 0.529177210903


@dataclass(frozen=True)
class Sample:
    """What a file must be read as."""

    path: Path
    n_electrons: float
    numbers: list[int]
    moment: float | None = None
    index: int | None = None
    tolerance: float = 1e-3
    # Pseudo-densities may have a hole at the nucleus: their maximum is this near, Å.
    peak: float = 0.45


@pytest.fixture(scope="session")
def crystal() -> ChargeDensity:
    """Give two periodic Gaussians of three electrons in an oblique cell: nothing symmetric."""
    cell = np.array([[4.0, 0.0, 0.0], [0.7, 4.5, 0.0], [-0.4, 0.3, 5.0]])
    positions = np.array([[0.4, 0.3, 0.5], [2.1, 2.4, 2.6]])
    frame = ChargeDensity(np.zeros((20, 22, 25)), cell, np.zeros(3), np.array([8, 1]), positions)
    values = np.zeros(frame.shape)
    for centre, image in itertools.product(positions, itertools.product((-1, 0, 1), repeat=3)):
        squares = ((frame.coordinates() - centre - np.array(image) @ cell) ** 2).sum(axis=-1)
        values += 3.0 * (1.5 / np.pi) ** 1.5 * np.exp(-1.5 * squares)
    return ChargeDensity(
        values, cell, np.zeros(3), frame.numbers, positions, pbc=(True, True, True)
    )


def write_chgcar_json(density: ChargeDensity, path: Path) -> None:
    """Write what pymatgen's ``Chgcar.as_dict`` gives, as the Materials Project stores it."""
    fractional = density.positions @ np.linalg.inv(density.cell)
    sites = [
        {"species": [{"element": {8: "O", 1: "H"}[number], "occu": 1}], "abc": row.tolist()}
        for number, row in zip(density.numbers.tolist(), fractional, strict=True)
    ]
    structure = {"lattice": {"matrix": density.cell.tolist()}, "sites": sites}
    total = {"@module": "numpy", "@class": "array", "data": (density.values * 90.0).tolist()}
    document = {"@class": "Chgcar", "poscar": {"structure": structure}, "data": {"total": total}}
    path.write_text(json.dumps({"data": document}))


def write_cubic_json(density: ChargeDensity, path: Path) -> None:
    """Write a file in the layout of the Cubic set, with rows of other blocks at the end."""
    flat = (density.values * density.volume).ravel(order="F")
    rows = [[f"{v:.10E}" for v in flat[i : i + 10]] for i in range(0, len(flat), 10)]
    fractional = density.positions @ np.linalg.inv(density.cell)
    document = {
        "vector": [[1.0]],
        "lattice": [density.cell.tolist()],
        "elements": [["O", "H"]],
        "elements_number": [[1, 1]],
        "coordinates": [fractional.tolist()],
        "FFTgrid": [list(density.shape)],
        "chargedensity": [[*rows, ["0.5"] * 10]],
    }
    path.write_text(json.dumps(document))


def write_espresso_hdf5(density: ChargeDensity, path: Path, schema: Path) -> None:
    """Write ``charge-density.hdf5`` from a density that was read from ``charge-density.dat``."""
    import h5py

    spectra = [
        np.fft.fftn(grid * BOHR**3) / grid.size
        for grid in (density.values, density.magnetization)
        if grid is not None
    ]
    indices = np.array(list(itertools.product(range(-6, 7), repeat=3)), dtype=np.int32)
    reciprocal = 2 * np.pi * np.linalg.inv(density.cell / BOHR).T
    with h5py.File(path, "w") as file:
        file.attrs["gamma_only"] = np.bytes_(b".FALSE.")
        file.attrs["nspin"] = len(spectra)
        file["MillerIndices"] = indices
        for axis in range(3):
            file["MillerIndices"].attrs[f"bg{axis + 1}"] = reciprocal[axis]
        for name, spectrum in zip(("rhotot_g", "rhodiff_g"), spectra, strict=False):
            file[name] = spectrum[tuple(indices.T)].view(np.float64)
    shutil.copy(schema, path.with_name(schema.name))


def write_md_set(folder: Path, scale: float = 1.0) -> Path:
    """Write a set of two ethanol molecules that are Gaussians; return the file of densities."""
    numbers = np.array([6, 6, 8, 1, 1, 1, 1, 1, 1])
    rng = np.random.default_rng(3)
    positions = 10 + rng.uniform(-3, 3, (2, len(numbers), 3))
    axis = np.arange(50) * 0.4
    coefficients = []
    for places in positions:
        total = np.zeros((50, 50, 50))
        for number, place in zip(numbers, places, strict=True):
            x, y, z = (np.exp(-1.2 * (axis - c) ** 2) * (1.2 / np.pi) ** 0.5 for c in place)
            total += (number - 2 * (number > 2)) * np.einsum("i,j,k", x, y, z)
        coefficients.append(scale * _rfft_parts(total).ravel())
    folder.mkdir(parents=True)
    np.save(folder / "structures.npy", positions)
    np.save(folder / "dft_densities.npy", np.array(coefficients))
    return folder / "dft_densities.npy"


def _rfft_parts(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Transform along the last axis, then the second, then the first, as the authors did."""
    for axis in (2, 1, 0):
        waves = np.take(np.fft.rfft(values, axis=axis), range(25), axis=axis)
        values = np.concatenate([waves.real, waves.imag], axis=axis)
    return values


_oh = partial(Sample, n_electrons=7.0, numbers=[8, 1])


@pytest.fixture(scope="session")
def samples(
    tmp_path_factory: pytest.TempPathFactory, repository: Path, crystal: ChargeDensity
) -> dict[str, Sample]:
    """Give a sample file of every format that recognises its files."""
    from scdp_flows.io.base import read_density, write_density

    data, made = repository / "tests" / "data", tmp_path_factory.mktemp("samples")
    for name in ("CHGCAR", "rho.cube"):
        write_density(crystal, made / name)
    write_chgcar_json(crystal, made / "mp.json")
    write_cubic_json(crystal, made / "cubic.json")
    (made / "hdf5").mkdir()
    run = data / "qe" / "oh.save"
    write_espresso_hdf5(
        read_density(run / "charge-density.dat"),
        made / "hdf5" / "charge-density.hdf5",
        run / "data-file-schema.xml",
    )
    gaussians = partial(Sample, n_electrons=6.0, numbers=[8, 1])
    ethanol = [6, 6, 8, 1, 1, 1, 1, 1, 1]
    water = partial(Sample, n_electrons=8.0, numbers=[8, 1, 1])
    methane = partial(Sample, n_electrons=8.0, numbers=[6, 1, 1, 1, 1])
    return {
        "abinit_den": _oh(data / "abinit" / "oh_DEN", moment=1.0),
        "abinit_netcdf": _oh(data / "abinit" / "oh_DEN.nc.gz", moment=1.0),
        "chgcar": gaussians(made / "CHGCAR"),
        "cube": gaussians(made / "rho.cube"),
        "cubic_json": gaussians(made / "cubic.json"),
        "espresso": _oh(run / "charge-density.dat", moment=1.0),
        "espresso_hdf5": _oh(made / "hdf5" / "charge-density.hdf5", moment=1.0, peak=0.6),
        "espresso_plot": _oh(data / "qe" / "oh.pp.gz"),
        "mp_json": gaussians(made / "mp.json"),
        "npy_grid": methane(data / "npy" / "resent_qm9_000001" / "rho_22.npy"),
        "npy_md": Sample(write_md_set(made / "ethanol_train"), 20.0, ethanol, index=1),
        "openpmd": Sample(data / "openpmd" / "Be2.dens.h5", 4.0, [4, 4]),
        "pyscf_chk": water(data / "pyscf" / "water_gth.chk", tolerance=0.02),
        "xsf": _oh(data / "xsf" / "oh_e_per_bohr3.xsf.gz"),
    }


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Sample], Path]:
    """Copy a sample and what stands beside it, decompressed, to be damaged."""

    def copy(sample: Sample) -> Path:
        from scdp_flows.io.reading import read_bytes

        folder = tmp_path / sample.path.parent.name
        folder.mkdir()
        if len(list(sample.path.parent.iterdir())) < 6:
            shutil.copytree(sample.path.parent, folder, dirs_exist_ok=True)
        target = folder / sample.path.name.removesuffix(".gz")
        target.write_bytes(read_bytes(sample.path))
        return target

    return copy
