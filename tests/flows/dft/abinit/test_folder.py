"""Folders are left alone where a seed does not fit; seeded ones are run in test_maker.py."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.dft.abinit.folder import AtomateRun, read_record, seed_folder
from scdp_flows.predictors.atomic import AtomicPredictor

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymatgen.core import Structure

    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_models.density.atomic import AtomicReference

OTHER_KIND = {
    "electrons": "valence",
    "pseudopotential": "gth-blyp",
    "functional": "BLYP",
    "basis": "any",
    "spin": "restricted",
    "code": "pyscf",
}


class Inputs(dict[str, Any]):
    """What is read of abipy's inputs."""

    def __init__(self, structure: Structure, file: Path, variables: dict[str, Any]) -> None:
        super().__init__({"ecut": 5.0, "occopt": 1} | variables)
        self.structure = structure
        self.pseudos = [SimpleNamespace(symbol="Si", filepath=str(file))]


@pytest.fixture
def made_for(silicon: Structure, cheap: AbinitSettings) -> Callable[[dict[str, Any]], Inputs]:
    """Give a function that makes inputs of silicon."""
    file = Path(cheap.pseudo_dir) / cheap.pseudopotentials["Si"]
    return lambda variables: Inputs(silicon, file, variables)


@pytest.mark.parametrize(
    ("variables", "kind", "words"),
    [
        ({"iscf": -2}, None, "keeps the density fixed"),
        ({}, OTHER_KIND, "gth-blyp"),
        ({"nsppol": 2, "occopt": 3, "spinat": [[0, 0, 3.0], [0, 0, 3.0]]}, None, "3 µB"),
    ],
    ids=["no self-consistency", "another kind", "large moments"],
)
def test_what_does_not_fit_is_left_alone_and_the_record_says_why(
    made_for: Callable[[dict[str, Any]], Inputs],
    gaussian_atom: AtomicReference,
    tmp_path: Path,
    variables: dict[str, Any],
    kind: dict[str, Any] | None,
    words: str,
) -> None:
    predictor = AtomicPredictor(reference=gaussian_atom.to_dict(), density_kind=kind)
    job = {"job_uuid": "u", "job_index": 1, "job_name": "static"}
    doc = seed_folder(tmp_path, AtomateRun(made_for(variables), job=job), predictor)
    assert doc.status == "left"
    assert words in str(doc.reason)
    assert read_record(tmp_path) == doc
    assert doc.run_id == "u-1"
    assert not (tmp_path / "indata" / "in_DEN").exists()


def test_a_folder_that_was_never_seeded_has_no_record(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
