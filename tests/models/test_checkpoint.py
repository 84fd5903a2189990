"""Checkpoints come back as they were, and nothing else is taken for one."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from scdp_models.basis.shells import BasisSet, ElementBasis, shell_charge
from scdp_models.checkpoint import FORMAT_VERSION, Checkpoint, load_checkpoint, save_checkpoint
from scdp_models.density.atomic import AtomicDensity, AtomicReference
from scdp_models.errors import CheckpointError
from scdp_models.graph import build_graph
from scdp_models.nn.config import NetworkConfig
from scdp_models.nn.network import DensityNetwork
from scdp_models.predict import pretrained_path

if TYPE_CHECKING:
    from collections.abc import Callable

WATER = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.96], [0.93, 0.0, -0.24]]


@pytest.fixture
def checkpoint() -> Checkpoint:
    """Give a tiny untrained model."""
    shells = ElementBasis((0, 1), (0.4, 0.8))
    basis = BasisSet("tiny", {1: shells, 8: shells})
    charge = float(shell_charge(0, 0.9))
    atoms = {z: AtomicDensity(n, (0.9,), (n / charge,)) for z, n in ((1, 1.0), (8, 6.0))}
    config = NetworkConfig(n_layers=1, n_channels=3, lmax=1, n_radial=3, radial_hidden=4)
    torch.manual_seed(0)
    return Checkpoint(
        network=config,
        basis=basis,
        reference=AtomicReference("test", atoms),
        kind={"electrons": "valence"},
        state=DensityNetwork(config, basis).state_dict(),
        training={"seconds": 1.5},
    )


@pytest.fixture
def saved(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    return save_checkpoint(tmp_path / "model.safetensors", checkpoint)


def _edit_header(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the JSON of a checkpoint and leave its tensors alone."""
    with safe_open(path, framework="pt") as stream:
        header = json.loads(stream.metadata()["scdp"])
        state = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    change(header)
    save_file(state, path, metadata={"scdp": json.dumps(header)})


def _assert_refused(path: Path, *said: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    for text in (path.name, *said):
        assert text in str(caught.value)


def test_a_checkpoint_predicts_the_same_after_a_round_trip(
    checkpoint: Checkpoint, saved: Path
) -> None:
    graph = build_graph([8, 1, 1], WATER, 5.0).to(torch.float32)
    first, second = checkpoint.build()(graph), load_checkpoint(saved).build()(graph)
    assert torch.equal(first, second)


def test_everything_else_comes_back_too(checkpoint: Checkpoint, saved: Path) -> None:
    loaded = load_checkpoint(saved)
    for name in ("network", "basis", "reference", "kind", "training"):
        assert getattr(loaded, name) == getattr(checkpoint, name)
    assert {n: t.dtype for n, t in loaded.state.items()} == {
        n: t.dtype for n, t in checkpoint.state.items()
    }
    assert loaded.header() == checkpoint.header()


def test_a_total_density_model_holds_the_electrons_of_the_atoms(checkpoint: Checkpoint) -> None:
    total = replace(checkpoint, network=replace(checkpoint.network, target="total"))
    assert total.build().electrons.tolist() == [1.0, 6.0]
    assert checkpoint.build().electrons.tolist() == [0.0, 0.0]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    _assert_refused(tmp_path / "gone.safetensors", "no checkpoint at", "give a .safetensors file")
    _assert_refused(tmp_path, "no checkpoint at")


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_refused(saved: Path, kept: float) -> None:
    payload = saved.read_bytes()
    saved.write_bytes(payload[: int(kept * len(payload))])
    _assert_refused(saved, "not a readable safetensors file", "truncated")


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
            return Path.touch, (tmp_path / "touched",)

    path = tmp_path / "model.safetensors"
    torch.save({"state": Payload()}, path)
    _assert_refused(path, "not a readable safetensors file")
    path.write_bytes(pickle.dumps(Payload()))
    _assert_refused(path, "not a readable safetensors file")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_tensors_of_another_program_are_refused(
    tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(2)}, path, metadata=metadata)
    _assert_refused(path, "another program's file")


@pytest.mark.parametrize(
    "changes", [{"version": FORMAT_VERSION + 1}, {"format": "someone-elses-model"}]
)
def test_newer_and_foreign_formats_are_refused(saved: Path, changes: dict[str, Any]) -> None:
    _edit_header(saved, lambda header: header.update(changes))
    _assert_refused(saved, str(next(iter(changes.values()))), "Upgrade scdp-flows")


@pytest.mark.parametrize("field", ["format", "version", "network", "basis", "reference", "kind"])
def test_a_missing_field_is_named(saved: Path, field: str) -> None:
    _edit_header(saved, lambda header: header.pop(field))
    _assert_refused(saved, f"'{field}'", "export the model again")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("version", "one", "damaged header"),
        ("network", {"depth": 7}, "depth"),
        ("network", 3, "damaged header"),
        ("basis", {"name": "x", "species": {"1": {"ls": [0], "exponents": [-1]}}}, "positive"),
        ("basis", {"name": "x", "species": {"one": {}}}, "damaged header"),
        ("reference", {"name": "x", "atoms": []}, "damaged header"),
    ],
)
def test_impossible_fields_are_refused(saved: Path, field: str, value: Any, said: str) -> None:
    _edit_header(saved, lambda header: header.update({field: value}))
    _assert_refused(saved, said)


def test_version_one_is_upgraded(checkpoint: Checkpoint, saved: Path) -> None:
    old = ("trunk", "target", "n_layers", "n_channels", "lmax", "cutoff", "n_radial")

    def make_old(header: dict[str, Any]) -> None:
        header["version"] = 1
        header["network"] = {name: header["network"][name] for name in (*old, "radial_hidden")}

    _edit_header(saved, make_old)
    loaded = load_checkpoint(saved)
    assert loaded.network == checkpoint.network
    assert loaded.header()["version"] == FORMAT_VERSION == 2
    loaded.build()


def test_models_from_before_charge_and_spin_are_neutral(
    checkpoint: Checkpoint, saved: Path
) -> None:
    def make_old(header: dict[str, Any]) -> None:
        for name in ("charge_input", "spin_output"):
            header["network"].pop(name)

    _edit_header(saved, make_old)
    loaded = load_checkpoint(saved)
    assert loaded.network == checkpoint.network
    assert not loaded.network.charge_input
    loaded.build()


def test_the_stored_model_of_version_one_still_works() -> None:
    path = pretrained_path()
    with safe_open(path, framework="pt") as stream:
        assert json.loads(stream.metadata()["scdp"])["version"] == 1
    graph = build_graph([8, 1, 1], WATER, 5.0).to(torch.float32)
    assert bool(torch.isfinite(load_checkpoint(path).build()(graph)).all())


@pytest.mark.parametrize("version", [0, -3])
def test_versions_that_never_were_are_refused(saved: Path, version: int) -> None:
    _edit_header(saved, lambda header: header.update(version=version))
    _assert_refused(saved, f"version {version}")


def test_weights_of_another_shape_are_refused(saved: Path) -> None:
    _edit_header(saved, lambda header: header["network"].update(n_channels=5))
    with pytest.raises(CheckpointError, match=r"model\.safetensors do not fit.*size mismatch"):
        load_checkpoint(saved).build()


def test_saving_makes_the_folder_and_replaces_what_was_there(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "folder" / "model.safetensors"
    for seconds in (1, 2):
        save_checkpoint(path, replace(checkpoint, training={"seconds": seconds}))
    assert load_checkpoint(path).training == {"seconds": 2}
    assert [p.name for p in path.parent.iterdir()] == ["model.safetensors"]


def test_an_unwritable_folder_is_named(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match=r"cannot write.*m\.safetensors.*folder you can"):
        save_checkpoint(tmp_path / "file" / "m.safetensors", checkpoint)


def test_a_full_disk_leaves_the_old_file_and_no_other(
    checkpoint: Checkpoint, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        save_checkpoint(saved, replace(checkpoint, training={}))
    assert [p.name for p in saved.parent.glob("*model*")] == [saved.name]
    assert not list(saved.parent.glob("*.tmp"))
    assert saved.read_bytes() == before
