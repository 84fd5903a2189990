from __future__ import annotations

from typing import Any

import pytest

from scdp_flows.dft.abinit.policy import why_not


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"irdwfk": 1}, "earlier one"),
        ({"getden_filepath": '"a_DEN"'}, "earlier one"),
        ({"iscf": -2}, "keeps the density fixed"),
        ({"optdriver": 3}, "converged density"),
        ({"rfphon": 1}, "converged density"),
        ({"ndtset": 2}, "several data sets"),
        ({"nspinor": 2}, "non-collinear"),
        ({"usekden": 1}, "meta-GGA"),
        ({"charge": 1.0}, "charged"),
        ({"boxcutmin": 1.5}, "grid"),
        ({"nstep": 1}, "nstep = 1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_a_seed_would_not_serve_is_left_alone(variables: dict[str, Any], words: str) -> None:
    assert words in str(why_not(variables))


def test_plain_calculations_and_relaxations_are_seeded() -> None:
    assert why_not({"ecut": 8.0, "nsppol": 2, "spinat": [[0, 0, 0.6]]}) is None
    assert why_not({"ionmov": 3, "optcell": 2, "iscf": 7, "irdwfk": 0, "charge": 0.0}) is None
