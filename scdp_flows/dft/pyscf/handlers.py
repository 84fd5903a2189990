"""Know what helps when a calculation of PySCF does not converge."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["converge"]

_RESULTS = ("mo_coeff", "mo_occ", "mo_energy", "e_tot", "converged")
_logger = logging.getLogger(__name__)


def converge(mf: Any, dm0: Any, on_response: Callable[[], None]) -> str | None:
    """Converge a PySCF object; take second-order steps if its own guess leads nowhere.

    Extrapolation (DIIS) can go round in circles where orbitals lie close; second-order steps
    (PySCF's ``newton``) then find a solution from the same guess. They keep the orbitals of the
    guess occupied: where others end up lower, the state is none to go by, and counts as not
    converged. A given density that leads nowhere is left alone, since its caller falls back to the
    guess; so are smeared occupations, which follow the orbital energies and know no such steps.

    Parameters
    ----------
    mf
        PySCF object, of a molecule or of k-points; ``get_veff`` and ``callback`` are called in
        both tries, the latter once per cycle. It holds the results.
    dm0
        Starting density matrix; PySCF's own guess when None.
    on_response
        Called for each product with the second derivatives of the energy: as much work as a Fock
        build, and none of ``get_veff``.

    Returns
    -------
    str or None
        What was changed and why; None if nothing was.
    """
    mf.kernel(dm0)
    if mf.converged or dm0 is not None or getattr(mf, "smearing_method", None):
        return None
    words = f"not converged to {mf.conv_tol} Ha, second-order steps are now taken"
    _logger.warning("PySCF: %s; trying again", words)
    second = mf.newton()
    # Of k-points it would spoil unoccupied orbitals where basis functions depend on each other.
    second.canonicalization = not hasattr(mf, "kpts")
    second.callback = _once_per_cycle(mf.callback)
    second.gen_response = _counted(second.gen_response, on_response)
    with np.errstate(invalid="ignore"):  # of those orbitals, which are not used
        second.kernel()
    for name in _RESULTS:
        setattr(mf, name, getattr(second, name))
    mf.converged = bool(mf.converged) and _lowest_are_occupied(mf)
    return words


def _lowest_are_occupied(mf: Any) -> bool:
    """Tell whether no empty orbital lies below an occupied one of the same spin, at any k-point."""
    energies, occupied = np.asarray(mf.mo_energy), np.asarray(mf.mo_occ) > 0
    if hasattr(mf, "kpts"):
        energies, occupied = energies.ravel(), occupied.ravel()
    return all(
        e[own].max(initial=-np.inf) < e[~own].min(initial=np.inf)
        for e, own in zip(np.atleast_2d(energies), np.atleast_2d(occupied), strict=True)
    )


def _once_per_cycle(note: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """Return a callback that passes on each cycle once; PySCF tells of the last one twice."""
    seen: set[int] = set()

    def noted(environment: dict[str, Any]) -> None:
        if environment["imacro"] not in seen:
            seen.add(environment["imacro"])
            note(environment)

    return noted


def _counted(make: Callable[..., Any], on_response: Callable[[], None]) -> Callable[..., Any]:
    """Return what makes response functions that tell when they are called."""

    def made(*args: Any, **keywords: Any) -> Any:
        respond = make(*args, **keywords)

        def counted(*given: Any, **named: Any) -> Any:
            on_response()
            return respond(*given, **named)

        return counted

    return made
