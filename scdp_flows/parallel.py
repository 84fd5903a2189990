"""Call a function many times on all cores."""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from multiprocessing.process import BaseProcess

__all__ = [
    "available_cores",
    "end_with_parent",
    "map_parallel",
    "raise_if_interrupted",
    "worker_environment",
]

T = TypeVar("T")

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_CORE_VARIABLES = ("SLURM_CPUS_PER_TASK", "NCPUS", "NSLOTS")


def available_cores() -> int:
    """Return how many cores this process may use.

    The least of what the system allows it and what its batch job was given, by
    ``SLURM_CPUS_PER_TASK``, ``NCPUS`` (PBS) or ``NSLOTS`` (Grid Engine): not every cluster
    enforces that.
    """
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    given = (os.environ.get(name, "") for name in _CORE_VARIABLES)
    return min([allowed, *(int(one) for one in given if one.isdecimal() and int(one) > 0)])


def map_parallel(
    function: Callable[..., T], arguments: Iterable[tuple[Any, ...]], *, n_processes: int | None
) -> Iterator[T]:
    """Yield ``function(*arguments)`` for each item, in order.

    Each process computes with one thread, and only as many items are taken in advance as keep the
    processes busy.

    Parameters
    ----------
    function
        Of a module, not local to a function.
    arguments
        The arguments of each call; they and the results must be such that they can be pickled.
    n_processes
        How many at a time; all cores when None. With 1 no process is started.

    Raises
    ------
    CalculationError
        If a process is killed.
    KeyboardInterrupt
        If it was Ctrl-C that ended it.
    """
    count = n_processes or available_cores()
    if count == 1:
        for given in arguments:
            yield function(*given)
        return
    pool = ProcessPoolExecutor(count, get_context("spawn"), initializer=end_with_parent)
    pending: deque[Future[T]] = deque()
    workers: set[BaseProcess] = set()
    try:
        for given in arguments:
            with worker_environment():
                pending.append(pool.submit(function, *given))
            workers.update(active_children())
            if len(pending) > count:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        pool.shutdown(wait=True)  # after which all of them have ended
        raise_if_interrupted(workers)
        raise CalculationError(
            "a worker process was killed, probably for lack of memory; try again with fewer "
            f"processes than {count}"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def raise_if_interrupted(workers: Iterable[BaseProcess]) -> None:
    """Take up the Ctrl-C that ended workers, which may be noticed before one's own.

    Parameters
    ----------
    workers
        Processes of a pool that was shut down.

    Raises
    ------
    KeyboardInterrupt
        If one was ended by it.
    """
    if any(worker.exitcode == -signal.SIGINT for worker in workers):
        raise KeyboardInterrupt


def end_with_parent() -> None:
    """Let this process end when the one that started it does, even if that is killed.

    The workers of a pool hold each other's pipes open and would wait for ever. Ctrl-C, which the
    terminal sends to all of them, ends this one without a word: the parent tells the user.
    """
    parent = parent_process()
    if parent is None:
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


@contextmanager
def worker_environment() -> Iterator[None]:
    """Let processes started inside compute with one thread and not import the user's script.

    Thread counts are read when the numerical libraries load, hence from the environment. A script
    without the ``if __name__ == "__main__"`` guard would run again in each process; the workers
    need nothing of it. Ctrl-C waits until they are ready for it (:func:`end_with_parent`).
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    saved = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    main = sys.modules["__main__"]
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in saved.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        # Last: a Ctrl-C that waited is raised here.
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
