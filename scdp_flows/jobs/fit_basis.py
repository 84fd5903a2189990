"""Find the basis set that a Maker's field names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scdp_models.basis.shells import BasisSet

__all__ = ["fit_basis"]


def fit_basis(spec: str, numbers: Iterable[int]) -> BasisSet:
    """Return the basis set of a specification such as ``"lean+small"``.

    Parameters
    ----------
    spec
        See :func:`scdp_models.basis.named.basis_from_spec`.
    numbers
        Atomic numbers that it must cover.

    Raises
    ------
    SettingsError
        If there is no such basis, or it lacks an element.
    """
    from scdp_models.basis.named import basis_from_spec
    from scdp_models.errors import BasisError

    try:
        return basis_from_spec(spec, numbers)
    except BasisError as error:
        raise SettingsError(f"basis {spec!r}: {error}") from error
