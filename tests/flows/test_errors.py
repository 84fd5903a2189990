from __future__ import annotations

import pickle

import pytest

from scdp_flows import errors


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_one_of_ours(name: str) -> None:
    assert issubclass(getattr(errors, name), errors.ScdpFlowsError)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("StructureError", ValueError),
        ("DensityFormatError", ValueError),
        ("KindMismatchError", ValueError),
        ("BlobError", RuntimeError),
        ("CalculationError", RuntimeError),
        ("MissingDependencyError", ImportError),
        ("UnknownNameError", LookupError),
    ],
)
def test_errors_can_be_caught_as_builtins(name: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(errors, name), builtin)


def test_a_format_error_names_file_field_and_fix() -> None:
    error = errors.DensityFormatError("3 of 8 values", file="CHGCAR", field="grid", fix="copy it")
    assert str(error) == "CHGCAR, grid: 3 of 8 values; copy it"
    assert str(errors.DensityFormatError("only this")) == "only this"


@pytest.mark.parametrize(
    "error",
    [
        errors.DensityFormatError("m", file="f", field="g", fix="h"),
        errors.UnknownNameError("a", ["b", "aa"], what="reader"),
        errors.MissingDependencyError.for_package("pyscf", extra="pyscf", purpose="labels"),
        errors.BlobError("gone"),
    ],
)
def test_errors_cross_process_pools(error: errors.ScdpFlowsError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.__dict__ == error.__dict__


def test_an_unknown_name_lists_the_closest_first() -> None:
    error = errors.UnknownNameError("chgcra", ["abinit", "cube", "chgcar"], what="reader")
    assert error.known[0] == "chgcar"
    assert sorted(error.known) == ["abinit", "chgcar", "cube"]
    assert "reader 'chgcra'" in str(error)


def test_an_unknown_name_without_candidates_says_so() -> None:
    assert str(errors.UnknownNameError("x")).endswith("none")


def test_a_missing_package_tells_how_to_install_it() -> None:
    error = errors.MissingDependencyError.for_package("pyscf", extra="pyscf", purpose="labels")
    assert "pip install 'scdp-flows[pyscf]'" in str(error)
