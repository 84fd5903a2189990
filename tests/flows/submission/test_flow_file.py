"""Flows are read from plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jobflow import Flow, Job

from scdp_flows.dft.pyscf import PyscfCode
from scdp_flows.errors import SettingsError
from scdp_flows.submission.flow_file import read_flow

if TYPE_CHECKING:
    from pathlib import Path

_CODE = "{class: 'scdp_flows.dft.pyscf:PyscfCode'}"
_LABEL = "scdp_flows.jobs.label:LabelMaker"
WATER = "3\n\nO 0.0 0.0 0.119\nH 0.0 0.763 -0.477\nH 0.0 -0.763 -0.477\n"
LABEL = """
maker: scdp_flows.jobs.label:LabelMaker
fields:
  store_path: store
  code: {class: "scdp_flows.dft.pyscf:PyscfCode"}
structures:
  structures: water.xyz
"""


def test_a_job_is_made_of_fields_and_files(tmp_path: Path) -> None:
    (tmp_path / "water.xyz").write_text(WATER)
    (tmp_path / "flow.yaml").write_text(LABEL)
    made = read_flow(tmp_path / "flow.yaml")
    assert isinstance(made, Job)
    maker: Any = made.maker
    assert maker.code == PyscfCode()
    assert [len(given) for given in made.function_kwargs.values()] == [1]


def test_a_pipeline_has_a_short_name(tmp_path: Path) -> None:
    (tmp_path / "water.xyz").write_text(WATER)
    text = "maker: pipeline\nfields: {train_maker: {name: mine}}\nstructures:\n"
    text += "  structures: [water.xyz, water.xyz]\n"
    (tmp_path / "flow.yaml").write_text(text)
    made = read_flow(tmp_path / "flow.yaml")
    assert isinstance(made, Flow)
    assert "mine" in [one.name for one in made.jobs]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("maker: [", "is no YAML"),
        ("fields: {}", "maker: Field required"),
        ("maker: nothing", "'nothing' is not found"),
        ("maker: pathlib:Path", "is no jobflow Maker"),
        ("maker: doctor\nfields: {gpu: 1}", "field of DoctorMaker 'gpu'"),
        ("maker: scdp_flows.jobs.label:LabelMaker", "LabelMaker needs code"),
        ("maker: doctor\narguments: {odd: 1}", "doctor: .*unexpected keyword"),
    ],
    ids=["no-yaml", "no-maker", "unknown", "no-job", "field", "needed", "argument"],
)
def test_mistakes_are_named(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(text)
    with pytest.raises(SettingsError, match=told):
        read_flow(tmp_path / "flow.yaml")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("{later_maker: {training: {n_steps: 5}}}", r"later_maker of ActiveLearningMaker is None"),
        ("{later_maker: {class: 'pathlib:Path'}}", "later_maker .*: pathlib:Path has no fields"),
        (f"{{later_maker: {{class: '{_LABEL}', code: {_CODE}}}}}", "takes TrainMaker .*LabelMaker"),
        ("{later_maker: fast}", r"takes TrainMaker \| None, not str"),
        ("{select_maker: null}", "select_maker .* takes SelectMaker, not NoneType"),
        ("{label_maker: {label_maker: {code: {class: 'pathlib:Path'}}}}", "code of LabelMaker"),
        ("{select_maker: {n_structures: {a: 1}}}", "n_structures of SelectMaker is 8"),
        ("{select_maker: {n_structures: many}}", "SelectMaker: '<' .*values of n_structures"),
    ],
    ids=["none", "no-maker", "other", "text", "null", "no-code", "number", "type"],
)
def test_what_no_field_takes_is_refused(fields: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(f"maker: active_learning\nfields: {fields}\n")
    with pytest.raises(SettingsError, match=told):
        read_flow(tmp_path / "flow.yaml")


def test_the_second_maker_needs_its_class(tmp_path: Path) -> None:
    text = "maker: train\narguments: {density_ids: [a]}\n"
    text += "fields: {second_maker: {%straining: {n_steps: 5}}}"
    (tmp_path / "flow.yaml").write_text(text % "")
    with pytest.raises(SettingsError, match=r"it takes TrainMaker \| None: .*class: module:Class"):
        read_flow(tmp_path / "flow.yaml")
    (tmp_path / "flow.yaml").write_text(text % "class: 'scdp_flows.jobs.train:TrainMaker', ")
    made = read_flow(tmp_path / "flow.yaml")
    assert isinstance(made, Flow)
    assert made.jobs[2].maker.training == {"n_steps": 5}  # type: ignore[union-attr]


def test_another_class_is_named_in_the_fields(tmp_path: Path) -> None:
    text = "maker: predict\nfields: {predict_maker: {class: odd:Class}}\n"
    (tmp_path / "flow.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"'odd:Class' is not found|unknown field"):
        read_flow(tmp_path / "flow.yaml")
