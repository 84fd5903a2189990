from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from monty.json import MontyDecoder, MontyEncoder

from scdp_flows.jobs.harvest import RECORD
from scdp_flows.jobs.harvester import LOG, RunHarvester
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.schemas.vasp_harvest import VaspHarvestDoc

if TYPE_CHECKING:
    from pathlib import Path

    from custodian.custodian import Validator


def _record(folder: Path) -> VaspHarvestDoc:
    return VaspHarvestDoc.model_validate_json((folder / RECORD).read_bytes())


def test_a_run_is_never_declared_bad(tmp_path: Path) -> None:
    validator: Validator = RunHarvester(store_path=str(tmp_path / "store"))
    assert validator.check(str(tmp_path)) is False
    assert "no OUTCAR" in str(_record(tmp_path).reason)


@pytest.mark.parametrize(
    ("program", "limit", "reason"),
    [
        ("import os; os.abort()", 60.0, "ended with status -6"),
        ("import time; time.sleep(60)", 0.2, "longer than 0.2 s"),
        ("pass", 60.0, "ended with status 0, see"),
    ],
    ids=["crash", "hang", "silence"],
)
def test_failures_of_the_process_are_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, limit: float, reason: str
) -> None:
    real = subprocess.run

    def other(command: list[str], **options: Any) -> Any:
        assert command[1:3] == ["-m", "scdp_flows.jobs.harvest"]
        return real([sys.executable, "-c", program], **options)

    monkeypatch.setattr(subprocess, "run", other)
    assert RunHarvester(time_limit_s=limit).check(str(tmp_path)) is False
    assert reason in str(_record(tmp_path).reason)
    assert (tmp_path / LOG).exists()


def test_it_survives_json() -> None:
    validator = RunHarvester([AtomicPredictor(model="some")], "store", ["mine"], 30.0)
    again = MontyDecoder().process_decoded(json.loads(json.dumps(validator, cls=MontyEncoder)))
    assert vars(again) == vars(validator)
