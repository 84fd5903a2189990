from __future__ import annotations

import pickle
from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
from atomate2.vasp.sets.core import StaticSetGenerator
from monty.json import MontyDecoder, jsanitize

from scdp_flows.dft.vasp.earlier_run import EarlierRunSource
from scdp_flows.dft.vasp.folder import RECORD, read_record
from scdp_flows.dft.vasp.generator import SeededInputGenerator
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Structure

SOURCE = EarlierRunSource(("finished",), largest_strain=0.05)


@pytest.fixture
def generator() -> SeededInputGenerator:
    return SeededInputGenerator(StaticSetGenerator(user_incar_settings={"ENCUT": 300}), SOURCE)


def test_attributes_are_those_of_the_inner_generator(generator: SeededInputGenerator) -> None:
    assert generator.user_incar_settings == {"ENCUT": 300}
    generator.mode = "line"
    generator.user_incar_settings["EDIFF"] = 1e-7
    assert generator.inner.mode == "line"
    assert generator.inner.user_incar_settings["EDIFF"] == 1e-7
    with pytest.raises(AttributeError, match="no_such_setting"):
        _ = generator.no_such_setting


@pytest.mark.parametrize(
    "copied",
    [
        deepcopy,
        lambda g: pickle.loads(pickle.dumps(g)),  # noqa: S301 - our own bytes
        lambda g: MontyDecoder().process_decoded(jsanitize(g.as_dict())),
    ],
    ids=["deepcopy", "pickle", "json"],
)
def test_copies_are_equal_and_independent(generator: SeededInputGenerator, copied: object) -> None:
    assert callable(copied)
    again = copied(generator)
    assert isinstance(again, SeededInputGenerator)
    assert isinstance(again.inner, StaticSetGenerator)
    assert again.user_incar_settings == {"ENCUT": 300}
    assert again.source.largest_strain == 0.05  # type: ignore[attr-defined]
    again.user_incar_settings["ENCUT"] = 400
    assert generator.user_incar_settings == {"ENCUT": 300}


def test_seeding_twice_wraps_once(generator: SeededInputGenerator) -> None:
    again = SeededInputGenerator(generator, EarlierRunSource(), strategy="every")
    assert isinstance(again.inner, StaticSetGenerator)
    assert again.strategy == "every"


def test_written_inputs_are_seeded(
    generator: SeededInputGenerator, silicon: Structure, finished: Path, tmp_path: Path
) -> None:
    tags = {"ENCUT": 245, "NGXF": 24, "NGYF": 24, "NGZF": 24, "ISPIN": 1, "GGA": None}
    inner = StaticSetGenerator(user_incar_settings=tags)
    seeded = SeededInputGenerator(inner, EarlierRunSource((str(finished),)))
    made = seeded.get_input_set(silicon, potcar_spec=True)
    made.incar.update({"EDIFF": 1e-6})
    made.write_input(tmp_path / "run")
    doc = read_record(tmp_path / "run")
    assert doc is not None
    assert (doc.status, doc.reason) == ("seeded", None)
    assert "EDIFF = 1e-06" in (tmp_path / "run" / "INCAR").read_text()


def test_a_folder_that_cannot_be_seeded_is_written_all_the_same(
    generator: SeededInputGenerator,
    silicon: Structure,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = generator.get_input_set(silicon, potcar_spec=True)
    del made["POSCAR"]
    made.write_input(tmp_path)
    assert "POSCAR is missing" in caplog.text
    assert (tmp_path / "INCAR").exists()
    assert not (tmp_path / RECORD).exists()


def test_unknown_strategies_are_refused() -> None:
    with pytest.raises(SettingsError, match="cold, every"):
        SeededInputGenerator(StaticSetGenerator(), SOURCE, strategy="always")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="share from 0 to 1"):
        SeededInputGenerator(StaticSetGenerator(), SOURCE, unseeded_sample=2.0)
