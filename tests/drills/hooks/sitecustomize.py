"""Kill jobs at chosen moments and count the DFT that was finished.

Python imports this at its start where the folder is on ``PYTHONPATH``. It acts only where
``DRILL_FOLDER`` names a folder with a plan: ``plan.json`` lists pairs of the name of a job and a
moment, each of which kills its process once:

``"training"``
    a round of training is done;
``"stored"``
    the first document of the job has just been stored;
``"done"``
    the job is done, and the engine has not heard of it.

Every DFT calculation that comes to its end adds a line to ``finished.txt``. Connections to the port
``DRILL_CLOSED_PORT`` are refused, as on a worker that reaches no database.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

_POLL_S = 0.02


class Drill:
    """Know which moments are still to come.

    Parameters
    ----------
    folder
        Where the plan is, and where moments that have passed and calculations are noted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        plan = json.loads((folder / "plan.json").read_text())
        self.plan = {(str(name), str(moment)) for name, moment in plan}

    def reach(self, name: str, moment: str) -> None:
        """Kill this process if that is planned for this moment, and was not done before."""
        if (name, moment) not in self.plan:
            return
        try:
            (self.folder / f"{name.replace(' ', '_')}.{moment}.killed").touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    def watch_training(self, name: str) -> None:
        """Wait in the background for the first round of a training."""
        if (name, "training") not in self.plan:
            return

        def wait() -> None:
            while not any(self.folder.glob("store/training/*/metrics.jsonl")):
                time.sleep(_POLL_S)
            self.reach(name, "training")

        threading.Thread(target=wait, daemon=True).start()

    def note(self, what: str, where: object) -> None:
        """Note a finished calculation; short lines of several processes do not mix."""
        with (self.folder / "finished.txt").open("a") as stream:
            stream.write(f"{what} {where}\n")


def install(drill: Drill) -> None:
    """Put the drill into jobs, stores and the DFT code."""
    from jobflow import CURRENT_JOB, Job

    from scdp_flows.dft.pyscf.jobs import PyscfCode
    from scdp_flows.stores.documents import DocumentStore

    plain_run = Job.run

    def storing(name: str) -> Any:
        plain = getattr(DocumentStore, name)

        def store(self: Any, *arguments: Any) -> Any:
            stored = plain(self, *arguments)
            if CURRENT_JOB.job is not None:
                drill.reach(CURRENT_JOB.job.name, "stored")
            return stored

        return store

    def run(self: Any, *arguments: Any, **named: Any) -> Any:
        drill.watch_training(self.name)
        response = plain_run(self, *arguments, **named)
        drill.reach(self.name, "done")
        return response

    def counted(name: str) -> Any:
        plain = getattr(PyscfCode, name)

        def many(self: Any, structures: Any, *arguments: Any, **named: Any) -> Any:
            for outcome in plain(self, structures, *arguments, **named):
                drill.note(name, structures[outcome.index].distance_matrix.max())
                yield outcome

        return many

    replaced: list[tuple[Any, str, Any]] = [
        *((DocumentStore, name, storing(name)) for name in ("put_many", "change")),
        (Job, "run", run),
        *((PyscfCode, name, counted(name)) for name in ("label_many", "compare_starts_many")),
    ]
    for owner, name, new in replaced:
        setattr(owner, name, new)


def close_port(port: int) -> None:
    """Refuse connections to a port."""
    plain = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[1] == port:
            raise ConnectionRefusedError(f"port {port} is closed on this worker")
        plain(self, address)

    setattr(socket.socket, "connect", connect)  # noqa: B010 - typed otherwise


if "DRILL_CLOSED_PORT" in os.environ:
    close_port(int(os.environ["DRILL_CLOSED_PORT"]))
if "DRILL_FOLDER" in os.environ:
    install(Drill(Path(os.environ["DRILL_FOLDER"])))
