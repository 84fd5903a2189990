"""Know what helps when ``pw.x`` fails."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.espresso.scf import PwRun

__all__ = ["correction"]

# What the iterative diagonalisation says when its basis becomes singular or it does not get on.
_DIAGONALISATION = (
    "cholesky",
    "not positive definite",
    "too many bands are not converged",
    "eigenvectors failed to converge",
    "diagonalization",
)
_GENTLE_MIXING = 0.3


def correction(settings: EspressoSettings, run: PwRun) -> tuple[EspressoSettings, str] | None:
    """Return settings for another try, and what was changed; None if nothing is known to help.

    Parameters
    ----------
    settings
        Of the failed run.
    run
        How it failed.
    """
    if run.message is None:
        if settings.mixing_beta <= _GENTLE_MIXING:
            return None
        words = f"not converged in {run.iterations} cycles, mixing_beta is now {_GENTLE_MIXING}"
        return replace(settings, mixing_beta=_GENTLE_MIXING), words
    known = any(words in run.message.lower() for words in _DIAGONALISATION)
    if known and settings.diagonalization == "david":
        words = f"{run.message}: conjugate gradients are now used"
        return replace(settings, diagonalization="cg"), words
    return None
