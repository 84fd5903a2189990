"""Label many molecules on all cores; one failure never takes the others with it."""

from __future__ import annotations

import os
import sys
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from types import ModuleType
from typing import TYPE_CHECKING, Any

from scdp_flows.dft.pyscf.label import label_structure
from scdp_flows.dft.pyscf.molecule import require_pyscf
from scdp_flows.errors import CalculationError, ScdpFlowsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from pymatgen.core import Molecule
    from scdp_models.basis.shells import BasisSet

    from scdp_flows.dft.pyscf.inputs import PyscfSettings
    from scdp_flows.dft.pyscf.label import Label

    _Task = tuple[int, Molecule, PyscfSettings, dict[str, Any] | None]

__all__ = ["LabelResult", "label_many"]

_THREADS = {
    name: "1"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
}

# What PySCF, SciPy and the models raise when a molecule is beyond them.
_FOREIGN_ERRORS = (ArithmeticError, LookupError, MemoryError, RuntimeError, ValueError)


@dataclass(frozen=True, eq=False)
class LabelResult:
    """What became of one molecule of a batch: a label, or else the reason why not."""

    index: int
    """Position in the batch."""
    label: Label | None
    """The label; None if it failed."""
    error: ScdpFlowsError | None = None
    """Why it failed; None if it did not."""


def label_many(
    structures: Sequence[Molecule],
    settings: PyscfSettings,
    fit_basis: BasisSet | None = None,
    *,
    n_processes: int | None = None,
) -> Iterator[LabelResult]:
    """Label molecules in parallel and yield each as soon as it is done, in any order.

    Each process computes with one thread. A molecule that fails yields its error. If a process is
    killed, all finished labels are yielded first, and then an error for each unfinished molecule.

    Parameters
    ----------
    structures
        The molecules.
    settings
        How to compute.
    fit_basis
        See :func:`scdp_flows.dft.pyscf.label.label_structure`.
    n_processes
        How many at a time; all cores when None. With 1 no process is started.

    Raises
    ------
    MissingDependencyError
        If PySCF is not installed.
    """
    require_pyscf()
    count = min(n_processes or available_cores(), len(structures))
    # A basis holds read-only mappings, which cannot be pickled; its document can.
    basis = None if fit_basis is None else fit_basis.to_dict()
    tasks = ((index, structure, settings, basis) for index, structure in enumerate(structures))
    if count <= 1:
        from pyscf import lib

        for task in tasks:
            with lib.with_omp_threads(1):
                result = _label_task(*task)
            yield result
        return
    yield from _label_in_pool(tasks, count)


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _label_task(
    index: int, structure: Molecule, settings: PyscfSettings, basis: dict[str, Any] | None
) -> LabelResult:
    """Label one molecule and return what went wrong instead of raising it."""
    from scdp_models.basis.shells import BasisSet

    try:
        fit_basis = None if basis is None else BasisSet.from_dict(basis)
        return LabelResult(index, label_structure(structure, settings, fit_basis))
    except ScdpFlowsError as error:
        return LabelResult(index, None, error)
    except _FOREIGN_ERRORS as error:
        message = f"{structure.formula}: the calculation stopped with {error!r}; leave it out"
        return LabelResult(index, None, CalculationError(message))


def _label_in_pool(
    tasks: Iterator[_Task], count: int
) -> Iterator[LabelResult]:
    """Keep every process busy while holding few results in memory."""
    pending: dict[Future[LabelResult], int] = {}
    lost: list[int] = []
    pool = ProcessPoolExecutor(count, get_context("spawn"), initializer=_one_thread)
    try:
        while True:
            _submit(pool, tasks, pending, lost, count + 1)
            if not pending:
                break
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                index = pending.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    lost.append(index)
                else:
                    yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    for index in sorted(lost):
        yield LabelResult(index, None, _killed(index, len(lost)))


def _submit(
    pool: ProcessPoolExecutor,
    tasks: Iterator[_Task],
    pending: dict[Future[LabelResult], int],
    lost: list[int],
    most: int,
) -> None:
    """Hand out tasks until `most` are pending; once a process was killed all the rest is lost."""
    while lost or len(pending) < most:
        task = next(tasks, None)
        if task is None:
            return
        if lost:
            lost.append(task[0])
            continue
        try:
            with _worker_environment():
                pending[pool.submit(_label_task, *task)] = task[0]
        except BrokenProcessPool:
            lost.append(task[0])


def _killed(index: int, n_lost: int) -> CalculationError:
    return CalculationError(
        f"structure {index}: a worker process was killed before it was done, probably for lack of "
        f"memory; {n_lost} structures are unfinished: run the batch again (finished labels are "
        "kept) with fewer processes"
    )


@contextmanager
def _worker_environment() -> Iterator[None]:
    """Let processes started inside compute with one thread and not import the user's script.

    Thread counts are read when the numerical libraries load, hence from the environment. A script
    without the ``if __name__ == "__main__"`` guard would run again in each process; the workers
    need nothing of it.
    """
    saved = {name: os.environ.get(name) for name in _THREADS}
    main = sys.modules["__main__"]
    os.environ.update(_THREADS)
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


def _one_thread() -> None:
    """Prepare a worker process."""
    from pyscf import lib

    lib.num_threads(1)
