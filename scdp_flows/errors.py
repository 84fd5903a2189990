"""Errors that scdp_flows raises on purpose.

Every message says what was found, what was expected and what to do about it. Each class is also the
fitting builtin exception, so that callers who do not know this package can still catch it.
All of them survive pickling, because they cross process pools.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

__all__ = [
    "BlobError",
    "CalculationError",
    "DatasetError",
    "DensityError",
    "DensityFormatError",
    "KindMismatchError",
    "MissingDependencyError",
    "ModelError",
    "ScdpFlowsError",
    "SettingsError",
    "StoreError",
    "StructureError",
    "TrainingError",
    "UnknownNameError",
]


class ScdpFlowsError(Exception):
    """Mark everything that scdp_flows raises on purpose."""


class StructureError(ScdpFlowsError, ValueError):
    """Report a molecule or crystal that cannot be computed."""


class DensityError(ScdpFlowsError, ValueError):
    """Report a density whose values, shapes or cell are impossible."""


class DensityFormatError(DensityError):
    """Report a file that does not hold the density it claims to hold.

    Parameters
    ----------
    message
        What was found and what was expected.
    file
        The offending file.
    field
        The line, block or quantity inside the file.
    fix
        What the user can do.

    Examples
    --------
    >>> raise DensityFormatError("12 of 27 values", file="CHGCAR", field="grid", fix="copy it anew")
    Traceback (most recent call last):
        ...
    scdp_flows.errors.DensityFormatError: CHGCAR, grid: 12 of 27 values; copy it anew
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | PathLike[str] | None = None,
        field: str | None = None,
        fix: str | None = None,
    ) -> None:
        where = ", ".join(str(part) for part in (file, field) if part is not None)
        text = f"{where}: {message}" if where else message
        # ``args`` holds the finished text: pickle rebuilds the error from it and then restores
        # the attributes below.
        super().__init__(f"{text}; {fix}" if fix else text)
        self.file = None if file is None else str(file)
        self.field = field
        self.fix = fix


class KindMismatchError(ScdpFlowsError, ValueError):
    """Report two densities that describe different physical quantities."""


class StoreError(ScdpFlowsError, RuntimeError):
    """Report a document store that cannot be opened, read or written."""


class BlobError(StoreError):
    """Report a missing, damaged or unwritable blob."""


class DatasetError(ScdpFlowsError, ValueError):
    """Report a dataset that is empty, inconsistent or unusable for the purpose."""


class ModelError(ScdpFlowsError, ValueError):
    """Report a checkpoint that cannot be loaded or does not fit its input."""


class CalculationError(ScdpFlowsError, RuntimeError):
    """Report an electronic-structure calculation that failed."""


class TrainingError(ScdpFlowsError, RuntimeError):
    """Report a training run that failed."""


class SettingsError(ScdpFlowsError, ValueError):
    """Report settings that are unknown, malformed or contradictory."""


class MissingDependencyError(ScdpFlowsError, ImportError):
    """Report an optional package that is needed and not installed."""

    @classmethod
    def for_package(cls, package: str, *, extra: str, purpose: str) -> MissingDependencyError:
        """Return the error for a package that one of our extras would have installed.

        Parameters
        ----------
        package
            The name of the missing package.
        extra
            The extra of ``scdp-flows`` that brings it.
        purpose
            What it is needed for, as a noun phrase.
        """
        return cls(
            f"{package} is not installed and is needed for {purpose}; "
            f"install it with: pip install 'scdp-flows[{extra}]'"
        )


class UnknownNameError(ScdpFlowsError, LookupError):
    """Report a name that is not known, listing the known ones with the closest first.

    Parameters
    ----------
    name
        The name that was asked for.
    known
        The names that would have worked.
    what
        What is being named, such as ``"predictor"``.

    Examples
    --------
    >>> raise UnknownNameError("chgcra", ["cube", "chgcar"], what="reader")
    Traceback (most recent call last):
        ...
    scdp_flows.errors.UnknownNameError: unknown reader 'chgcra'; known (closest first): chgcar, cube
    """

    def __init__(self, name: str, known: Iterable[str] = (), *, what: str = "name") -> None:
        self.name = name
        self.known = closest_first(name, known)
        self.what = what
        super().__init__(name, self.known)

    def __str__(self) -> str:
        """Return the message."""
        listing = ", ".join(self.known) or "none"
        return f"unknown {self.what} {self.name!r}; known (closest first): {listing}"


def closest_first(name: str, known: Iterable[str]) -> list[str]:
    """Order names by likeness to ``name``; those that are not alike follow alphabetically."""
    names = sorted(set(known))
    close = get_close_matches(name, names, n=max(len(names), 1), cutoff=0.4)
    return close + [candidate for candidate in names if candidate not in close]
