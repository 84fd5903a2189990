from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scdp_flows.jobs.ingest_records import list_offers
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    Command = Callable[..., Result]


def test_a_dataset_from_labels_to_another_store(scdp: Command, store: Path, tmp_path: Path) -> None:
    at, kept = ("--store", store), ("--exclude", "tags=duplicate")
    assert scdp("dataset", "dedupe", *at, "--tolerance", 0.2).exit_code == 0
    split = scdp("dataset", "split", "fair", *at, *kept, "--set", "test=0.3")
    assert split.exit_code == 0, split.stderr
    made = scdp("dataset", "create", "mine", *at, *kept, "--split", "fair")
    assert made.exit_code == 0, made.stderr
    shown = scdp("dataset", "show", "mine", *at)
    assert "{'tags': 'duplicate'}" in shown.stdout
    assert "it may still change" in shown.stdout
    listed = scdp("dataset", "list", *at).stdout
    assert "mine" in listed
    assert "fair" in listed
    picture = tmp_path / "mine.png"
    stats = scdp("dataset", "stats", "mine", *at, "--plot", picture)
    assert stats.exit_code == 0, stats.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert scdp("dataset", "export", "mine", tmp_path / "mine.zip", *at).exit_code == 0
    there = ("--store", tmp_path / "there")
    moved = scdp("dataset", "import", tmp_path / "mine.zip", *there)
    assert moved.exit_code == 0, moved.stderr
    with open_stores(store) as here, open_stores(tmp_path / "there") as other:
        assert other.datasets.get("mine").same_content(here.datasets.get("mine"))


def test_files_are_fitted(scdp: Command, tmp_path: Path, repository: Path) -> None:
    at, kind = ("--store", tmp_path / "data"), ("pseudopotential=paw", "functional=PBE", "basis=20")
    file = repository / "tests" / "data" / "vasp" / "Si2_24_CHGCAR.gz"
    told = [word for field in kind for word in ("--kind", field)]
    assert scdp("ingest", file, *at, *told).exit_code == 0
    refused = scdp("dataset", "create", "mine", *at)
    assert "fit it by 'scdp dataset fit'" in refused.stderr
    fitted = scdp("dataset", "fit", *at, "--set", "basis=crystal")
    assert fitted.exit_code == 0, fitted.stderr
    made = scdp("dataset", "create", "mine", *at, "--set", "basis=crystal", "--set", "test=0")
    assert made.exit_code == 0, made.stderr


def test_tags(scdp: Command, store: Path) -> None:
    done = scdp("dataset", "tag", "--store", store, "--select", "elements=O", "--add", "oxide")
    assert done.exit_code == 0
    with open_stores(store) as stores:
        assert stores.densities.count({"tags": "oxide"}) == 3
    assert scdp("dataset", "tag", "--store", store).exit_code == 2


def test_statistics_of_a_query(scdp: Command, store: Path) -> None:
    done = scdp("dataset", "stats", "--store", store, "--select", "tags=few")
    assert "tag few" in done.stdout
    assert "gth-tzvp" in done.stdout


def test_a_published_split(scdp: Command, store: Path, tmp_path: Path) -> None:
    with open_stores(store) as stores:
        for number, doc in enumerate(stores.densities.query(), start=1):
            stores.densities.put(doc.updated(source=f"{number:06d}.CHGCAR"))
    file = tmp_path / "split.json"
    file.write_text(json.dumps({"train": [0, 1, 2], "validation": [3], "test": [4, 5]}))
    done = scdp(
        "dataset", "split", "official", "--store", store, "--file", file, "--set", "offset=1"
    )
    assert done.exit_code == 0, done.stderr
    assert "official" in done.stdout


def test_what_is_quarantined_is_listed_and_released(
    scdp: Command, repository: Path, tmp_path: Path
) -> None:
    toy = repository / "tests" / "data" / "malformed" / "CHGCAR_water_3x3x2"
    kind = ("--kind", "pseudopotential=paw", "--kind", "functional=PBE", "--kind", "basis=9eV")
    ingest = ("ingest", toy, "--store", tmp_path / "s", *kind)
    refused = scdp(*ingest)
    assert refused.exit_code == 2
    assert "is too coarse" in refused.stderr
    with open_stores(tmp_path / "s") as stores:
        (identifier,) = (doc.ingest_id for doc in list_offers(stores))
    listed = scdp("dataset", "offers", "--status", "quarantined", "--store", tmp_path / "s")
    assert identifier in listed.stdout
    freed = scdp("dataset", "release", identifier, "--because", "a test", "--store", tmp_path / "s")
    assert freed.exit_code == 0, freed.stderr
    assert scdp(*ingest).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("create", "x", "--set", "colour=red"), "no such setting"),
        (("split", "x", "--set", "by=colour"), "unknown grouping 'colour'"),
        (("show", "nothing"), "unknown dataset 'nothing'"),
        (("import", "missing.zip"), "cannot be read"),
        (("stats", "--select", "elements=Fe", "--plot", "a.png"), "no density to draw"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_mistakes_are_told_in_one_line(
    scdp: Command, store: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    done = scdp("dataset", *arguments, "--store", store)
    assert done.exit_code == 2
    assert complaint in done.stderr
