"""Seed the folder of a VASP calculation: a CHGCAR that VASP accepts, ICHARG = 1, and a record."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pymatgen.io.vasp.inputs import Incar

from scdp_flows.density import Augmentation, ChargeDensity
from scdp_flows.dft.moments import why_no_moments
from scdp_flows.dft.vasp.atoms import fit_atoms
from scdp_flows.dft.vasp.inputs import VaspFolder, read_folder, with_tag
from scdp_flows.dft.vasp.policy import why_not
from scdp_flows.dft.vasp.potcar import occupancy_count
from scdp_flows.errors import CalculationError, ScdpFlowsError
from scdp_flows.io.chgcar import write_chgcar
from scdp_flows.io.compression import replace_binary
from scdp_flows.io.structures import structure_hash
from scdp_flows.schemas.identity import content_hash, hill_formula
from scdp_flows.schemas.training import file_sha256
from scdp_flows.schemas.vasp_seed import VaspSeedDoc

if TYPE_CHECKING:
    import os

    from scdp_flows.dft.vasp.grid import Shape
    from scdp_flows.dft.vasp.policy import Strategy
    from scdp_flows.dft.vasp.sources import Seed, SeedSource

__all__ = ["RECORD", "JobIdentity", "read_record", "seed_folder", "write_record"]

RECORD = "scdp_seed.json"
"""Name of the record in the folder."""
_LARGEST_EXCESS = 0.02
_CHGCAR = "CHGCAR"


@dataclass(frozen=True)
class JobIdentity:
    """Name the job that runs a calculation."""

    uuid: str
    """Its uuid."""
    index: int
    """Its index."""
    name: str
    """Its name."""

    @classmethod
    def current(cls) -> JobIdentity | None:
        """Return the jobflow job that is running here; None outside of one."""
        from jobflow import CURRENT_JOB

        job: Any = CURRENT_JOB.job
        return None if job is None else cls(job.uuid, job.index, job.name)


def read_record(folder: str | os.PathLike[str]) -> VaspSeedDoc | None:
    """Return the record of a folder; None if it was never seeded or the record is unreadable."""
    try:
        return VaspSeedDoc.model_validate_json((Path(folder) / RECORD).read_bytes())
    except (OSError, ValueError):
        return None


def write_record(folder: str | os.PathLike[str], doc: VaspSeedDoc) -> None:
    """Write the record of a folder, as a whole or not at all."""
    with replace_binary(Path(folder) / RECORD) as stream:
        stream.write(doc.model_dump_json(indent=1).encode())


def seed_folder(
    folder: str | os.PathLike[str],
    source: SeedSource,
    *,
    strategy: Strategy = "cold",
    unseeded_sample: float = 0.0,
    job: JobIdentity | None = None,
) -> VaspSeedDoc:
    """Give a calculation a start, or leave it alone and say why.

    The folder needs INCAR, POSCAR and POTCAR or POTCAR.spec. CHGCAR comes first and ICHARG = 1
    last, so that an interruption leaves a folder that runs as if nothing had been done. Nothing
    else is changed; ``scdp_seed.json`` records what was done.

    Parameters
    ----------
    folder
        The folder, before VASP runs.
    source
        Where the density comes from.
    strategy
        ``"every"``: also where CHGCAR or WAVECAR of an earlier calculation lie in the folder.
    unseeded_sample
        Share of the structures that are left unseeded, for comparison; always the same ones.
    job
        Who will run it, for the record.

    Returns
    -------
    VaspSeedDoc
        What ``scdp_seed.json`` holds.

    Raises
    ------
    CalculationError
        If the inputs are missing or cannot be understood; whatever else speaks against a seed is
        recorded, not raised.
    """
    begin = time.perf_counter()
    inputs = read_folder(folder)
    doc = _unseeded(inputs, source.name, job)
    reason = why_not(inputs.tags, folder, strategy=strategy)
    if reason is None and _place_in_sample(doc.structure_hash) < unseeded_sample:
        reason = "left unseeded for comparison"
        doc = doc.updated(is_sample=True, reason=reason)
    if reason is None:
        try:
            doc = _seeded(inputs, source, doc)
        except ScdpFlowsError as error:
            reason = str(error)
    if reason is not None:
        doc = doc.updated(reason=reason)
    doc = doc.updated(seconds=time.perf_counter() - begin)
    write_record(folder, doc)
    return doc


def _place_in_sample(structure: str) -> float:
    """Return a number from 0 to 1 that depends on the structure alone."""
    return int(content_hash([structure, "sample"])[:8], 16) / 16**8


def _unseeded(inputs: VaspFolder, source: str, job: JobIdentity | None) -> VaspSeedDoc:
    """Describe the calculation."""
    structure = structure_hash(inputs.structure)
    plain = str(Incar({k: v for k, v in inputs.tags.items() if k != "ICHARG"}))
    folder_id = content_hash([structure, plain, list(inputs.titles)])[:24]
    return VaspSeedDoc(
        run_id=f"folder-{folder_id}" if job is None else f"{job.uuid}-{job.index}",
        job_uuid=None if job is None else job.uuid,
        job_index=None if job is None else job.index,
        job_name=None if job is None else job.name,
        formula=hill_formula(inputs.numbers),
        n_atoms=len(inputs.numbers),
        structure_hash=structure,
        status="left",
        reason="not tried",
        source=source,
        functional=inputs.functional,
        potcars=list(inputs.titles),
        ispin=2 if inputs.ispin == 2 else 1,
    )


def _seeded(inputs: VaspFolder, source: SeedSource, doc: VaspSeedDoc) -> VaspSeedDoc:
    """Write the start and describe it."""
    shape = inputs.shape()
    seed = source.seed(inputs, shape)
    _check_occupancies(seed, inputs)
    density, excess = _normalised(seed.density, inputs, shape)
    density, origin = _with_spin(density, inputs)
    path = inputs.path / _CHGCAR
    try:
        write_chgcar(density, path)
        with_tag(inputs.path, "ICHARG", "1")
    except OSError as error:
        raise CalculationError(f"{path}: cannot be written ({error}); free some space") from error
    changes: dict[str, Any] = {
        "status": "seeded",
        "reason": None,
        "grid": shape,
        "n_electrons": density.integral(),
        "excess_electrons": excess,
        "magnetization": origin,
        "occupancies": seed.occupancies,
        "occupancies_sha256": seed.occupancies_sha256,
        "chgcar_sha256": file_sha256(path),
    }
    return doc.updated(**changes)


def _check_occupancies(seed: Seed, inputs: VaspFolder) -> None:
    """Refuse a seed whose occupancies are missing or do not fit the pseudopotentials."""
    kept = seed.density.augmentation
    n_atoms = len(inputs.numbers)
    if not kept or len(kept[0]) != n_atoms:
        found = len(kept[0]) if kept else 0
        raise CalculationError(
            f"PAW occupancies of {found} atoms, expected {n_atoms}: VASP drops a density without "
            "them; give a library or an earlier run"
        )
    if inputs.channels is None:
        return
    for atom, channels in enumerate(inputs.channels):
        expected = occupancy_count(channels)
        if channels and any(int(part.counts[atom]) != expected for part in kept):
            raise CalculationError(
                f"atom {atom + 1}: {int(kept[0].counts[atom])} PAW occupancies, expected "
                f"{expected} for {inputs.atom_titles[atom]}; they are of another pseudopotential"
            )


def _normalised(
    density: ChargeDensity, inputs: VaspFolder, shape: Shape
) -> tuple[ChargeDensity, float]:
    """Scale a density to NELECT; say by how much it was off."""
    if density.shape != shape:
        raise CalculationError(f"the source gave the grid {density.shape}, expected {shape}")
    found = density.integral()
    expected = inputs.n_electrons
    if expected is None:
        expected = float(round(found))
    if abs(found - expected) > _LARGEST_EXCESS * expected:
        raise CalculationError(
            f"the density holds {found:.4f} electrons, NELECT is {expected:g}: it is of another "
            "charge or pseudopotential"
        )
    return replace(density, values=density.values * (expected / found)), found - expected


def _with_spin(density: ChargeDensity, inputs: VaspFolder) -> tuple[ChargeDensity, str]:
    """Give a density the magnetisation that its calculation asks for."""
    total = (density.augmentation or ())[0]
    if inputs.ispin != 2:
        return replace(density, magnetization=None, augmentation=(total,)), "none"
    moments = np.array(inputs.moments)
    if density.magnetization is not None:
        return density, "source"
    reason = why_no_moments(inputs.numbers, moments.tolist())
    if reason is not None:
        raise CalculationError(reason)
    valences = inputs.valences
    if valences is None:
        valences = np.full(len(moments), density.integral() / len(moments))
    # A moment has the shape of its atom, inside the spheres as outside.
    factors = moments / valences
    crystal = (density.numbers, density.positions, density.cell)
    spin = fit_atoms(density, valences).superposition(crystal, density.shape, factors)
    records = [total.record(atom) for atom in range(len(total))]
    return (
        replace(
            density,
            magnetization=spin,
            augmentation=(
                Augmentation.from_records(records, moments),
                Augmentation.from_records(
                    factor * record for factor, record in zip(factors, records, strict=True)
                ),
            ),
        ),
        "atoms",
    )
