"""Run a flow on two workers of jobflow-remote, and print what became of its jobs as JSON.

``python tests/remote_drill.py FLOW.json PORT [slurm]`` uses the MongoDB server at that port, and
the folder of ``FLOW.json`` for the project, the workers and their files. A ``cluster.yaml`` beside
it takes the place of the template. With ``slurm`` the workers submit to the cluster that
``SLURM_CONF`` names.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from monty.json import MontyDecoder

from scdp_flows.submission.cluster import TEMPLATE, Cluster
from scdp_flows.submission.engines import states, submit_flow

_PROJECT = """
name: drill
base_dir: {folder}/base
runner: {{delay_checkout: 1, delay_check_run_status: 1, delay_advance_status: 1}}
workers:
  cpu: &worker
    type: local
    scheduler_type: {scheduler}
    work_dir: {folder}/cpu
    max_jobs: 1
    pre_run: |
      export PATH={bin}:$PATH PYTHONPATH={path} OMP_NUM_THREADS=1
      echo "${{CUDA_VISIBLE_DEVICES:-none}}" > devices.txt
  gpu: {{<<: *worker, work_dir: {folder}/gpu}}
queue:
  store: &store
    {{type: MongoStore, host: 127.0.0.1, port: {port}, database: {name}, collection_name: jobs}}
jobstore:
  docs_store: {{<<: *store, collection_name: outputs}}
  additional_stores:
    data: {{<<: *store, type: GridFSStore, collection_name: blobs}}
"""


def _write_project(folder: Path, port: int, scheduler: str) -> None:
    text = _PROJECT.format(
        folder=folder,
        bin=Path(sys.executable).parent,
        path=os.pathsep.join(sys.path),
        port=port,
        scheduler=scheduler,
        name=folder.name,
    )
    (folder / "projects").mkdir()
    (folder / "projects" / "drill.yaml").write_text(text)
    os.environ["JFREMOTE_PROJECTS_FOLDER"] = str(folder / "projects")


def main() -> None:
    """Submit, run until nothing is left to do, and report."""
    file, port = Path(sys.argv[1]).absolute(), int(sys.argv[2])
    scheduler = sys.argv[3] if len(sys.argv) > 3 else "shell"
    _write_project(file.parent, port, scheduler)
    from jobflow_remote.jobs.jobcontroller import JobController
    from jobflow_remote.jobs.runner import Runner

    JobController.from_project_name("drill").reset()
    described = file.with_name("cluster.yaml")
    text = described.read_text() if described.is_file() else TEMPLATE
    cluster = Cluster.parse(text.replace("project: scdp", "project: drill"))
    if scheduler == "shell":  # which knows no queues
        local = {work: one.model_copy(update={"queue": None}) for work, one in cluster.work.items()}
        cluster = cluster.model_copy(update={"work": local})
    flow = MontyDecoder().process_decoded(json.loads(file.read_text()))
    submit_flow(flow, cluster)
    Runner(project_name="drill").run_all_jobs(max_seconds=900)
    sys.stdout.write(json.dumps(states(cluster, 100)) + "\n")


if __name__ == "__main__":
    main()
