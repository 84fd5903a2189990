"""Seed the folder of a calculation of atomate2.abinit: a density, orbitals and a record."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.dft.abinit.files import grid_density, header_species
from scdp_flows.dft.abinit.input_text import own_grid
from scdp_flows.dft.abinit.inputs import AbinitSettings
from scdp_flows.dft.abinit.policy import why_not
from scdp_flows.dft.abinit.start import starting_density
from scdp_flows.dft.plane_waves.program import execute
from scdp_flows.dft.plane_waves.seed import seed_waves
from scdp_flows.dft.plane_waves.structure import as_crystal
from scdp_flows.errors import CalculationError, ScdpFlowsError
from scdp_flows.io.abinit_den_write import write_abinit_den
from scdp_flows.io.compression import replace_binary
from scdp_flows.io.structures import structure_hash
from scdp_flows.schemas.identity import content_hash, hill_formula
from scdp_flows.schemas.run_seed import RunSeedDoc

if TYPE_CHECKING:
    import os

    from scdp_flows.predictors.base import Predictor

__all__ = ["RECORD", "AtomateRun", "read_record", "seed_folder", "write_record"]

RECORD = "scdp_seed.json"
"""Name of the record in the folder."""
INPUT, DENSITY, ORBITALS = "run.abi", "indata/in_DEN", "indata/in_WFK"
"""What atomate2 calls these files."""
_FIRST, _FIRST_PREFIX = "scdp_seed.abi", "indata/seed"
_TOLWFR, _MOST_SWEEPS = 1e-4, 30
_DENSITY_MIXING = 17
_OF_LATER_STEPS = (
    "tolvrs", "toldfe", "toldff", "tolrff", "tolmxf", "nnsclo", "ionmov", "geoopt", "ntime",
    "optcell", "dilatmx", "strfact", "prtden", "prtdos", "prteig",
)  # fmt: skip


@dataclass(frozen=True)
class AtomateRun:
    """What atomate2 is about to run."""

    inputs: Any
    """abipy's ``AbinitInput``."""
    command: tuple[str, ...] = ("abinit",)
    """Words that start the program."""
    job: dict[str, Any] = field(default_factory=dict)
    """Identity of the job: ``job_uuid``, ``job_index`` and ``job_name``."""

    @property
    def moments(self) -> list[float]:
        """Requested moment of each atom, µB."""
        spinat = self.inputs.get("spinat")
        if spinat is None:
            return [0.0] * len(self.inputs.structure)
        return [float(moment) for moment in np.reshape(spinat, (-1, 3))[:, 2]]

    def settings(self) -> AbinitSettings:
        """Return what of the inputs decides the density.

        Raises
        ------
        SettingsError
            If a pseudopotential file is of a kind that no model knows.
        """
        files = {one.symbol: str(Path(one.filepath).resolve()) for one in self.inputs.pseudos}
        spin = "unrestricted" if self.inputs.get("nsppol", 1) == 2 else "restricted"
        smearing = "none" if self.inputs.get("occopt", 1) == 1 else "gaussian"
        # All waves, not one half: k-points do not matter to a density.
        return AbinitSettings(
            files,
            pseudo_dir="/",
            ecut_ha=float(self.inputs["ecut"]),
            kpoints=(2, 2, 2),
            spin=spin,  # type: ignore[arg-type]
            smearing=smearing,  # type: ignore[arg-type]
        )


def read_record(folder: str | os.PathLike[str]) -> RunSeedDoc | None:
    """Return the record of a folder; None if it was never seeded or the record is unreadable."""
    try:
        return RunSeedDoc.model_validate_json((Path(folder) / RECORD).read_bytes())
    except (OSError, ValueError):
        return None


def write_record(folder: str | os.PathLike[str], doc: RunSeedDoc) -> None:
    """Write the record of a folder, as a whole or not at all."""
    with replace_binary(Path(folder) / RECORD) as stream:
        stream.write(doc.model_dump_json(indent=1).encode())


def seed_folder(
    folder: str | os.PathLike[str], run: AtomateRun, predictor: Predictor
) -> RunSeedDoc:
    """Give a calculation a start, or leave it alone and say why.

    The density goes to ``indata/in_DEN``. Orbitals would start at random and spoil it, so they are
    first converged for it by a short run, whose result goes to ``indata/in_WFK``. The input is
    rewritten last: it reads both (``irdden``, ``irdwfk``), makes no double sweeps for the orbitals
    (``nnsclo``) and, with one spin and where it does not say what is mixed, mixes the density
    (``iscf``); with two spins forces go astray in the first steps of such mixing.
    ``abinit_input.json``, from which later calculations are made, stays as it is.

    Parameters
    ----------
    folder
        Where atomate2 has written its files.
    run
        What it is about to run.
    predictor
        Predicts the density; its kind must be that of the calculation.

    Returns
    -------
    RunSeedDoc
        What ``scdp_seed.json`` holds.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    doc = _unseeded(run, predictor)
    reason = why_not(run.inputs)
    if reason is None:
        try:
            doc = _seeded(Path(folder), run, predictor, doc)
        except ScdpFlowsError as error:
            _remove(Path(folder))
            reason = str(error)
    if reason is not None:
        doc = doc.updated(reason=reason)
    doc = doc.updated(
        seconds=time.perf_counter() - wall, cpu_s=doc.cpu_s + time.process_time() - cpu
    )
    write_record(folder, doc)
    return doc


def _remove(folder: Path) -> None:
    for name in (DENSITY, ORBITALS):
        (folder / name).unlink(missing_ok=True)


def _unseeded(run: AtomateRun, predictor: Predictor) -> RunSeedDoc:
    """Describe the calculation."""
    structure = run.inputs.structure
    found = structure_hash(structure)
    job = run.job
    own = f"folder-{content_hash([found, str(run.inputs)])[:24]}"
    return RunSeedDoc(
        run_id=f"{job['job_uuid']}-{job['job_index']}" if job else own,
        **job,
        code="abinit",
        formula=hill_formula(structure.atomic_numbers),
        n_atoms=len(structure),
        structure_hash=found,
        status="left",
        reason="not tried",
        source=f"predicted by {predictor.name}",
        model_id=predictor.model_id(),
        ispin=2 if run.inputs.get("nsppol", 1) == 2 else 1,
    )


def _seeded(folder: Path, run: AtomateRun, predictor: Predictor, doc: RunSeedDoc) -> RunSeedDoc:
    """Write the start and describe it."""
    settings = run.settings()
    kind = predictor.kind()
    if kind is not None:
        kind.check_compatible(settings.kind())
    start = starting_density(run.inputs.structure, predictor, settings, run.moments)
    crystal = as_crystal(run.inputs.structure, settings)
    given = run.inputs.get("ngfft")
    shape = own_grid(crystal, settings) if given is None else (given[0], given[1], given[2])
    density = grid_density(crystal, settings, seed_waves(crystal, settings, start.density), shape)
    symbols = [one.symbol for one in run.inputs.structure.species_by_znucl]
    species = [header_species(settings, symbol) for symbol in symbols]
    target = folder / DENSITY
    target.parent.mkdir(exist_ok=True)
    write_abinit_den(density, target, species, settings.ecut_ha)
    cpu_s = _converge_orbitals(folder, run)
    changes = {"irdden": 1, "irdwfk": 1, "nnsclo": 1}
    if "iscf" not in run.inputs and settings.spin == "restricted":
        changes["iscf"] = _DENSITY_MIXING
    seeded = run.inputs.deepcopy()
    seeded.set_vars(changes)
    (folder / INPUT).write_text(str(seeded), encoding="utf-8")
    return doc.updated(
        status="seeded",
        reason=None,
        grid=density.shape,
        n_electrons=density.integral(),
        excess_electrons=start.excess_electrons,
        magnetization=start.magnetization,
        changes=changes,
        cpu_s=cpu_s,
    )


def _converge_orbitals(folder: Path, run: AtomateRun) -> float:
    """Make the orbitals of the density; return the processor time, s."""
    first = run.inputs.deepcopy()
    first.pop_vars([name for name in _OF_LATER_STEPS if name in first])
    first.set_vars(
        iscf=-2, tolwfr=_TOLWFR, nstep=_MOST_SWEEPS, irdden=1, prtwf=1, prtden=0,
        outdata_prefix=f'"{_FIRST_PREFIX}"',
    )  # fmt: skip
    (folder / _FIRST).write_text(str(first), encoding="utf-8")
    done = execute([*run.command, _FIRST], folder)
    made = folder / f"{_FIRST_PREFIX}_WFK"
    if not made.is_file():
        raise CalculationError(f"abinit made no orbitals for the density: {done.text[-400:]}")
    made.rename(folder / ORBITALS)
    for leftover in (folder / "indata").glob("seed_*"):
        leftover.unlink()
    return done.cpu_s
