"""Run the same calculation on many structures, on all cores; one failure spares the others."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from typing import TYPE_CHECKING, Any, TypeVar

from scdp_flows.dft.attempts import attempt
from scdp_flows.dft.base import Outcome
from scdp_flows.dft.pyscf.molecule import require_pyscf
from scdp_flows.errors import CalculationError
from scdp_flows.parallel import (
    available_cores,
    end_with_parent,
    raise_if_interrupted,
    worker_environment,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from multiprocessing.process import BaseProcess

    _Task = tuple[int, tuple[Any, ...]]

__all__ = ["run_many"]

T = TypeVar("T")


def run_many(
    function: Callable[..., T],
    arguments: Sequence[tuple[Any, ...]],
    *,
    n_processes: int | None = None,
) -> Iterator[Outcome[T]]:
    """Call a function for many structures in parallel and yield each result when it is there.

    Each process computes with one thread. A call that fails yields its error. If a process is
    killed, all finished results are yielded first, and then an error for each unfinished one.

    Parameters
    ----------
    function
        Of a module (not local), its arguments and results such that they can be pickled.
    arguments
        The arguments of each call.
    n_processes
        How many at a time; all cores when None. With 1 no process is started.

    Raises
    ------
    MissingDependencyError
        If PySCF is not installed.
    """
    require_pyscf()
    count = min(n_processes or available_cores(), len(arguments))
    if count > 1:
        yield from _run_in_pool(function, enumerate(arguments), count)
        return
    from pyscf import lib

    for index, given in enumerate(arguments):
        with lib.with_omp_threads(1):
            outcome = attempt(index, function, given)
        yield outcome


def _run_in_pool(
    function: Callable[..., T], tasks: Iterator[_Task], count: int
) -> Iterator[Outcome[T]]:
    """Keep every process busy while holding few results in memory."""
    pending: dict[Future[Outcome[T]], int] = {}
    lost: list[int] = []
    pool = ProcessPoolExecutor(count, get_context("spawn"), initializer=_one_thread)

    workers: set[BaseProcess] = set()

    def submit(task: _Task) -> Future[Outcome[T]]:
        index, given = task
        future = pool.submit(attempt, index, function, given)
        workers.update(active_children())
        return future

    try:
        # One more than there are processes, so that none waits for the consumer.
        while _submit(submit, tasks, pending, lost, count + 1):
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                index = pending.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    lost.append(index)
                else:
                    yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if lost:
        raise_if_interrupted(workers)
    for index in sorted(lost):
        yield Outcome(index, None, _killed(index, len(lost)))


def _submit(
    submit: Callable[[_Task], Future[Outcome[T]]],
    tasks: Iterator[_Task],
    pending: dict[Future[Outcome[T]], int],
    lost: list[int],
    most: int,
) -> bool:
    """Hand out tasks until `most` are pending; tell whether any is."""
    while lost or len(pending) < most:
        task = next(tasks, None)
        if task is None:
            break
        if lost:  # a process was killed: the pool takes nothing more
            lost.append(task[0])
            continue
        try:
            with worker_environment():
                pending[submit(task)] = task[0]
        except BrokenProcessPool:
            lost.append(task[0])
    return bool(pending)


def _killed(index: int, n_lost: int) -> CalculationError:
    return CalculationError(
        f"structure {index}: a worker process was killed before it was done, probably for lack of "
        f"memory; {n_lost} structures are unfinished: run the batch again with fewer processes "
        "(what is stored is not computed again)"
    )


def _one_thread() -> None:
    """Prepare a worker process."""
    from pyscf import lib

    end_with_parent()
    lib.num_threads(1)
