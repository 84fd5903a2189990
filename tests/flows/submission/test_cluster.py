"""Descriptions of clusters are checked before anything is submitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import SettingsError
from scdp_flows.submission.cluster import TEMPLATE, Cluster
from scdp_flows.submission.work import WORKS

if TYPE_CHECKING:
    from pathlib import Path


def test_the_template_is_complete() -> None:
    cluster = Cluster.parse(TEMPLATE)
    assert set(cluster.work) == set(WORKS)
    assert cluster.work["training"].gpus == 1
    assert cluster.work["light"].gpus == 0


def test_nothing_need_be_said_of_this_machine() -> None:
    assert Cluster.parse("").engine == "local"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("engine: [", "is no YAML"),
        ("engine: slurm", "engine: Input should be"),
        ("engine: remote\nwork: {light: {}}", "work lacks dft, training, prediction"),
        ("engine: remote\nwork: {light: {}, dft: {}, training: {}, prediction: {}}", "no worker"),
        ("work: {light: {gpu: 1}}", r"work\.light\.gpu: Extra inputs"),
        ("work: {light: {cores: 0}}", r"work\.light\.cores: .*greater than 0"),
    ],
    ids=["no-yaml", "engine", "incomplete", "no-worker", "unknown", "impossible"],
)
def test_mistakes_are_named(text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        Cluster.parse(text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml: cannot be read.*cluster-template"):
        Cluster.read(tmp_path / "none.yaml")
    (tmp_path / "here.yaml").write_text(TEMPLATE)
    assert Cluster.read(tmp_path / "here.yaml").project == "scdp"
