"""Run a flow on an engine to its end, however often its workers are killed.

``python tests/drills/engines.py ENGINE FOLDER --port PORT`` runs ``flow.json`` of the folder, with
the plan of ``hooks/sitecustomize.py``. What a user does when a worker has died is done here: the
flow is run again (``local``), lost runs are sought (``fireworks``), jobs are run again
(``remote``). It prints what became of it as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from monty.json import MontyDecoder

from scdp_flows.stores.factory import job_store
from scdp_flows.submission.cluster import TEMPLATE, Cluster
from scdp_flows.submission.engines import submit_flow

_HERE = Path(__file__).parent
_MOST_ROUNDS = 60
_REMOTE = """
name: drill
base_dir: {folder}/base
runner:
  delay_checkout: 1
  delay_check_run_status: 1
  delay_advance_status: 1
  delta_retry: [1]
workers:
  cpu: &worker
    type: local
    scheduler_type: shell
    work_dir: {folder}/cpu
    max_jobs: 1
    pre_run: |
      export PATH={bin}:$PATH PYTHONPATH={path} OMP_NUM_THREADS=1 DRILL_FOLDER={folder}
      export DRILL_CLOSED_PORT={port} SCDP_CONFIG_FILE={folder}/scdp.yaml
  gpu: {{<<: *worker, work_dir: {folder}/gpu}}
queue:
  store: &store
    {{type: MongoStore, host: 127.0.0.1, port: {port}, database: {name}, collection_name: jobs}}
jobstore:
  docs_store: {{<<: *store, collection_name: outputs}}
  additional_stores:
    data: {{<<: *store, type: GridFSStore, collection_name: blobs}}
"""


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a worker."""
    places = [str(_HERE / "hooks"), *sys.path]
    return {**os.environ, "DRILL_FOLDER": str(folder), "PYTHONPATH": os.pathsep.join(places)}


def read_flow(folder: Path) -> Any:
    """Return the flow of a drill."""
    return MontyDecoder().process_decoded(json.loads((folder / "flow.json").read_text()))


def n_killed_of(folder: Path, *workers: tuple[str, ...]) -> int:
    """Run workers at the same time and count those killed; end if one failed in another way."""
    started = []
    for number, arguments in enumerate(workers):
        with (folder / f"worker{number}.log").open("w") as log:
            command = [sys.executable, __file__, *arguments]
            started.append(
                subprocess.Popen(command, env=environment(folder), stdout=log, stderr=log)
            )
    codes = [one.wait() for one in started]
    for number, code in enumerate(codes):
        if code not in (0, -signal.SIGKILL):
            sys.exit((folder / f"worker{number}.log").read_text()[-4000:])
    return sum(code != 0 for code in codes)


def cluster_of(folder: Path, engine: str) -> Cluster:
    """Describe two workers, called cpu and gpu."""
    lines = {
        "remote": "engine: remote\nproject: drill\n",
        "fireworks": f"engine: fireworks\nlaunchpad: {folder}/launchpad.yaml\n",
    }
    work = re.sub(r"\n +queue: .*", "", TEMPLATE[TEMPLATE.index("work:") :])
    return Cluster.parse(lines[engine] + work)


# ------------------------------------------------------------------------------------- run_locally
def run_local(folder: Path, _: int, n_runners: int) -> dict[str, Any]:
    """Run the flow again until it comes to its end."""
    n_killed = 0
    while now := n_killed_of(folder, *[("work", str(folder))] * n_runners):
        n_killed += now
    return {"killed": n_killed, "states": ["COMPLETED"], "told": []}


def work_local(folder: Path) -> None:
    """Run the flow once."""
    from jobflow import run_locally

    run_locally(read_flow(folder), store=job_store(folder / "outputs"), ensure_success=True)


# --------------------------------------------------------------------------------------- FireWorks
def run_fireworks(folder: Path, port: int, n_runners: int) -> dict[str, Any]:
    """Start workers and look for lost runs until nothing is left to do."""
    from fireworks import LaunchPad

    pad = LaunchPad(host="127.0.0.1", port=port, name=folder.name, strm_lvl="ERROR")
    pad.reset("", require_password=False)
    pad.to_file(str(folder / "launchpad.yaml"))
    flow = read_flow(folder)
    submit_flow(flow, cluster_of(folder, "fireworks"), store=job_store(folder / "outputs"))
    n_killed, told = 0, []
    for _ in range(_MOST_ROUNDS):
        for worker in ("cpu", "gpu"):
            rocket = ("rocket", str(folder), "--worker", worker)
            if now := n_killed_of(folder, *[rocket] * n_runners):
                n_killed += now
                _, lost, _ = pad.detect_lostruns(expiration_secs=0, rerun=True)
                told.append(f"{len(lost)} lost")
        if not pad.get_fw_ids({"state": {"$in": ["READY", "RUNNING"]}}):
            break
    states = sorted(pad.get_fw_by_id(number).state for number in pad.get_fw_ids())
    pad.connection.close()
    return {"killed": n_killed, "states": states, "told": told}


def work_fireworks(folder: Path, worker: str) -> None:
    """Take fireworks of one category as long as there are any."""
    from fireworks import FWorker, LaunchPad
    from fireworks.core.rocket_launcher import rapidfire

    pad = LaunchPad.from_file(str(folder / "launchpad.yaml"))
    os.chdir(folder)
    fworker = FWorker(name=worker, category=worker)
    rapidfire(pad, fworker, nlaunches=0, sleep_time=0, strm_lvl="ERROR")
    pad.connection.close()


# ---------------------------------------------------------------------------------- jobflow-remote
def run_remote(folder: Path, port: int, n_runners: int) -> dict[str, Any]:
    """Let the runner run, and run again what has failed, until all is completed."""
    text = _REMOTE.format(
        folder=folder,
        bin=Path(sys.executable).parent,
        path=environment(folder)["PYTHONPATH"],
        port=port,
        name=folder.name,
    )
    (folder / "projects").mkdir()
    (folder / "projects" / "drill.yaml").write_text(text)
    os.environ["JFREMOTE_PROJECTS_FOLDER"] = str(folder / "projects")
    from jobflow_remote.jobs.jobcontroller import JobController

    controller = JobController.from_project_name("drill")
    controller.reset()
    submit_flow(read_flow(folder), cluster_of(folder, "remote"))
    told: list[str] = []
    for _ in range(_MOST_ROUNDS):
        n_killed_of(folder, *[("runner", str(folder))] * n_runners)
        infos = controller.get_jobs_info()
        failed = [one for one in infos if one.state.value in {"FAILED", "REMOTE_ERROR"}]
        if not failed:
            break
        for one in failed:
            said = (one.error or one.remote.error or "").strip().splitlines()
            told.append(f"{one.name}: {one.state.value}: {said[-1] if said else ''}")
            controller.rerun_job(db_id=str(one.db_id), force=True)
    states = sorted(one.state.value for one in controller.get_jobs_info())
    return {"killed": len(told), "states": states, "told": told}


def work_remote() -> None:
    """Be a runner until nothing is left to do."""
    from jobflow_remote.jobs.runner import Runner

    Runner(project_name="drill").run_all_jobs(max_seconds=1200)


_RUN = {"local": run_local, "fireworks": run_fireworks, "remote": run_remote}


def main() -> None:
    """Run a drill, or be one of its workers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=[*_RUN, "work", "rocket", "runner"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--worker", default="cpu")
    parser.add_argument("--runners", type=int, default=1, help="workers, or runners, at a time")
    given = parser.parse_args()
    folder = given.folder.absolute()
    if given.what == "work":
        work_local(folder)
    elif given.what == "rocket":
        work_fireworks(folder, given.worker)
    elif given.what == "runner":
        work_remote()
    else:
        found = _RUN[given.what](folder, given.port, given.runners)
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
