"""Run a cluster of one node under Slurm: partitions ``cpu`` and ``gpu``, without systemd.

``python tests/integration/slurm_cluster.py`` starts munge, slurmctld and slurmd with keys, ports
and folder of their own, prints the path of ``slurm.conf`` and serves until its standard input ends;
then it cancels what still runs and takes everything away. With ``SLURM_CONF`` set to that path,
``sbatch``, ``srun`` and ``squeue`` speak to it. Debian: ``apt-get install slurmctld slurmd munge``.

The node claims 16 cores and two accelerators, whatever the machine has, so that scripts for real
clusters are taken as they are. ``jobs.txt`` beside the file is Slurm's own record of what ran
where.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATIENCE_S = 60.0
# Debian's folder of daemons is not on the path of everybody.
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"

_CONF = """\
ClusterName=drill
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobs.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=5
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SchedulerParameters=sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=65536 Gres=gpu:2
PartitionName=cpu Nodes={host} Default=YES State=UP
PartitionName=gpu Nodes={host} State=UP
"""
# Devices that every machine has stand for accelerators: a count without files drains the node.
_GRES = "Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n"


@contextmanager
def slurm_cluster() -> Iterator[Path]:
    """Give the ``slurm.conf`` of a cluster that takes jobs.

    Raises
    ------
    RuntimeError
        If it does not come up; the message holds the ends of the logs.
    """
    with ExitStack() as stack:
        # Paths of sockets are short; pytest's folders are not.
        folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        conf = _write_files(folder)
        munge = ("munged", "--foreground", "--force", f"--key-file={folder}/munge.key")
        places = ("socket", "pid", "seed", "log")
        stack.enter_context(
            _daemon(folder, *munge, *(f"--{w}{_suffix(w)}={folder}/munge.{w}" for w in places))
        )
        _wait(folder, (folder / "munge.socket").exists, "munged")
        stack.enter_context(_daemon(folder, "slurmctld", "-D", "-f", str(conf)))
        stack.enter_context(_daemon(folder, "slurmd", "-D", "-f", str(conf)))
        _wait(folder, lambda: _ask(conf, "sinfo", "-h", "-o", "%T").startswith("idle"), "the node")
        stack.callback(_cancel_all, conf)
        yield conf


def _suffix(word: str) -> str:
    return "" if word == "socket" else "-file"


def _write_files(folder: Path) -> Path:
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    (folder / "gres.conf").write_text(_GRES)
    conf = folder / "slurm.conf"
    controller_port, node_port = _free_ports(2)
    conf.write_text(
        _CONF.format(
            folder=folder,
            host=socket.gethostname().split(".")[0],
            user=getpass.getuser(),
            controller_port=controller_port,
            node_port=node_port,
        )
    )
    return conf


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def _daemon(folder: Path, *command: str) -> Iterator[None]:
    program = shutil.which(command[0], path=_PATH)
    if program is None:
        raise RuntimeError(f"{command[0]} is not installed")
    log = (folder / f"{command[0]}.txt").open("w")
    # In a session of its own: what ends this process and its group must not come first.
    with (
        log,
        subprocess.Popen(
            [program, *command[1:]], stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _ask(conf: Path, *command: str) -> str:
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=30
    )
    return done.stdout.strip()


def _wait(folder: Path, ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not ready():
        if time.monotonic() > deadline:
            logs = (f"{log.name}: {log.read_text()[-500:]}" for log in folder.glob("*.txt"))
            raise RuntimeError(f"{what} does not come up. " + "\n".join(logs))
        time.sleep(0.2)


def _cancel_all(conf: Path) -> None:
    """End all jobs: their shepherds would outlive the daemons."""
    _ask(conf, "scancel", "--user", getpass.getuser())
    deadline = time.monotonic() + _PATIENCE_S
    while _ask(conf, "squeue", "-h") and time.monotonic() < deadline:
        time.sleep(0.5)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with slurm_cluster() as started:
        sys.stdout.write(f"{started}\n")
        sys.stdout.flush()
        sys.stdin.read()
