"""Fixtures of all tests: scratch settings, seeds, one thread, no network, optional codes."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pymatgen.core import Molecule

# Before anything is imported that reads them: pools and pytest-xdist bring the parallelism.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# What a developer sets for the test run itself, not for the program under test.
_KEPT_VARIABLES = {"SCDP_REQUIRE", "SCDP_TUTORIAL_SMALL"}

# Daemons, such as those of Slurm, may be off the path of a user.
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"

# Names of codes whose program is called otherwise.
_PROGRAMS = {"espresso": "pw.x", "slurm": "slurmd"}


def _is_present(name: str) -> bool:
    """Tell whether a Python package or a program of this name can be used here."""
    if name in _PROGRAMS:
        return shutil.which(_PROGRAMS[name], path=_PATH) is not None
    return importlib.util.find_spec(name) is not None or shutil.which(name) is not None


def _required_here() -> set[str]:
    return set(os.environ.get("SCDP_REQUIRE", "").replace(",", " ").split())


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose code is missing, or fail it where that code must be there."""
    for marker in item.iter_markers("requires"):
        for name in marker.args:
            if _is_present(name):
                continue
            if name in _required_here():
                pytest.fail(f"{name} is missing, and SCDP_REQUIRE names it", pytrace=False)
            pytest.skip(f"{name} is not installed")


@pytest.fixture(autouse=True)
def scratch_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Point every setting at the test's own folder and give that folder."""
    for variable in [v for v in os.environ if v.startswith("SCDP_")]:
        if variable not in _KEPT_VARIABLES:
            monkeypatch.delenv(variable)
    settings_file = tmp_path / "scdp.yaml"
    settings_file.write_text("{}\n", encoding="utf-8")
    monkeypatch.setenv("SCDP_CONFIG_FILE", str(settings_file))
    monkeypatch.setenv("SCDP_STORE_PATH", str(tmp_path / "scdp_data"))
    monkeypatch.setenv("SCDP_CACHE_PATH", str(tmp_path / "scdp_cache"))
    _forget_settings()
    yield tmp_path
    _forget_settings()


def _forget_settings() -> None:
    module = sys.modules.get("scdp_flows.settings")
    clear = getattr(getattr(module, "get_settings", None), "cache_clear", None)
    if clear is not None:
        clear()


@pytest.fixture(autouse=True)
def _reproducible_torch() -> None:
    """Seed torch and keep it to one thread, where a test has already paid for its import."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "manual_seed"):
        torch.set_num_threads(1)
        torch.manual_seed(0)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Give a random generator that depends on nothing but the name of the test."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections to other machines: a test must not depend on them."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: tuple[str, int] | str | bytes) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            host = str(address[0])
            if host not in {"127.0.0.1", "::1", "localhost"}:
                message = f"a test tried to reach {host}; tests may not use the network"
                raise ConnectionRefusedError(message)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Give the root of the checkout that the tests stand in."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def mongo_port(repository: Path) -> Iterator[int]:
    """Give the port of a server on loopback that speaks MongoDB's protocol, empty at first."""
    yield from _served(repository / "tests" / "mongo_server.py")


@pytest.fixture(scope="session")
def s3_port(repository: Path) -> Iterator[int]:
    """Give the port of a server on loopback that speaks S3's protocol, with an empty bucket."""
    yield from _served(repository / "tests" / "s3_server.py")


def _served(script: Path) -> Iterator[int]:
    """Run a server that prints its port."""
    server = subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        # It ends with its standard input, which leaving the block closes.


@dataclass(frozen=True)
class Slurm:
    """A running cluster."""

    conf: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which the programs of Slurm speak to it."""
        return {"SLURM_CONF": str(self.conf)}

    def records(self) -> list[dict[str, str]]:
        """Return what Slurm itself has written down, one record for each job that is over."""
        file = self.conf.with_name("jobs.txt")
        lines = file.read_text().splitlines() if file.is_file() else []
        return [dict(word.partition("=")[::2] for word in line.split()) for line in lines]


@pytest.fixture(scope="session")
def slurm(repository: Path) -> Iterator[Slurm]:
    """Give a cluster with partitions ``cpu`` and ``gpu``."""
    script = repository / "tests" / "integration" / "slurm_cluster.py"
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as cluster:
        assert cluster.stdout is not None
        conf = cluster.stdout.readline().strip()
        assert conf, "the cluster does not start; its message stands above"
        yield Slurm(Path(conf))


@pytest.fixture
def water() -> Molecule:
    """Give a water molecule."""
    from pymatgen.core import Molecule

    return Molecule(["O", "H", "H"], [[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of a very small model of H, C and O whose weights are random."""
    import torch

    from scdp_models.basis.library import lean_basis
    from scdp_models.basis.shells import shell_charge
    from scdp_models.checkpoint import Checkpoint, save_checkpoint
    from scdp_models.density.atomic import AtomicDensity, AtomicReference
    from scdp_models.nn.config import NetworkConfig
    from scdp_models.nn.network import DensityNetwork

    basis = lean_basis([1, 6, 8], lmax=(1, 2))
    config = NetworkConfig(n_layers=1, n_channels=4, lmax=2, n_radial=4, radial_hidden=8)
    torch.manual_seed(0)
    charges = {z: float(shell_charge(0, a)) for z, a in ((1, 0.4), (6, 0.5), (8, 0.8))}
    electrons = {1: 1.0, 6: 4.0, 8: 6.0}
    atoms = {
        z: AtomicDensity(electrons[z], (a,), (electrons[z] / charges[z],))
        for z, a in ((1, 0.4), (6, 0.5), (8, 0.8))
    }
    kind = {
        "electrons": "valence",
        "pseudopotential": "gth-pbe",
        "functional": "PBE",
        "basis": "gth-tzvp",
        "spin": "restricted",
        "code": "pyscf",
    }
    checkpoint = Checkpoint(
        network=config,
        basis=basis,
        reference=AtomicReference("single Gaussians", atoms),
        kind=kind,
        state=DensityNetwork(config, basis).state_dict(),
    )
    return save_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors", checkpoint)


@pytest.fixture
def official_run(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Give a maker of run directories of the official layout, with weights of our test data.

    Hyper-parameters and averages hold instances of classes that are gone when the file is read, as
    if omegaconf and torch_ema were not installed. `extra` goes into the checkpoint as it is.
    """
    import json
    from types import ModuleType

    import torch
    import yaml

    def omegaconf_classes() -> dict[str, type]:
        """Make the classes anew, in modules that only the pickler sees."""
        made = {}
        monkeypatch.setitem(sys.modules, "omegaconf", ModuleType("omegaconf"))
        for path in ("base.ContainerMetadata", "dictconfig.DictConfig", "nodes.AnyNode"):
            package, name = f"omegaconf.{path}".rsplit(".", 1)
            module = sys.modules.get(package) or ModuleType(package)
            made[name] = type(name, (), {"__module__": package})
            setattr(module, name, made[name])
            monkeypatch.setitem(sys.modules, package, module)
        return made

    def make(configuration: str = "A", *, ema: bool = True, extra: object = None) -> Path:
        folder, data = tmp_path / f"run{configuration}", repository / "tests/data/scdp_reference"
        folder.mkdir()
        hparams = json.loads((data / f"cfg{configuration}_hparams.json").read_text())
        metadata = hparams.pop("metadata")
        (folder / "metadata.json").write_text(json.dumps(metadata))
        config = {"core": {"storage_dir": "${core.expname}"}, "model": hparams}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        state = torch.load(data / f"cfg{configuration}_state_dict.pt", weights_only=True)
        classes = omegaconf_classes()
        section = classes["DictConfig"]()
        section.__dict__.update(_metadata=classes["ContainerMetadata"](), _content={"a": int})
        content = {
            "epoch": 3,
            "global_step": 40,
            "state_dict": state,
            "hyper_parameters": {"model": section, "beta": classes["AnyNode"]()},
            "extra": extra,
        }
        if ema:
            no_parameter = ("offset", "output_mask")
            shadow = [
                2 * tensor
                for name, tensor in state.items()
                if name.startswith("model.") and "_w3j_" not in name
                and not name.endswith(no_parameter)
            ]  # fmt: skip
            content["ema_state_dict"] = {"decay": 0.995, "shadow_params": shadow}
        torch.save(content, folder / "epoch=3-step=40.ckpt")
        for package in [name for name in sys.modules if name.startswith("omegaconf")]:
            monkeypatch.delitem(sys.modules, package)
        return folder

    return make
