"""Try a failed calculation again with settings that avoid the failure."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from scdp_flows.dft.plane_waves.program import ScfRun
from scdp_flows.dft.plane_waves.settings import PlaneWaveSettings

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run_corrected"]

R = TypeVar("R", bound=ScfRun)
T = TypeVar("T", bound=PlaneWaveSettings)

_MOST = 3
_logger = logging.getLogger(__name__)


def run_corrected(
    run: Callable[[T], R], settings: T, correction: Callable[[T, R], tuple[T, str] | None]
) -> tuple[R, T]:
    """Run, and run again with corrected settings while a failure is a known one.

    Parameters
    ----------
    run
        Computes with given settings.
    settings
        The first to try.
    correction
        Gives other settings for a failed run, and in words what was changed; None if nothing helps.

    Returns
    -------
    run
        The last one, converged or not.
    settings
        With which it was computed: those of comparable runs.
    """
    result = run(settings)
    for _ in range(_MOST):
        changed = None if result.converged else correction(settings, result)
        if changed is None:
            break
        settings, words = changed
        _logger.warning("%s: %s; trying again", settings.program, words)
        result = run(settings)
    return result, settings
