"""One failure of a batch spares the others."""

from __future__ import annotations

import pytest

from scdp_flows.dft.attempts import attempt
from scdp_flows.errors import CalculationError, StructureError


def test_results_and_our_own_errors_come_as_they_are() -> None:
    def refuse() -> None:
        raise StructureError("too close")

    assert attempt(2, abs, (-1,)).value == 1
    found = attempt(2, refuse, ())
    assert (found.index, found.value) == (2, None)
    assert isinstance(found.error, StructureError)


def test_what_libraries_raise_names_the_structure() -> None:
    error = attempt(5, int, ("x",)).error
    assert isinstance(error, CalculationError)
    assert "structure 5" in str(error)


def test_faults_of_the_program_are_not_hidden() -> None:
    with pytest.raises(TypeError):
        attempt(0, abs, ("x",))
