"""One base class catches every error of the package."""

from __future__ import annotations

import pytest

from scdp_models import errors


@pytest.mark.parametrize("name", sorted(set(errors.__all__) - {"ScdpModelsError"}))
def test_every_error_has_the_same_base(name: str) -> None:
    error = getattr(errors, name)
    with pytest.raises(errors.ScdpModelsError, match="what to do"):
        raise error("found, expected, what to do")


def test_they_are_value_errors() -> None:
    assert issubclass(errors.ScdpModelsError, ValueError)


def test_kinds_do_not_catch_each_other() -> None:
    children = [getattr(errors, n) for n in errors.__all__ if n != "ScdpModelsError"]
    assert not [(a, b) for a in children for b in children if a is not b and issubclass(a, b)]
