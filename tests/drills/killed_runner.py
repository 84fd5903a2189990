"""Run a flow by jobflow-remote, kill its runner while a model trains, and start another.

``python tests/drills/killed_runner.py FOLDER PORT`` runs ``flow.json`` of the folder and prints, as
JSON, the state and worker of each job, and the last output of the job named ``next round``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

engines: Any = import_module("engines")  # the script beside this one

_POLL_S = 0.2


def _kill_one(folder: Path) -> None:
    """Start a runner, and kill it when the first model trains."""
    with (folder / "killed.log").open("w") as log:
        runner = subprocess.Popen(
            [sys.executable, engines.__file__, "runner", str(folder)],
            env=engines.environment(folder),
            stdout=log,
            stderr=log,
        )
    while not any(folder.glob("store/training/*/metrics.jsonl")):
        if runner.poll() is not None:
            sys.exit((folder / "killed.log").read_text()[-4000:])
        time.sleep(_POLL_S)
    runner.kill()
    runner.wait()
    from jobflow_remote.jobs.jobcontroller import JobController

    # `jf admin unlock`: what the runner was at when it died is free for the next one.
    controller = JobController.from_project_name("drill")
    controller.unlock_jobs()
    controller.unlock_flows()


def main() -> None:
    """Run, kill, run on, and report."""
    folder, port = Path(sys.argv[1]).absolute(), int(sys.argv[2])
    plain, killed = engines.n_killed_of, False

    def n_killed_of(place: Path, *workers: tuple[str, ...]) -> int:
        nonlocal killed
        if not killed:
            _kill_one(place)
            killed = True
        count: int = plain(place, *workers)
        return count

    engines.n_killed_of = n_killed_of
    found = engines.run_remote(folder, port, 1)
    from jobflow_remote.jobs.jobcontroller import JobController

    controller = JobController.from_project_name("drill")
    jobs = controller.get_jobs_info()
    last = max((job for job in jobs if job.name == "next round"), key=lambda job: int(job.db_id))
    store = controller.jobstore
    store.connect()
    found["workers"] = [[job.name, job.worker] for job in jobs]
    found["output"] = store.get_output(last.uuid, load=True)
    sys.stdout.write(json.dumps(found, default=str) + "\n")


if __name__ == "__main__":
    main()
