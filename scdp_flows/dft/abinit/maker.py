"""Run a Maker of atomate2.abinit with seeded folders."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import CURRENT_JOB, Maker, job

from scdp_flows.dft.abinit.audit import record_audit
from scdp_flows.dft.abinit.folder import AtomateRun, seed_folder
from scdp_flows.errors import ScdpFlowsError
from scdp_flows.predictors.base import Predictor  # noqa: TC001 - a field that is decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["SeededAbinitMaker"]

_LOGGER = logging.getLogger(__name__)


class _SeededInputs:
    """The inputs that an atomate2 generator made; writing them seeds the folder."""

    def __init__(self, inner: Any, seed: Callable[[Any, Any], None]) -> None:
        self.inner, self.seed = inner, seed

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def write_input(self, directory: str | Path, **options: Any) -> None:
        self.inner.write_input(directory, **options)
        self.seed(directory, self.inner.abinit_input)


@dataclass
class SeededAbinitMaker(Maker):
    """Make the job of an ABINIT Maker of atomate2, started from a predicted density.

    It runs that Maker's own job and returns its document untouched. If ABINIT does not converge and
    atomate2 starts it again from its own files, the new job is that Maker's own.

    Examples
    --------
    ::

        from atomate2.abinit.jobs.core import StaticMaker

        job = SeededAbinitMaker(StaticMaker(...), predictor=ScdpPredictor()).make(silicon)
    """

    maker: Maker
    """The Maker of atomate2."""
    predictor: Predictor
    """Predicts the densities; their kind must be that of the calculations."""
    store_path: str | None = None
    """Folder of the embedded stores of the audits; None: those of the settings."""
    name: str = ""
    """Name of the job; empty: that of the Maker."""

    def __post_init__(self) -> None:
        """Seed a Maker once; make the path absolute, since jobs run in folders of their own."""
        while isinstance(self.maker, SeededAbinitMaker):
            self.maker = self.maker.maker
        self.name = self.name or self.maker.name
        if self.store_path is not None:
            self.store_path = str(Path(self.store_path).expanduser().absolute())

    @property
    def calc_type(self) -> str:
        """Kind of calculation, as the Maker names it."""
        return str(self.maker.calc_type)  # type: ignore[attr-defined]

    @job
    def make(self, *args: Any, **kwargs: Any) -> Any:
        """Run the Maker's job; the arguments are its own.

        What fails of seed and audit is recorded or logged: the calculation goes on as usual.
        """
        plain: Any = deepcopy(self.maker)
        with self._seeding(plain):
            response = type(plain).make.original(plain, *args, **kwargs)
        try:
            record_audit(Path.cwd(), self.store_path)
        except ScdpFlowsError as error:
            _LOGGER.warning("the seed was not audited: %s", error)
        return response

    @contextmanager
    def _seeding(self, plain: Any) -> Iterator[None]:
        """Let the input generator of a Maker seed; restarts made meanwhile hold it unchanged."""
        generator = plain.input_set_generator
        original = generator.get_input_set

        def get_input_set(*args: Any, **kwargs: Any) -> _SeededInputs:
            return _SeededInputs(original(*args, **kwargs), self._seed)

        generator.get_input_set = get_input_set
        try:
            yield
        finally:
            del generator.get_input_set

    def _seed(self, directory: str | Path, inputs: Any) -> None:
        run = AtomateRun(inputs, _command(self.maker), _identity())
        try:
            doc = seed_folder(directory, run, self.predictor)
        except (OSError, ScdpFlowsError) as error:
            _LOGGER.warning("not seeded: %s", error)
        else:
            _LOGGER.info("%s: %s", doc.status, doc.reason or doc.source)


def _command(maker: Any) -> tuple[str, ...]:
    """Return the words with which atomate2 starts ABINIT."""
    from atomate2 import SETTINGS

    options = maker.run_abinit_kwargs
    abinit = options.get("abinit_cmd") or SETTINGS.ABINIT_CMD
    mpirun = options.get("mpirun_cmd") or SETTINGS.ABINIT_MPIRUN_CMD
    return (abinit,) if mpirun is None else (mpirun, abinit)


def _identity() -> dict[str, Any]:
    current: Any = CURRENT_JOB.job
    if current is None:
        return {}
    return {"job_uuid": current.uuid, "job_index": current.index, "job_name": current.name}
