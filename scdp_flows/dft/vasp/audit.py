"""Find out from its outputs how a VASP run really started, and how many steps it took."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scdp_flows.errors import CalculationError
from scdp_flows.io.compression import open_text
from scdp_flows.io.vasp_run import find_output
from scdp_flows.schemas.vasp_seed import VaspAudit

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from scdp_flows.schemas.vasp_seed import VaspSeedDoc

__all__ = ["audit_folder", "corrections", "is_ours", "scf_steps"]

_STEP = re.compile(r"^\s*([A-Z]{3}):\s*(\d+)\s")
_IONIC = re.compile(r"^\s*\d+\s+F=\s*(\S+)\s+E0=\s*(\S+)(?:.*mag=\s*(\S+))?")
_GRID = re.compile(r"NGXF=\s*(\d+) NGYF=\s*(\d+) NGZF=\s*(\d+)")
_ICHARG = re.compile(r"^\s*ICHARG\s*=\s*(\d+)")
_VERSION = re.compile(r"^\s*vasp\.(\S+)")
_LOG = ("vasp.out", "OUTCAR")
# What VASP says of a density that it read or could not read.
_READ = "charge-density read from file"
_MAGNETIZATION_READ = "magnetization density read from file"
_MAGNETIZATION_ATOMS = "magnetization density of overlapping atoms"
_MISSING = "PAW occupancies are missing"
_CORRUPT = re.compile(r"ion\s+\d+\s+data corrupt")
_DROPPED = {
    "dimensions on CHGCAR file are different": "VASP found another grid in CHGCAR",
    "chargedensity file is incomplete": "VASP found CHGCAR incomplete",
    "number of atoms are different on CHGCAR": "VASP found other atoms in CHGCAR",
}


def scf_steps(lines: Iterable[str]) -> tuple[list[int], float | None, float | None]:
    """Count the electronic steps of each ionic step in an OSZICAR.

    Returns
    -------
    steps : list of int
        One number per ionic step; the last may be of an unfinished one.
    energy : float or None
        Last energy extrapolated to zero smearing, eV.
    moment : float or None
        Last total moment, µB.
    """
    steps: list[int] = []
    count = 0
    energy, moment = None, None
    for line in lines:
        if _STEP.match(line):
            count += 1
        elif match := _IONIC.match(line):
            steps.append(count)
            count = 0
            energy = _number(match.group(2))
            moment = _number(match.group(3))
    return steps + ([count] if count else []), energy, moment


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def corrections(folder: str | os.PathLike[str]) -> list[str]:
    """List the corrections by custodian that touched CHGCAR or how VASP starts."""
    path = find_output(folder, "custodian.json")
    if path is None:
        return []
    try:
        with open_text(path) as stream:
            runs = json.load(stream)
    except (OSError, ValueError):
        return []
    found = []
    for run in runs if isinstance(runs, list) else []:
        for correction in run.get("corrections", []):
            actions = [a for a in correction.get("actions") or [] if _touches_start(a)]
            if actions:
                handler = correction.get("handler", {})
                name = handler.get("@class", "a handler") if isinstance(handler, dict) else handler
                errors = ", ".join(map(str, correction.get("errors", [])))
                found.append(f"{name} ({errors}): {json.dumps(actions)}")
    return found


def _touches_start(action: dict[str, Any]) -> bool:
    if action.get("file") == "CHGCAR":
        return True
    changed = action.get("action", {})
    return action.get("dict") == "INCAR" and any(
        name in tags for tags in changed.values() if isinstance(tags, dict)
        for name in ("ICHARG", "ISTART")
    )  # fmt: skip


def audit_folder(folder: str | os.PathLike[str], record: VaspSeedDoc) -> VaspAudit:
    """Judge by its outputs whether a run used its seed.

    Reads OUTCAR, OSZICAR and ``vasp.out``, the standard output in which VASP says what it read.
    They may be compressed.

    Parameters
    ----------
    folder
        Of the finished run.
    record
        What was done before it.

    Raises
    ------
    CalculationError
        If OUTCAR is missing or of no run.
    """
    said = {"charge": False, "magnetization": "unknown", "occupancies": "unknown", "dropped": None}
    head: dict[str, Any] = {}
    for name in _LOG:
        path = find_output(folder, name)
        if path is None and name == "OUTCAR":
            raise CalculationError(f"{folder}: no OUTCAR; there is nothing to audit before a run")
        if path is not None:
            with open_text(path) as stream:
                _read_log(stream, said, head)
    oszicar = find_output(folder, "OSZICAR")
    steps: list[int] = []
    energy, moment = None, None
    if oszicar is not None:
        with open_text(oszicar) as stream:
            steps, energy, moment = scf_steps(stream)
    magnetization: Any = "none" if record.ispin == 1 else said["magnetization"]
    why = _why_not_used(record, said, head)
    return VaspAudit(
        seed_used=why is None,
        why_not_used=why,
        charge_read=bool(said["charge"]),
        occupancies=_occupancies(said),
        magnetization=magnetization,
        icharg=head.get("icharg"),
        grid=head.get("grid"),
        scf_steps=steps,
        energy_ev=energy,
        moment_mub=moment,
        vasp_version=head.get("version"),
    )


def _occupancies(said: dict[str, Any]) -> Literal["read", "missing", "corrupt", "unknown"]:
    if said["occupancies"] == "unknown" and said["charge"]:
        return "read"
    found: Literal["missing", "corrupt", "unknown"] = said["occupancies"]
    return found


def _read_log(lines: Iterable[str], said: dict[str, Any], head: dict[str, Any]) -> None:
    """Note what the head of a log says, up to the first steps of the second ionic step."""
    for line in lines:
        _note_start(line, said)
        if match := _GRID.search(line):
            head.setdefault("grid", tuple(map(int, match.groups())))
        elif match := _ICHARG.match(line):
            head.setdefault("icharg", int(match.group(1)))
        elif match := _VERSION.match(line):
            head.setdefault("version", match.group(1))
        elif "LOOP+" in line or _IONIC.match(line):
            break


def _note_start(line: str, said: dict[str, Any]) -> None:
    if _READ in line:
        said["charge"] = True
    elif _MAGNETIZATION_READ in line:
        said["magnetization"] = "read"
    elif _MAGNETIZATION_ATOMS in line:
        said["magnetization"] = "atoms"
    elif _CORRUPT.search(line):
        said["occupancies"] = "corrupt"
    elif _MISSING in line:
        said["occupancies"] = "corrupt" if said["occupancies"] == "corrupt" else "missing"
    else:
        for text, meaning in _DROPPED.items():
            if text in line:
                said["dropped"] = meaning


def _why_not_used(record: VaspSeedDoc, said: dict[str, Any], head: dict[str, Any]) -> str | None:
    """Tell why a seed was not used; None if it was."""
    findings = (
        (record.status != "seeded", f"the calculation was not seeded: {record.reason}"),
        (
            record.grid != head.get("grid"),
            f"VASP used the grid {head.get('grid')}, CHGCAR had {record.grid}",
        ),
        (
            head.get("icharg") != 1,
            f"VASP ran with ICHARG = {head.get('icharg')}: INCAR was changed before it started",
        ),
        (said["dropped"] is not None, str(said["dropped"])),
        (
            said["occupancies"] != "unknown",
            f"VASP found the PAW occupancies in CHGCAR {said['occupancies']}",
        ),
        (not said["charge"], "VASP does not report a density read from CHGCAR"),
    )
    return next((reason for applies, reason in findings if applies), None)


def is_ours(folder: str | os.PathLike[str], record: VaspSeedDoc) -> bool:
    """Tell whether the CHGCAR in a folder is the one that was written."""
    from scdp_flows.schemas.training import file_sha256

    path = Path(folder) / "CHGCAR"
    return path.is_file() and file_sha256(path) == record.chgcar_sha256
