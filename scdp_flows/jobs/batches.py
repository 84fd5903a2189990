"""Handle batches of which some items may fail."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scdp_flows.dft.base import Outcome
    from scdp_flows.errors import ScdpFlowsError

__all__ = ["closed", "raise_first", "value_of"]

T = TypeVar("T")


@contextmanager
def closed(items: Iterator[T]) -> Iterator[Iterator[T]]:
    """Close an iterator at the end, where it can be closed.

    Generators that work in processes of their own end them at once then, not when the garbage
    collector finds them.
    """
    try:
        yield items
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


def value_of(outcome: Outcome[T]) -> T:
    """Return the value of an outcome.

    Raises
    ------
    ScdpFlowsError
        The error of the outcome if it has no value.
    """
    if outcome.value is None:
        raise outcome.error or CalculationError(
            f"item {outcome.index} of the batch has neither a result nor a reason; report this as "
            "a bug of the code that computed it"
        )
    return outcome.value


def raise_first(
    errors: Mapping[int, ScdpFlowsError], what: str, *, noun: str = "structures"
) -> None:
    """Raise because every item of a batch failed.

    Parameters
    ----------
    errors
        Position in the batch → reason; at least one.
    what
        What could not be done, such as ``"labelled"``.
    noun
        What the items are.

    Raises
    ------
    ScdpFlowsError
        The only reason itself, or else a CalculationError that names the first.
    """
    first = errors[min(errors)]
    if len(errors) == 1:
        raise first
    raise CalculationError(
        f"none of the {len(errors)} {noun} could be {what}; the first reason: {first}"
    ) from first
