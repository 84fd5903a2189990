"""Share batches of work among devices, in order and a few at a time."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import cycle
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

__all__ = ["share"]

A = TypeVar("A")
B = TypeVar("B")


def share(lanes: Sequence[Callable[[A], B]], batches: Iterable[A]) -> Iterator[B]:
    """Yield what becomes of each batch, in order; the lanes work at the same time.

    As many batches are taken in advance as there are lanes. Each lane has a thread of its own:
    while a GPU computes, Python is free for the others. One lane works without a thread.

    Parameters
    ----------
    lanes
        Functions that take turns, one per device.
    batches
        What to do.

    Examples
    --------
    >>> list(share([str.upper, str.lower], ["aA", "bB", "cC"]))
    ['AA', 'bb', 'CC']
    """
    if len(lanes) == 1:
        yield from map(lanes[0], batches)
        return
    with ExitStack() as stack:
        pools = [stack.enter_context(ThreadPoolExecutor(1)) for _ in lanes]
        pending: deque[Future[B]] = deque()
        for (lane, pool), batch in zip(
            cycle(zip(lanes, pools, strict=True)), batches, strict=False
        ):
            pending.append(pool.submit(lane, batch))
            if len(pending) == len(lanes):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
