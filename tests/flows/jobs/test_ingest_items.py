"""Offers are read, named and judged in any process."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import DensityError, DensityFormatError
from scdp_flows.io.base import read_density, write_density
from scdp_flows.jobs.ingest_items import IngestRules, Offer, Prepared, prepare

if TYPE_CHECKING:
    from pathlib import Path

_KIND = {"pseudopotential": "paw-pbe", "functional": "PBE", "basis": "268eV"}


@pytest.fixture
def run(repository: Path, tmp_path: Path) -> Path:
    """Give the density of a folder in which the log of a run stands."""
    data = repository / "tests" / "data" / "vasp"
    shutil.copy(data / "Fe2_cubic_CHGCAR.gz", tmp_path / "CHGCAR.gz")
    shutil.copy(data / "Si_static_OUTCAR.gz", tmp_path / "OUTCAR.gz")
    return tmp_path / "CHGCAR.gz"


def _offer(path: Path) -> Offer:
    return Offer(path.name, "x", path)


def test_the_log_tells_kind_and_number_of_electrons(run: Path) -> None:
    found = prepare(_offer(run), IngestRules())
    assert isinstance(found, Prepared)
    assert found.density.kind is not None
    assert (found.density.kind.functional, found.density.kind.basis) == ("PBE", "520eV")
    assert found.labels == ["potcar:PAW_PBE Si 05Jan2001"]
    # The log is of silicon with 8 electrons, the density of two iron atoms: that is noticed.
    assert found.n_electrons == 8
    assert "16.0000" in found.doubts[0]


def test_what_is_given_wins(run: Path) -> None:
    found = prepare(_offer(run), IngestRules(_KIND, electrons={"Fe": 8.0}))
    assert isinstance(found, Prepared)
    assert found.density.kind is not None
    assert (found.density.kind.basis, found.density.kind.code) == ("268eV", "vasp")
    assert (found.n_electrons, found.doubts) == (16.0, [])
    assert found.density.values.dtype.name == "float32"


def test_an_unknown_kind_is_asked_for(run: Path) -> None:
    run.with_name("OUTCAR.gz").write_bytes(b"damaged")
    error = prepare(_offer(run), IngestRules({"functional": "PBE"}))
    assert isinstance(error, DensityError)
    assert "pseudopotential, basis missing" in str(error)


def test_errors_are_returned(run: Path) -> None:
    run.write_bytes(b"damaged")
    assert isinstance(prepare(_offer(run), IngestRules(_KIND)), DensityFormatError)
    given = DensityError("a link")
    assert prepare(Offer("x", "x", error=given), IngestRules(_KIND)) is given
    assert isinstance(prepare(Offer("x", "x"), IngestRules(_KIND)), DensityError)


def test_rules_have_a_key() -> None:
    rules = [IngestRules(), IngestRules(_KIND), IngestRules(format="x")]
    assert len({each.key() for each in rules}) == 3
    assert IngestRules(doubtful=True).key() == IngestRules().key()  # the same density is meant
    assert IngestRules(_KIND).key() == IngestRules(dict(_KIND)).key()


def test_the_log_of_the_same_relaxation_is_read(run: Path) -> None:
    first = run.rename(run.with_name("CHGCAR.relax1.gz"))
    text = gzip.decompress(run.with_name("OUTCAR.gz").read_bytes()).decode()
    run.with_name("OUTCAR.relax1").write_text(text.replace("ENCUT  =  520.0", "ENCUT  =  300.0"))
    found = prepare(_offer(first), IngestRules())
    assert isinstance(found, Prepared)
    assert found.density.kind is not None
    assert found.density.kind.basis == "300eV"


def test_both_orders_of_an_antiferromagnet_are_densities_of_their_own(
    repository: Path, tmp_path: Path
) -> None:
    source = repository / "tests" / "data" / "vasp" / "Fe_bcc_CHGCAR_spin.gz"
    up = read_density(source)
    assert up.magnetization is not None
    write_density(replace(up, magnetization=-up.magnetization), tmp_path / "CHGCAR")
    both = [prepare(_offer(path), IngestRules(_KIND)) for path in (source, tmp_path / "CHGCAR")]
    hashes = {found.settings_hash for found in both if isinstance(found, Prepared)}
    assert len(hashes) == 2
