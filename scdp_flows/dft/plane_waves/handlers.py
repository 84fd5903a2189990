"""Try a failed calculation again with settings that avoid the failure."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from scdp_flows.dft.plane_waves.program import ScfRun
from scdp_flows.dft.plane_waves.settings import PlaneWaveSettings

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Corrected", "run_corrected"]

R = TypeVar("R", bound=ScfRun)
T = TypeVar("T", bound=PlaneWaveSettings)
U = TypeVar("U")

_MOST = 3
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Corrected(Generic[R, U]):
    """A calculation, and what it took to get it."""

    result: R
    """The last one, converged or not."""
    settings: U
    """With which it was computed: those of comparable runs."""
    failed: tuple[R, ...] = ()
    """Those before it."""
    words: str | None = None
    """What was changed and why; None if nothing was."""


def run_corrected(
    run: Callable[[T], R],
    settings: T,
    correction: Callable[[T, R], tuple[T, str] | None],
    *,
    first: R | None = None,
) -> Corrected[R, T]:
    """Run, and run again with corrected settings while a failure is a known one.

    Parameters
    ----------
    run
        Computes with given settings.
    settings
        The first to try.
    correction
        Gives other settings for a failed run, and in words what was changed; None if nothing helps.
    first
        The run with `settings`, if it is known.
    """
    result = run(settings) if first is None else first
    failed: list[R] = []
    changes: list[str] = []
    for _ in range(_MOST):
        changed = None if result.converged else correction(settings, result)
        if changed is None:
            break
        settings, words = changed
        _logger.warning("%s: %s; trying again", settings.program, words)
        failed.append(result)
        changes.append(words)
        result = run(settings)
    return Corrected(result, settings, tuple(failed), "; ".join(changes) or None)
