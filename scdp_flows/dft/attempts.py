"""Turn what goes wrong with one structure of a batch into a reason; the others go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from scdp_flows.dft.base import Outcome
from scdp_flows.errors import CalculationError, ScdpFlowsError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FOREIGN_ERRORS", "attempt"]

T = TypeVar("T")

FOREIGN_ERRORS = (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, ValueError)
"""What PySCF, NumPy, SciPy, pymatgen and models raise when a structure is beyond them."""


def attempt(index: int, function: Callable[..., T], arguments: tuple[Any, ...]) -> Outcome[T]:
    """Call a function for one structure and return its result, or why there is none.

    Parameters
    ----------
    index
        Position of the structure in its batch.
    function, arguments
        What to call.

    Examples
    --------
    >>> attempt(3, int, ("4",)).value
    4
    >>> print(attempt(3, int, ("x",)).error)
    structure 3: the calculation stopped with ValueError("invalid literal ...
    """
    try:
        return Outcome(index, function(*arguments))
    except ScdpFlowsError as error:
        return Outcome(index, None, error)
    except FOREIGN_ERRORS as error:
        message = f"structure {index}: the calculation stopped with {error!r}; leave it out"
        return Outcome(index, None, CalculationError(message))
