from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from monty.json import MontyDecoder, jsanitize

from scdp_flows.dft.vasp.augmentation import OccupancyLibrary
from scdp_flows.dft.vasp.fit import learn_occupancies
from scdp_flows.dft.vasp.folder import seed_folder
from scdp_flows.dft.vasp.harvested import harvest
from scdp_flows.dft.vasp.inputs import read_folder
from scdp_flows.dft.vasp.sources import PredictedSource, SeedSource, StoredSource, kind_of
from scdp_flows.errors import KindMismatchError
from scdp_flows.jobs.predict import store_prediction
from scdp_flows.kind import DensityKind
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.predictors.base import Predicted
from scdp_flows.schemas.training import file_sha256
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymatgen.core import Structure

    from scdp_models.density.orbital import OrbitalDensity


class Gaussians:
    """A predictor of four electrons in a Gaussian at each nucleus."""

    name = "gaussians"

    def __init__(self, functional: str = "PBE") -> None:
        self.functional = functional

    def kind(self) -> DensityKind:
        return DensityKind("valence", "paw-pbe", self.functional, "245eV")

    def predict(self, structure: Structure) -> OrbitalDensity:
        from scdp_models.basis.shells import shell_charge
        from scdp_models.density.atomic import AtomicDensity, AtomicReference

        atom = AtomicDensity(4.0, (0.4,), (4.0 / float(shell_charge(0, 0.4)),))
        return AtomicReference("one Gaussian", {14: atom}).superposition(
            np.array(structure.atomic_numbers),
            np.array(structure.cart_coords),
            np.array(structure.lattice.matrix),
            (True, True, True),
        )


@pytest.fixture
def library(finished: Path, tmp_path: Path) -> str:
    path = tmp_path / "library.json"
    OccupancyLibrary(()).extended([harvest(finished)]).write(path)
    return str(path)


def test_the_kind_of_a_calculation_follows_from_its_inputs(
    write_inputs: Callable[..., Path], silicon: Structure
) -> None:
    kind = kind_of(read_folder(write_inputs(silicon, "ENCUT = 520\nGGA = PS\nISPIN = 2\n")))
    expected = DensityKind("valence", "paw-pbe", "PBEsol", "520eV", "unrestricted", "vasp")
    assert kind == expected
    folder = write_inputs(silicon, name="spec")
    (folder / "POTCAR").unlink()
    (folder / "POTCAR.spec").write_text("Si\n")
    with pytest.raises(KindMismatchError, match="do not tell"):
        kind_of(read_folder(folder))


def test_a_prediction_becomes_a_seed(
    write_inputs: Callable[..., Path], silicon: Structure, library: str
) -> None:
    source = PredictedSource(Gaussians(), library)  # type: ignore[arg-type]
    doc = seed_folder(write_inputs(silicon), source)
    assert (doc.status, doc.occupancies) == ("seeded", "library of 1 runs")
    assert doc.occupancies_sha256 == file_sha256(Path(library))
    assert doc.source == "predicted by gaussians"
    assert abs(doc.excess_electrons or 0.0) < 1e-3


def test_learned_occupancies_become_part_of_a_seed(
    write_inputs: Callable[..., Path], silicon: Structure, library: str, tmp_path: Path
) -> None:
    model = tmp_path / "occupancies.safetensors"
    learn_occupancies(OccupancyLibrary.read(library)).write(model)
    source = PredictedSource(Gaussians(), str(model))  # type: ignore[arg-type]
    doc = seed_folder(write_inputs(silicon), source)
    assert doc.occupancies == "predicted from 1 runs for 2 of 2 atoms"
    assert doc.occupancies_sha256 == file_sha256(model)


def test_predictions_of_another_kind_and_without_occupancies_are_refused(
    write_inputs: Callable[..., Path], silicon: Structure, library: str
) -> None:
    folder = write_inputs(silicon)
    other = seed_folder(folder, PredictedSource(Gaussians("PBEsol"), library))  # type: ignore[arg-type]
    assert "functional" in str(other.reason)
    bare = seed_folder(folder, PredictedSource(Gaussians()))  # type: ignore[arg-type]
    assert "no PAW occupancies" in str(bare.reason)


def test_a_stored_prediction_becomes_a_seed(
    write_inputs: Callable[..., Path], silicon: Structure, library: str, tmp_path: Path
) -> None:
    folder = write_inputs(silicon)
    store = str(tmp_path / "store")
    source = StoredSource(store, library=library)
    assert "no stored prediction" in str(seed_folder(folder, source).reason)
    structure = read_folder(folder).structure
    with open_stores(store) as stores:
        predicted = Predicted(Gaussians().predict(structure), 0.0, 0.0)
        store_prediction(stores, structure, predicted, predictor="gaussians", model_id=None)
    assert seed_folder(folder, source).status == "seeded"
    others = StoredSource(store, predictor="another", library=library)
    assert "no stored prediction" in str(seed_folder(folder, others, strategy="every").reason)


def test_sources_survive_json() -> None:
    source = PredictedSource(AtomicPredictor(), "library.json")
    again = MontyDecoder().process_decoded(jsanitize(source.as_dict()))
    assert again == source
    assert isinstance(again, SeedSource)
    assert StoredSource().name == "stored prediction"
