from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import atomate2.vasp.jobs
import pytest
from atomate2.vasp.flows.core import DoubleRelaxMaker
from atomate2.vasp.flows.elastic import ElasticMaker
from atomate2.vasp.jobs.base import BaseVaspMaker
from atomate2.vasp.jobs.core import StaticMaker
from atomate2.vasp.powerups import update_user_incar_settings, update_user_kpoints_settings
from jobflow import Job, Maker, job
from pymatgen.core import Lattice, Structure

from scdp_flows.dft.abinit.maker import SeededAbinitMaker
from scdp_flows.dft.pyscf.calculator import PyscfRelaxation
from scdp_flows.dft.vasp.auditor import SeedAuditor
from scdp_flows.dft.vasp.earlier_run import EarlierRunSource
from scdp_flows.dft.vasp.generator import SeededInputGenerator
from scdp_flows.dft.vasp.policy import why_not
from scdp_flows.dft.vasp.sources import PredictedSource
from scdp_flows.jobs.harvester import RunHarvester
from scdp_flows.jobs.relax import RelaxMaker
from scdp_flows.powerups import harvest_vasp, seed, seed_vasp
from scdp_flows.predictors.atomic import AtomicPredictor

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = EarlierRunSource(("finished",))
SILICON = Structure(
    Lattice([[0, 2.73, 2.73], [2.73, 0, 2.73], [2.73, 2.73, 0]]),
    ["Si", "Si"],
    [[0.0, 0.0, 0.0], [0.25, 0.25, 0.25]],
)
BEGIN, END = "<!-- makers: begin -->", "<!-- makers: end -->"


def _makers() -> list[type[BaseVaspMaker]]:
    """Return every VASP Maker of atomate2 whose own dependencies are installed."""
    found: dict[str, type[BaseVaspMaker]] = {}
    for info in pkgutil.iter_modules(atomate2.vasp.jobs.__path__):
        try:
            module = importlib.import_module(f"atomate2.vasp.jobs.{info.name}")
        except ImportError:
            continue
        found |= {
            name: value
            for name, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, BaseVaspMaker)
        }
    return [found[name] for name in sorted(found)]


def _row(maker: type[BaseVaspMaker], folder: Path) -> str:
    """Tell what becomes of the calculations of a Maker with its own settings."""
    made = maker()
    generator = made.input_set_generator
    if hasattr(generator, "num_images"):
        generator.num_images = 3
    tags = dict(generator.get_input_set(SILICON, potcar_spec=True)["INCAR"])
    reason = why_not(tags, folder)
    copied = made.copy_vasp_kwargs.get("additional_vasp_files", ())
    brings = [name for name in copied if name in {"WAVECAR", "CHGCAR"}]
    if reason is not None:
        return f"| `{maker.__name__}` | left | {reason} |"
    if brings:
        return f"| `{maker.__name__}` | seeded | left where `prev_dir` brings {brings[0]} |"
    return f"| `{maker.__name__}` | seeded | |"


@pytest.mark.filterwarnings("ignore")
def test_the_guide_tells_of_every_maker_whether_it_is_seeded(
    repository: Path, tmp_path: Path
) -> None:
    rows = [_row(maker, tmp_path) for maker in _makers()]
    text = (repository / "docs" / "guide" / "atomate2.md").read_text()
    table = text.partition(BEGIN)[2].partition(END)[0]
    known = {row.strip() for row in table.splitlines() if row.startswith("| `")}
    assert len(rows) > 40
    assert set(rows) <= known, "\n".join(["write these into the guide:", *rows])


def _all_seeded(maker: Any) -> bool:
    return isinstance(maker.input_set_generator, SeededInputGenerator) and any(
        isinstance(each, SeedAuditor) for each in maker.run_vasp_kwargs["validators"]
    )


def test_nested_makers_are_reached_and_the_original_is_untouched() -> None:
    maker = ElasticMaker()
    seeded: Any = seed_vasp(maker, SOURCE)
    assert _all_seeded(seeded.bulk_relax_maker.relax_maker1)
    assert _all_seeded(seeded.elastic_relax_maker)
    assert not isinstance(maker.elastic_relax_maker.input_set_generator, SeededInputGenerator)


def test_flows_and_the_makers_among_arguments_are_reached() -> None:
    flow = seed_vasp(ElasticMaker().make(SILICON), SOURCE)
    vasp_jobs = [
        each for each in flow.jobs if isinstance(getattr(each, "maker", None), BaseVaspMaker)
    ]
    makers: list[Any] = [getattr(each, "maker", None) for each in vasp_jobs]
    for each in flow.jobs:
        arguments = (
            []
            if not isinstance(each, Job)
            else [*each.function_args, *each.function_kwargs.values()]
        )
        makers += [value for value in arguments if isinstance(value, BaseVaspMaker)]
    assert makers
    assert all(map(_all_seeded, makers))


@dataclass
class LateMaker(Maker):
    """A Maker whose job makes VASP jobs while it runs, from Makers in a dictionary."""

    name: str = "late"
    makers: dict[str, Maker] = field(default_factory=lambda: {"static": StaticMaker()})

    @job
    def make(self) -> None:
        """Make the job."""


def test_makers_that_jobs_make_later_are_reached() -> None:
    made = seed_vasp(LateMaker().make(), SOURCE)
    assert _all_seeded(made.maker.makers["static"])  # type: ignore[union-attr]


@job
def _later(makers: list[Maker]) -> None:
    """Stand for a job that gets Makers in a list."""


def test_makers_in_lists_of_arguments_are_reached() -> None:
    made = seed_vasp(_later([StaticMaker()]), SOURCE)
    assert _all_seeded(made.function_args[0][0])


def test_only_makers_of_a_name_are_changed() -> None:
    seeded: Any = seed_vasp(DoubleRelaxMaker(), SOURCE, name_filter="relax 2")
    names = [seeded.relax_maker1.name, seeded.relax_maker2.name]
    changed = [
        isinstance(each.input_set_generator, SeededInputGenerator)
        for each in (seeded.relax_maker1, seeded.relax_maker2)
    ]
    assert changed == ["relax 2" in name for name in names]


def test_power_ups_of_atomate2_take_effect_after_seeding() -> None:
    maker: Any = seed_vasp(DoubleRelaxMaker(), SOURCE)
    maker = update_user_incar_settings(maker, {"ENCUT": 321})
    flow = update_user_kpoints_settings(maker.make(SILICON), {"reciprocal_density": 12})
    for each in flow.jobs:
        generator = each.maker.input_set_generator
        assert isinstance(generator, SeededInputGenerator)
        assert generator.source == SOURCE
        assert generator.inner.user_incar_settings["ENCUT"] == 321
        assert generator.inner.user_kpoints_settings["reciprocal_density"] == 12


def test_seeding_twice_leaves_the_second_source_and_one_audit() -> None:
    second = EarlierRunSource(("elsewhere",))
    maker: Any = seed_vasp(seed_vasp(StaticMaker(), SOURCE), second, store_path="store")
    assert maker.input_set_generator.source == second
    audits = [v for v in maker.run_vasp_kwargs["validators"] if isinstance(v, SeedAuditor)]
    assert [audit.store_path for audit in audits] == ["store"]
    assert len(maker.run_vasp_kwargs["validators"]) == 3


def test_other_makers_and_values_pass_through() -> None:
    assert seed_vasp(LateMaker(makers={}), SOURCE) == LateMaker(makers={})


PREDICTOR = AtomicPredictor(name="superposed")


def test_one_flow_definition_is_seeded_whatever_the_code() -> None:
    pyscf = RelaxMaker(code=PyscfRelaxation(), store_path="store")
    made: Any = seed(LateMaker(makers={"vasp": StaticMaker(), "pyscf": pyscf}), PREDICTOR)
    again: Any = LateMaker.from_dict(made.as_dict())
    assert again.makers["vasp"].input_set_generator.source == PredictedSource(PREDICTOR)
    assert again.makers["pyscf"].predictor == PREDICTOR
    assert again.makers["pyscf"].store_path == pyscf.store_path
    assert pyscf.predictor is None


@pytest.mark.requires("abipy")
@pytest.mark.filterwarnings("ignore")
def test_abinit_makers_are_reached_and_changed_by_power_ups_of_atomate2() -> None:
    from atomate2.abinit.flows.core import BandStructureMaker, RelaxFlowMaker
    from atomate2.abinit.powerups import update_user_abinit_settings

    maker: Any = seed(RelaxFlowMaker(), PREDICTOR, store_path="store")
    assert all(isinstance(each, SeededAbinitMaker) for each in maker.relaxation_makers)
    flow: Any = seed(BandStructureMaker().make(SILICON), AtomicPredictor(name="first"))
    flow = update_user_abinit_settings(seed(flow, PREDICTOR), {"ecut": 7})
    for each in flow.jobs:
        assert isinstance(each.maker, SeededAbinitMaker)
        assert each.maker.predictor == PREDICTOR
        inner: Any = each.maker.maker
        assert not isinstance(inner, SeededAbinitMaker)
        assert inner.input_set_generator.user_abinit_settings["ecut"] == 7
        assert each.name == inner.name


def test_harvesting_reaches_the_same_makers_and_stands_beside_a_seed() -> None:
    judged = AtomicPredictor(model="some")
    made: Any = DoubleRelaxMaker()
    for _ in range(2):
        made = harvest_vasp(seed_vasp(made, SOURCE), judged, tags=["mine"], time_limit_s=30.0)
    late: Any = harvest_vasp(LateMaker().make()).maker
    for maker in (made.relax_maker1, made.relax_maker2):
        kinds = [type(each) for each in maker.run_vasp_kwargs["validators"]]
        assert kinds.count(RunHarvester) == kinds.count(SeedAuditor) == 1
    harvester = made.relax_maker1.run_vasp_kwargs["validators"][-1]
    assert (harvester.predictors, harvester.tags, harvester.time_limit_s) == (
        [judged],
        ["mine"],
        30,
    )
    validators = late.makers["static"].run_vasp_kwargs["validators"]
    assert any(isinstance(each, RunHarvester) for each in validators)
    assert not isinstance(late.makers["static"].input_set_generator, SeededInputGenerator)
