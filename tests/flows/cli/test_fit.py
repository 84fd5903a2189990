from __future__ import annotations

from typing import TYPE_CHECKING

from typer.testing import CliRunner

from scdp_flows.cli import app

if TYPE_CHECKING:
    from pathlib import Path


def test_densities_of_vasp_are_fitted(repository: Path, tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "store")]
    kind = ["pseudopotential=paw-pbe", "functional=PBE", "basis=245eV", "code=vasp"]
    file = str(repository / "tests/data/vasp/Si2_24_CHGCAR.gz")
    options = [word for pair in kind for word in ("--kind", pair)]
    taken = CliRunner().invoke(app, ["ingest", file, *options, *store])
    assert taken.exit_code == 0, taken.output
    fitted = CliRunner().invoke(
        app, ["fit", "--basis", "crystal+small", "--electrons", "Si=4", *store]
    )
    assert fitted.exit_code == 0, fitted.output
    assert "1 fitted" in fitted.output
    nothing = CliRunner().invoke(app, ["fit", "--select", "formula=NaCl", *store])
    assert nothing.exit_code != 0
