"""Audit seeded runs as part of custodian, and store what they tell."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from custodian.custodian import Validator

from scdp_flows.dft.vasp.audit import audit_folder, corrections
from scdp_flows.dft.vasp.folder import read_record, write_record
from scdp_flows.errors import ScdpFlowsError
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    import os

    from scdp_flows.schemas.vasp_seed import VaspSeedDoc

__all__ = ["SeedAuditor", "record_audit"]

_LOGGER = logging.getLogger(__name__)


def record_audit(
    folder: str | os.PathLike[str], store_path: str | None = None, *, store: bool = True
) -> VaspSeedDoc | None:
    """Complete the record of a folder by what its outputs tell, and store it.

    Parameters
    ----------
    folder
        Of a finished run.
    store_path
        Folder of the embedded stores; None: those of the settings.
    store
        Whether to store it; the record in the folder is completed in any case.

    Returns
    -------
    VaspSeedDoc or None
        The record; None if the folder has none.

    Raises
    ------
    ScdpFlowsError
        If there are no outputs or the store cannot be written.
    """
    record = read_record(folder)
    if record is None:
        return None
    events = list(dict.fromkeys([*record.events, *corrections(folder)]))
    record = record.updated(audit=audit_folder(folder, record), events=events)
    write_record(folder, record)
    if store:
        with open_stores(store_path) as stores:
            stores.reports.vasp_seeds.put(record)
    return record


class SeedAuditor(Validator):
    """Audit each run that custodian finishes; it never declares one bad.

    Parameters
    ----------
    store_path
        Folder of the embedded stores; None: those of the settings where the job runs.
    """

    def __init__(self, store_path: str | None = None) -> None:
        self.store_path = store_path

    def check(self, directory: str = "./") -> bool:
        """Audit a folder; what fails is logged.

        Returns
        -------
        bool
            False, which custodian takes for a good run.
        """
        try:
            record_audit(directory, self.store_path)
        except ScdpFlowsError as error:
            _LOGGER.warning("the seed was not audited: %s", error)
        return False
