"""Give what the drills cut, restart and fill up: a proxy, a server with a journal, small disks."""

from __future__ import annotations

import importlib.util
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from monty.json import MontyEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import ModuleType

    from jobflow import Flow

Drill = dict[str, Any]


class Proxy:
    """Pass connections on to a port, until they are cut.

    Parameters
    ----------
    target
        Port on loopback.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.is_cut = False
        self.n_passed = 0
        self._pairs: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, and every new one at once."""
        self.is_cut = True
        pairs, self._pairs = self._pairs, []
        for one in pairs:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Pass connections on again."""
        self.is_cut = False

    def close(self) -> None:
        """End for good."""
        self.cut()
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self.is_cut:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self._pairs += [client, server]
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, selectors.DefaultSelector() as ready, suppress(OSError):
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(2**16)  # type: ignore[union-attr]
                    if not data:
                        return
                    self.n_passed += len(data)
                    key.data.sendall(data)


class Server:
    """A MongoDB server of ours that can be killed and started anew.

    Parameters
    ----------
    repository, journal
        Where its script is, and what outlasts it.
    """

    def __init__(self, repository: Path, journal: Path) -> None:
        self._command = [sys.executable, str(repository / "tests" / "mongo_server.py")]
        self._command += ["--journal", str(journal)]
        self.port = 0
        self.start()

    def start(self) -> None:
        """Start it, on the port that it had."""
        self._process = subprocess.Popen(
            [*self._command, "--port", str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """Kill it, as a machine that goes down does."""
        self._process.send_signal(signal.SIGKILL)
        with self._process:
            pass


@pytest.fixture
def server(tmp_path: Path, repository: Path) -> Iterator[Server]:
    """Give a server that lasts."""
    started = Server(repository, tmp_path / "journal.bson")
    yield started
    started.kill()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """Give the way to that server."""
    way = Proxy(server.port)
    yield way
    way.close()


@pytest.fixture
def whole_way(repository: Path) -> ModuleType:
    """Give the module with the flows of the drills."""
    file = repository / "tests" / "drills" / "whole_way.py"
    spec = importlib.util.spec_from_file_location("drill_flows", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def drill(tmp_path: Path, repository: Path) -> Callable[..., Drill]:
    """Give a function that runs a flow on an engine, killing jobs as planned."""

    def run(
        engine: str,
        flow: Flow,
        plan: Sequence[tuple[str, str]] = (),
        port: int = 0,
        runners: int = 1,
    ) -> Drill:
        (tmp_path / "flow.json").write_text(json.dumps(flow, cls=MontyEncoder))
        (tmp_path / "plan.json").write_text(json.dumps(list(plan)))
        script = repository / "tests" / "drills" / "engines.py"
        paths = os.pathsep.join([str(repository), str(repository / "models")])
        command = [sys.executable, str(script), engine, str(tmp_path)]
        command += ["--port", str(port), "--runners", str(runners)]
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        found: Drill = json.loads(done.stdout.splitlines()[-1])
        finished = tmp_path / "finished.txt"
        found["finished"] = finished.read_text().splitlines() if finished.is_file() else []
        return found

    return run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a disk of 2 MiB, and skip where none can be made."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607
