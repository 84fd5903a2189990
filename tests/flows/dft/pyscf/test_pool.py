"""Batches on several processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pymatgen.core import Molecule

from scdp_flows.dft.pyscf.pool import run_many
from scdp_flows.errors import CalculationError, StructureError
from scdp_flows.parallel import available_cores

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.dft.pyscf.inputs import PyscfSettings

pytestmark = pytest.mark.requires("pyscf")


def test_labels_do_not_depend_on_the_number_of_processes(
    water: Molecule, hydrogen: Molecule, cheap: PyscfSettings
) -> None:
    from scdp_flows.dft.pyscf.label import label_structure
    from scdp_models.basis.library import lean_basis

    overlapping = Molecule(["H", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.01]])
    basis = lean_basis([1, 8])
    tasks = [(m, cheap, basis) for m in (water, overlapping, hydrogen)]
    alone = {o.index: o for o in run_many(label_structure, tasks, n_processes=1)}
    pooled = {o.index: o for o in run_many(label_structure, tasks, n_processes=2)}
    assert set(alone) == set(pooled) == {0, 1, 2}
    assert isinstance(alone[1].error, StructureError)
    assert str(pooled[1].error) == str(alone[1].error)
    for index in (0, 2):
        one, two = alone[index].value, pooled[index].value
        assert one is not None
        assert two is not None
        np.testing.assert_allclose(two.density.values, one.density.values, atol=1e-9)
        atoms = [label.fit.reference for label in (one, two) if label.fit is not None]
        np.testing.assert_array_equal(atoms[1].coefficients, atoms[0].coefficients)


def test_a_foreign_error_is_named_and_spares_the_others() -> None:
    outcomes = list(run_many(int, [("1",), ("one",)], n_processes=1))
    assert outcomes[0].value == 1
    assert isinstance(outcomes[1].error, CalculationError)
    assert "structure 1: the calculation stopped with ValueError" in str(outcomes[1].error)


def test_a_killed_worker_is_reported_after_the_finished() -> None:
    kill = f"__import__('os').kill(__import__('os').getpid(), {int(signal.SIGKILL)})"
    wait = "__import__('time').sleep"
    tasks = [("1 + 1",), (f"{wait}(1.5) or {kill}",), (f"{wait}(9)",)]
    outcomes = list(run_many(eval, tasks, n_processes=2))
    assert [o.index for o in outcomes] == [0, 1, 2]
    assert outcomes[0].value == 2
    for outcome in outcomes[1:]:
        assert isinstance(outcome.error, CalculationError)
        assert "killed" in str(outcome.error)


def test_workers_have_one_thread_and_the_caller_keeps_its_own() -> None:
    before = dict(os.environ)
    asked = [("OMP_NUM_THREADS",), ("OPENBLAS_NUM_THREADS",)]
    assert [o.value for o in run_many(os.getenv, asked, n_processes=2)] == ["1", "1"]
    assert dict(os.environ) == before


def test_a_script_without_guard_may_use_it(repository: Path, tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from scdp_flows.dft.pyscf.pool import run_many\n"
        "print(sorted(o.value for o in run_many(abs, [(-1,), (-2,)], n_processes=2)))\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{repository}:{repository / 'models'}"}
    run = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.split("\n")[:-1] == ["[1, 2]"]


def test_results_come_as_they_finish() -> None:
    begin = time.perf_counter()
    first = next(run_many(time.sleep, [(0.0,), (0.0,)], n_processes=1))
    assert first.index == 0
    assert time.perf_counter() - begin < 5


def test_at_least_one_core() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


def test_ctrl_c_at_the_workers_ends_the_batch() -> None:
    stop = f"__import__('os').kill(__import__('os').getpid(), {int(signal.SIGINT)})"
    with pytest.raises(KeyboardInterrupt):
        list(run_many(eval, [("1 + 1",), (stop,), (stop,)], n_processes=2))
