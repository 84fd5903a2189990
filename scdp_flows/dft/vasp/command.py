"""Seed the folder in which a VASP command is about to run, run it, and audit what it did."""

from __future__ import annotations

import logging
import signal
import subprocess
from typing import TYPE_CHECKING

from scdp_flows.dft.vasp.audit import is_ours
from scdp_flows.dft.vasp.auditor import record_audit
from scdp_flows.dft.vasp.folder import (
    JobIdentity,
    read_record,
    seed_folder,
    write_record,
)
from scdp_flows.dft.vasp.inputs import read_folder
from scdp_flows.errors import ScdpFlowsError
from scdp_flows.io.vasp_run import find_output

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from scdp_flows.dft.vasp.sources import SeedSource
    from scdp_flows.schemas.vasp_seed import VaspSeedDoc

__all__ = ["prepare", "run_seeded"]

_LOGGER = logging.getLogger(__name__)


def run_seeded(
    command: Sequence[str],
    folder: str | os.PathLike[str],
    source: SeedSource,
    *,
    reseed: bool = False,
    store_path: str | None = None,
) -> int:
    """Seed a folder, run a command in it and audit the run.

    Whatever goes wrong with the seed, the command runs. Its standard output is left alone, since
    custodian reads it; a signal to stop is passed on to it.

    Parameters
    ----------
    command
        VASP with its arguments.
    folder
        Where it runs.
    source
        Where the density comes from.
    reseed
        Seed again where a restart finds the seed deleted or overwritten.
    store_path
        Folder of the embedded stores for the audit; None: the record stays in the folder alone.

    Returns
    -------
    int
        The exit status of the command.
    """
    try:
        prepare(folder, source, reseed=reseed)
    except ScdpFlowsError as error:
        _LOGGER.warning("not seeded: %s", error)
    status = _run(command, folder)
    try:
        if find_output(folder, "OUTCAR") is not None:
            record_audit(folder, store_path, store=store_path is not None)
    except ScdpFlowsError as error:
        _LOGGER.warning("the seed was not audited: %s", error)
    return status


def prepare(
    folder: str | os.PathLike[str], source: SeedSource, *, reseed: bool = False
) -> VaspSeedDoc:
    """Seed a folder, or find out what became of its seed since the start before.

    Parameters
    ----------
    folder
        Where VASP is about to start, maybe not for the first time.
    source
        Where the density comes from.
    reseed
        Seed again where the seed is gone.

    Returns
    -------
    VaspSeedDoc
        The record of the folder.

    Raises
    ------
    CalculationError
        If the inputs are missing or cannot be understood.
    """
    before = read_record(folder)
    if before is None:
        return seed_folder(folder, source)
    if before.status != "seeded":
        return before
    event = _lost(folder, before)
    if event is None:
        return before
    events = [*before.events, f"before a restart: {event}"]
    if reseed:
        job = None
        if before.job_uuid and before.job_index:
            job = JobIdentity(before.job_uuid, before.job_index, before.job_name or "")
        doc = seed_folder(folder, source, strategy="every", job=job)
        events.append("seeded again" if doc.status == "seeded" else "could not be seeded again")
    else:
        doc = before.updated(status="left", reason=event)
    doc = doc.updated(events=events)
    write_record(folder, doc)
    return doc


def _lost(folder: str | os.PathLike[str], record: VaspSeedDoc) -> str | None:
    """Tell how a seed was lost; None if it is still there."""
    if not is_ours(folder, record):
        there = find_output(folder, "CHGCAR") is not None
        return f"CHGCAR was {'overwritten' if there else 'deleted'}"
    icharg = read_folder(folder).tags.get("ICHARG")
    return None if icharg == 1 else f"ICHARG was set to {icharg}"


def _run(command: Sequence[str], folder: str | os.PathLike[str]) -> int:
    """Run a command, passing on a request to stop."""
    with subprocess.Popen(list(command), cwd=folder) as process:  # noqa: S603 - the user's own VASP
        previous = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            status = process.wait()
        finally:
            signal.signal(signal.SIGTERM, previous)
    return 128 - status if status < 0 else status
