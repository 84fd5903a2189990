"""Programs in folders of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.plane_waves.program import execute, require_program
from scdp_flows.errors import MissingDependencyError

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.dft.espresso.inputs import EspressoSettings


def test_a_missing_program_is_named(toy: EspressoSettings) -> None:
    with pytest.raises(MissingDependencyError, match="apt-get install some-package"):
        require_program(replace(toy, command="no-such-pw.x"), "some-package")
    assert require_program(replace(toy, command="sh -c x"), "") == ["sh", "-c", "x"]


def test_processor_time_is_that_of_the_program(tmp_path: Path) -> None:
    work = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done"
    busy = execute(["sh", "-c", work], tmp_path)
    idle = execute(["sleep", "0.2"], tmp_path)
    assert busy.text == "done\n"
    assert busy.cpu_s > 3 * idle.cpu_s
    assert idle.wall_s > 0.2 > idle.cpu_s
