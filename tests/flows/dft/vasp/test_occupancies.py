from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.vasp.augmentation import OccupancyLibrary
from scdp_flows.dft.vasp.fit import OccupancyModel, learn_occupancies
from scdp_flows.dft.vasp.harvested import harvest
from scdp_flows.dft.vasp.occupancies import read_occupancies
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_name_says_what_a_file_is(finished: Path, tmp_path: Path) -> None:
    library = OccupancyLibrary((harvest(finished),))
    library.write(tmp_path / "occupancies.json")
    learn_occupancies(library).write(tmp_path / "occupancies.safetensors")
    assert read_occupancies(tmp_path / "occupancies.json") == library
    assert isinstance(read_occupancies(tmp_path / "occupancies.safetensors"), OccupancyModel)
    with pytest.raises(CalculationError, match="no library"):
        read_occupancies(tmp_path / "nothing")
