"""Judge by its outputs whether a calculation of atomate2.abinit used its seed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from scdp_flows.dft.abinit.folder import read_record, write_record
from scdp_flows.dft.abinit.output import parse_output
from scdp_flows.schemas.run_start import RunOutcome
from scdp_flows.stores.factory import open_stores
from scdp_flows.units import HARTREE_TO_EV

if TYPE_CHECKING:
    import os

    from scdp_flows.schemas.run_seed import RunSeedDoc

__all__ = ["audit_folder", "record_audit"]

_LOG, _OUTPUT = "run.log", "run.abo"
_STEP = re.compile(r"^ ETOT\s*(\d+)\s", re.MULTILINE)
_GRID = re.compile(r"^\s*ngfft\s+(\d+)\s+(\d+)\s+(\d+)", re.MULTILINE)
_MOMENT = re.compile(r"Magnetization \(Bohr magneton\)=\s*(\S+)")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def audit_folder(folder: str | os.PathLike[str], record: RunSeedDoc) -> RunOutcome:
    """Tell what the outputs of a run say about its start.

    Parameters
    ----------
    folder
        Of the run.
    record
        What was done before it.
    """
    log, text = _text(Path(folder) / _LOG), _text(Path(folder) / _OUTPUT)
    output = parse_output(log, text)
    steps: list[int] = []
    for number in map(int, _STEP.findall(text)):
        if number == 1:
            steps.append(0)
        steps[-1] = number
    grid = _GRID.search(text)
    moments = _MOMENT.findall(text)
    why = None
    if record.status != "seeded":
        why = f"the calculation was not seeded: {record.reason}"
    elif not output.density_was_read:
        why = "abinit did not read the density as it is"
    return RunOutcome(
        seed_used=why is None,
        why_not_used=why,
        grid=None if grid is None else (int(grid[1]), int(grid[2]), int(grid[3])),
        scf_steps=steps,
        energy_ev=output.energies_ha[-1] * HARTREE_TO_EV if output.energies_ha else None,
        moment_mub=float(moments[-1]) if moments else None,
    )


def record_audit(
    folder: str | os.PathLike[str], store_path: str | None = None
) -> RunSeedDoc | None:
    """Complete the record of a folder by what its outputs tell, and store it.

    Parameters
    ----------
    folder
        Of a finished run.
    store_path
        Folder of the embedded stores; None: those of the settings.

    Returns
    -------
    RunSeedDoc or None
        The record; None if the folder has none.

    Raises
    ------
    ScdpFlowsError
        If the store cannot be written.
    """
    record = read_record(folder)
    if record is None:
        return None
    record = record.updated(audit=audit_folder(folder, record))
    write_record(folder, record)
    with open_stores(store_path) as stores:
        stores.reports.run_seeds.put(record)
    return record
