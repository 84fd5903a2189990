"""Try on a worker what later jobs need there, before a campaign starts."""

from __future__ import annotations

import shutil
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from jobflow import job

from scdp_flows.errors import ScdpFlowsError, SettingsError, StoreError
from scdp_flows.jobs.base import StepMaker
from scdp_flows.schemas.doctor import WORKS, Check, Examination, Work
from scdp_flows.stores.outages import server_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from maggma.core import Store

    from scdp_flows.stores.factory import Stores

__all__ = ["DoctorMaker"]

_PAYLOAD_BYTES = 1 << 20


@dataclass(kw_only=True)
class DoctorMaker(StepMaker):
    """Make the job that tries stores, model, accelerator and DFT programs where it runs.

    Nothing is left behind in the stores.
    """

    name: str = "doctor"
    work: Work = "light"
    """Kind of work that the machine shall do; it is written into the answer."""
    gpus: int = 0
    """Accelerators that must be there."""
    programs: list[str] = field(default_factory=list)
    """Programs that must be found, such as ``"pw.x"``."""
    modules: list[str] = field(default_factory=list)
    """Python modules that must be importable, such as ``"pyscf"``."""

    def __post_init__(self) -> None:
        """Check the kind of work."""
        super().__post_init__()
        if self.work not in WORKS:
            raise SettingsError(f"work is {self.work!r}; expected one of {', '.join(WORKS)}")

    @job(output_schema=Examination)
    def make(self) -> Examination:
        """Try everything; what fails is reported and does not fail the job."""
        checks = [_tried("stores", self._stores)]
        checks.append(_tried("torch", partial(_torch, self.gpus)))
        checks += [_tried(name, partial(_program, name)) for name in self.programs]
        checks += [_tried(name, partial(_module, name)) for name in self.modules]
        return Examination(
            host=socket.gethostname(),
            work=self.work,
            checks=checks,
            examined_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _stores(self) -> str:
        start = time.perf_counter()
        with self.open_stores() as stores:
            for store in _collections(stores):
                _write_and_remove(store)
            payload = uuid4().bytes * (_PAYLOAD_BYTES // 16)
            reference = stores.blobs.put(payload)
            try:
                if stores.blobs.get(reference) != payload:
                    raise StoreError("a blob came back changed; look at the disk or the network")
            finally:
                stores.blobs.discard(reference)
            place = stores.blobs.name
        took = time.perf_counter() - start
        return f"documents and a blob ({place}) written, read and deleted in {took:.2f} s"


def _collections(stores: Stores) -> list[Store]:
    return [
        stores.densities.documents.store,
        stores.datasets.documents.store,
        stores.models.documents.store,
        stores.reports.reports.store,
    ]


def _write_and_remove(store: Store) -> None:
    mark = {str(store.key): f"doctor-{uuid4()}"}
    store.update([{**mark, "doc_type": "doctor"}])
    try:
        if store.query_one(mark) is None:
            raise StoreError(
                f"{store.name}: a document that was written is not found; do all workers use one "
                "database?"
            )
    finally:
        store.remove_docs(mark)


def _tried(name: str, act: Callable[[], str]) -> Check:
    try:
        return Check(name=name, ok=True, detail=act())
    except _failures() as error:
        return Check(name=name, ok=False, detail=f"{type(error).__name__}: {error}")


def _failures() -> tuple[type[Exception], ...]:
    return (ScdpFlowsError, ImportError, OSError, RuntimeError, *server_errors())


def _torch(gpus: int) -> str:
    import torch

    found: Any = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found < gpus:
        raise OSError(
            f"torch {torch.__version__} sees {found} GPUs, expected {gpus}; install a CUDA build, "
            "or correct the resources of the worker"
        )
    return f"torch {torch.__version__}, {torch.get_num_threads()} threads, {found} GPUs"


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise OSError(f"{name} is not on the PATH; install it, or load its module in the worker")
    return path


def _module(name: str) -> str:
    from importlib import import_module

    found = import_module(name)
    return f"version {getattr(found, '__version__', 'unknown')}"
