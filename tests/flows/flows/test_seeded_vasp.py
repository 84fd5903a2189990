from __future__ import annotations

from typing import Any

import pytest
from atomate2.vasp.jobs.core import RelaxMaker, StaticMaker
from pymatgen.core import Lattice, Structure

from scdp_flows.dft.vasp.earlier_run import EarlierRunSource
from scdp_flows.dft.vasp.generator import SeededInputGenerator
from scdp_flows.flows.seeded_vasp import SeededRelaxMaker, SeededStaticMaker

SOURCE = EarlierRunSource(("finished",))
SILICON = Structure(Lattice.cubic(5.43), ["Si"], [[0, 0, 0]])


@pytest.mark.parametrize(
    ("seeded", "plain"),
    [(SeededStaticMaker, StaticMaker), (SeededRelaxMaker, RelaxMaker)],
    ids=["static", "relax"],
)
def test_the_job_is_the_one_of_atomate2_but_for_its_input_set(
    seeded: type[SeededStaticMaker | SeededRelaxMaker], plain: type[StaticMaker | RelaxMaker]
) -> None:
    maker = seeded(source=SOURCE, store_path="store")
    maker.input_set_generator.user_incar_settings["ENCUT"] = 300
    made: Any = maker.make(SILICON, prev_dir="before")
    assert type(made.maker) is plain
    assert made.name == maker.name
    assert made.function_kwargs == {"prev_dir": "before"}
    generator = made.maker.input_set_generator
    assert isinstance(generator, SeededInputGenerator)
    assert generator.source == SOURCE
    assert generator.user_incar_settings["ENCUT"] == 300
    assert not isinstance(maker.input_set_generator, SeededInputGenerator)


def test_without_a_source_nothing_is_seeded() -> None:
    made: Any = SeededStaticMaker().make(SILICON)
    assert not isinstance(made.maker.input_set_generator, SeededInputGenerator)


def test_makers_survive_json() -> None:
    maker = SeededRelaxMaker(source=SOURCE)
    again: Any = SeededRelaxMaker.from_dict(maker.as_dict())
    assert again.source == SOURCE
