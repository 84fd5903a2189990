from __future__ import annotations

import json
from typing import Any

import pytest
from monty.json import MontyDecoder, MontyEncoder

from scdp_flows.errors import SettingsError
from scdp_flows.resources import Resources


def test_resources_survive_json() -> None:
    resources = Resources(cores=8, gpus=1, memory_gb=32.0, wall_time_s=3600)
    text = json.dumps(resources, cls=MontyEncoder)
    assert json.loads(text, cls=MontyDecoder) == resources


@pytest.mark.parametrize(
    "wrong", [{"cores": 0}, {"gpus": -1}, {"memory_gb": -1.0}, {"wall_time_s": 0}]
)
def test_impossible_numbers_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"{next(iter(wrong))}="):
        Resources(**wrong)
