"""Bad input ends in one line that names the thing and the fix, and leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from scdp_flows.cli import app
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path


def _scdp(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _one_line(result: Result) -> str:
    """Return the error, which must be the last line and the only one of its kind."""
    assert result.exit_code == 2, result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "Traceback" not in result.output
    return errors[0]


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCDP_N_PROCESSES", "1")


@pytest.mark.requires("pyscf")
@pytest.mark.parametrize(
    ("atoms", "named", "fix"),
    [
        ("Xx 0 0 0\nH 0 0 0.9", "Xx", "element"),
        ("Fe 0 0 0\nO 0 0 1.6", "26", "even_tempered"),
        ("H 0 0 0\nH 0 0 0.1", "0.100", "check the coordinates"),
        ("O 0 0 0\nH 0 0 0.97", "odd|9 electrons", "set the charge"),
        ("H 0 0 nan\nH 0 0 0.74", "nan", "coordinate|finite|number"),
    ],
)
def test_structures_that_cannot_be_labelled(
    atoms: str, named: str, fix: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.xyz").write_text(f"2\n\n{atoms}\n")
    error = _one_line(_scdp("label", tmp_path / "bad.xyz", "--store", tmp_path / "store"))
    assert any(word in error for word in named.split("|")), error
    assert any(word in error for word in fix.split("|")), error
    if (tmp_path / "store").exists():
        with open_stores(tmp_path / "store") as stores:
            assert stores.densities.count() == 0
            assert list(stores.blobs.iterate()) == []


def test_an_empty_dataset(tmp_path: Path) -> None:
    error = _one_line(_scdp("train", "--store", tmp_path / "store"))
    assert "no labels" in error
    assert "label or ingest structures first" in error


def test_a_density_of_nan(tmp_path: Path, water_cube: Path) -> None:
    lines = water_cube.read_text().splitlines()
    lines[-1] = " ".join(["nan"] * len(lines[-1].split()))
    water_cube.write_text("\n".join(lines) + "\n")
    kind = ["pseudopotential=gth-pbe", "functional=PBE", "basis=gth-tzvp"]
    options = [part for pair in kind for part in ("--kind", pair)]
    error = _one_line(_scdp("ingest", water_cube, "--store", tmp_path / "store", *options))
    assert "water.cube" in error
    with open_stores(tmp_path / "store") as stores:
        assert stores.densities.count() == 0
        assert list(stores.blobs.iterate()) == []


def test_a_wrong_checkpoint(tmp_path: Path, water_cube: Path) -> None:
    (tmp_path / "wrong.safetensors").write_bytes(b"no tensors at all")
    (tmp_path / "h2.xyz").write_text("2\n\nH 0 0 0\nH 0 0 0.74\n")
    arguments = ["--model", tmp_path / "wrong.safetensors", "-o", tmp_path / "out"]
    error = _one_line(_scdp("predict", tmp_path / "h2.xyz", *arguments))
    assert "wrong.safetensors" in error
    assert "give another model or copy the file anew" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.requires("pyscf")
def test_an_incompatible_kind(tmp_path: Path, tiny_checkpoint: Path) -> None:
    (tmp_path / "h2.xyz").write_text("2\n\nH 0 0 0\nH 0 0 0.74\n")
    cheap = ["--dft", "basis=gth-szv", "--dft", "spacing=0.3", "--dft", "charge_tolerance=0.1"]
    store = tmp_path / "store"
    labelled = _scdp("label", tmp_path / "h2.xyz", "--store", store, *cheap)
    assert labelled.exit_code == 0, labelled.stderr
    other = _scdp(
        "label", tmp_path / "h2.xyz", "--store", store, *cheap, "--dft", "functional=BLYP"
    )
    assert other.exit_code == 0, other.stderr
    error = _one_line(_scdp("train", "--store", store))
    assert "functional ('PBE' against 'BLYP')" in error or "('BLYP' against 'PBE')" in error
    assert "build one dataset for each" in error


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "h2.xyz").write_text("2\n\nH 0 0 0\nH 0 0 0.74\n")
    error = _one_line(_scdp("label", tmp_path / "h2.xyz", "--store", tmp_path / "file" / "store"))
    assert "file/store" in error


@pytest.fixture
def water_cube(tmp_path: Path, tiny_checkpoint: Path, water_file: Path) -> Path:
    """Give a cube file of water."""
    arguments = ["-m", tiny_checkpoint, "-f", "cube", "-o", tmp_path, "--spacing", 0.4]
    assert _scdp("predict", water_file, *arguments).exit_code == 0
    return tmp_path / "water.cube"


@pytest.fixture
def water_file(tmp_path: Path) -> Path:
    """Give an xyz file of water."""
    (tmp_path / "water.xyz").write_text("3\n\nO 0 0 0.12\nH 0 0.76 -0.48\nH 0 -0.76 -0.48\n")
    return tmp_path / "water.xyz"
