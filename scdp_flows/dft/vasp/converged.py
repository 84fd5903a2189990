"""Tell whether the CHGCAR in the folder of a finished run holds a density that it converged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scdp_flows.dft.vasp.audit import is_ours, scf_steps
from scdp_flows.dft.vasp.folder import read_record
from scdp_flows.errors import DensityFormatError
from scdp_flows.io.compression import open_text
from scdp_flows.io.vasp_run import find_output, read_outcar

if TYPE_CHECKING:
    import os

__all__ = ["why_no_density"]

_TAG = re.compile(r"^\s*(ICHARG|NELM)\s*=\s*(\d+)")


def why_no_density(folder: str | os.PathLike[str]) -> str | None:
    """Tell why a finished run offers no converged density; None if it does.

    Parameters
    ----------
    folder
        Of the run. Its files may be compressed.
    """
    outcar, chgcar = find_output(folder, "OUTCAR"), find_output(folder, "CHGCAR")
    if outcar is None:
        return "there is no OUTCAR: nothing has run here"
    try:
        run = read_outcar(outcar)
    except DensityFormatError as error:
        return str(error)
    if run.writes_density is False:
        return "LCHARG = .FALSE.: the run wrote no density; set LCHARG = .TRUE. to have it taken"
    if chgcar is None or chgcar.stat().st_size == 0:
        return "there is no CHGCAR, or an empty one"
    record = read_record(folder)
    if record is not None and record.status == "seeded" and is_ours(folder, record):
        return "CHGCAR is still the seed: the run ended before it wrote its own"
    return _why_not_converged(folder, outcar)


def _why_not_converged(
    folder: str | os.PathLike[str], outcar: str | os.PathLike[str]
) -> str | None:
    """Look for what was kept fixed, and for a last step that ran into its limit."""
    tags: dict[str, int] = {}
    with open_text(outcar) as stream:
        for line in stream:
            if match := _TAG.match(line):
                tags.setdefault(match.group(1), int(match.group(2)))
            elif "Iteration" in line:
                break
    if tags.get("ICHARG", 2) >= 10:
        return "ICHARG >= 10: the run kept the density that it was given"
    oszicar = find_output(folder, "OSZICAR")
    if oszicar is None:
        return None
    with open_text(oszicar) as stream:
        steps, _, _ = scf_steps(stream)
    limit = tags.get("NELM")
    if steps and limit is not None and steps[-1] >= limit:
        return f"the last self-consistency did not converge in NELM = {limit} steps"
    return None
