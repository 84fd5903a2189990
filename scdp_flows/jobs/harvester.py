"""Look at each VASP run that custodian finishes, in a process that cannot harm it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custodian.custodian import Validator
from jobflow import CURRENT_JOB
from monty.json import MontyEncoder

from scdp_flows.io.compression import replace_binary
from scdp_flows.jobs.harvest import RECORD, HarvestRequest, write_harvest
from scdp_flows.schemas.identity import content_hash
from scdp_flows.schemas.vasp_harvest import VaspHarvestDoc

if TYPE_CHECKING:
    from scdp_flows.predictors.base import Predictor

__all__ = ["LOG", "RunHarvester"]

LOG = "scdp_harvest.log"
"""What the process said, in the folder of the run."""
_REQUEST = "scdp_harvest_request.json"
_LOGGER = logging.getLogger(__name__)


class RunHarvester(Validator):
    """Take the density of each run that custodian finishes; it never declares one bad.

    Parameters
    ----------
    predictors
        Who is judged by the density.
    store_path
        Folder of the embedded stores; None: those of the settings where the job runs.
    tags
        Labels of the density.
    time_limit_s
        After this time the process is ended, s.
    """

    def __init__(
        self,
        predictors: list[Predictor] | None = None,
        store_path: str | None = None,
        tags: list[str] | None = None,
        time_limit_s: float = 600.0,
    ) -> None:
        self.predictors = list(predictors or [])
        self.store_path = store_path
        self.tags = list(tags or [])
        self.time_limit_s = time_limit_s

    def check(self, directory: str = "./") -> bool:
        """Take the density; what fails is logged and recorded.

        Returns
        -------
        bool
            False, which custodian takes for a good run.
        """
        folder = Path(directory).absolute()
        request = HarvestRequest(
            str(folder), self.predictors, self.store_path, self.tags, _current_job()
        )
        failure = self._run(request, folder)
        if failure is not None:
            _LOGGER.warning("the density was not taken: %s", failure)
            self._record(request, folder, failure)
        return False

    def _run(self, request: HarvestRequest, folder: Path) -> str | None:
        """Execute a request in a process of its own; say what went wrong."""
        command = [sys.executable, "-m", "scdp_flows.jobs.harvest", _REQUEST]
        try:
            with replace_binary(folder / _REQUEST) as stream:
                stream.write(json.dumps(request, cls=MontyEncoder).encode())
            with (folder / LOG).open("wb") as log:
                done = subprocess.run(  # noqa: S603 - this very program
                    command, cwd=folder, stdout=log, stderr=subprocess.STDOUT,
                    timeout=self.time_limit_s, check=False,
                )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"it took longer than {self.time_limit_s:g} s"
        except (OSError, TypeError, ValueError) as error:
            return f"the process could not be started ({error})"
        if done.returncode != 0 or not (folder / RECORD).is_file():
            return f"the process ended with status {done.returncode}, see {LOG}"
        return None

    def _record(self, request: HarvestRequest, folder: Path, failure: str) -> None:
        """Leave a record of a failure."""
        doc = VaspHarvestDoc(
            harvest_id=content_hash([request.job or str(folder), failure])[:24],
            source="/".join(folder.parts[-2:]),
            status="left",
            reason=failure,
            **request.job,
        )
        try:
            write_harvest(folder, doc)
        except OSError as error:
            _LOGGER.warning("the failure was not recorded: %s", error)


def _current_job() -> dict[str, Any]:
    """Return what names the jobflow job that is running here; nothing outside of one."""
    job: Any = CURRENT_JOB.job
    if job is None:
        return {}
    return {"job_uuid": job.uuid, "job_index": job.index, "job_name": job.name}
