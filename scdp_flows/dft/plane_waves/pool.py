"""Run the same calculation on many structures at a time; one failure spares the others."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, TypeVar

from scdp_flows.dft.attempts import attempt
from scdp_flows.parallel import available_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from scdp_flows.dft.base import Outcome

__all__ = ["run_many"]

T = TypeVar("T")


def run_many(
    function: Callable[..., T],
    arguments: Sequence[tuple[Any, ...]],
    *,
    n_processes: int | None = None,
) -> Iterator[Outcome[T]]:
    """Call a function for many structures and yield each result when it is there.

    The calculations are processes of their own; threads here wait for them.

    Parameters
    ----------
    function
        What to call.
    arguments
        The arguments of each call.
    n_processes
        How many at a time; all cores when None.
    """
    count = min(n_processes or available_cores(), len(arguments))
    tasks = enumerate(arguments)
    pool = ThreadPoolExecutor(max(1, count))
    pending: set[Future[Outcome[T]]] = set()
    try:
        while True:
            # As many as run, so that no results pile up while the consumer is busy.
            while len(pending) < count and (task := next(tasks, None)) is not None:
                index, given = task
                pending.add(pool.submit(attempt, index, function, given))
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
