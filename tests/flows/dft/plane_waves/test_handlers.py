"""Second tries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.dft.plane_waves.handlers import run_corrected

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.inputs import EspressoSettings


@dataclass
class Run:
    """As much of a run as matters here."""

    converged: bool


@pytest.mark.parametrize(
    ("good_beta", "helps", "tried"),
    [
        (0.7, True, [0.7]),
        (0.5, True, [0.7, 0.5]),
        (0.1, False, [0.7]),
        (0.1, True, [0.7, *[0.5] * 3]),
    ],
    ids=["at once", "second", "nothing helps", "never"],
)
def test_tries_end(
    toy: EspressoSettings, good_beta: float, helps: bool, tried: list[float]
) -> None:
    seen: list[float] = []

    def run(settings: EspressoSettings) -> Any:
        seen.append(settings.mixing_beta)
        return Run(settings.mixing_beta == good_beta)

    def correction(settings: EspressoSettings, run: Run) -> tuple[EspressoSettings, str] | None:
        assert not run.converged
        return (replace(settings, mixing_beta=0.5), "mixed less") if helps else None

    found = run_corrected(run, toy, correction)
    assert seen == tried
    assert found.settings.mixing_beta == tried[-1]
    assert found.result.converged == (good_beta == tried[-1])
    assert len(found.failed) == len(tried) - 1
    assert (found.words is None) == (len(tried) == 1)
    known = run_corrected(run, toy, correction, first=Run(converged=True))
    assert (known.failed, len(seen)) == ((), len(tried))
