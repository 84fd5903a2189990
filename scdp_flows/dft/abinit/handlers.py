"""Know what helps when ABINIT fails."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.dft.abinit.scf import AbinitRun

__all__ = ["correction"]


def correction(settings: AbinitSettings, run: AbinitRun) -> tuple[AbinitSettings, str] | None:
    """Return settings for another try, and what was changed; None if nothing is known to help.

    Parameters
    ----------
    settings
        Of the failed run.
    run
        How it failed.
    """
    if run.message is None and settings.mixing == "density":
        words = f"not converged in {run.iterations} cycles, the potential is now mixed"
        return replace(settings, mixing="potential"), words
    return None
