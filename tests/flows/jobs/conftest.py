"""Labels in a store, for the steps that follow labelling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.jobs.label import LabelMaker

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule

    from scdp_flows.schemas.outputs import LabelOutput


@pytest.fixture
def store_path(tmp_path: Path) -> str:
    """Give the folder of the stores."""
    return str(tmp_path / "store")


@pytest.fixture
def labels(gaussian_code: Any, molecules: list[Molecule], store_path: str) -> list[str]:
    """Give the identifiers of six stored labels."""
    maker = LabelMaker(code=gaussian_code, store_path=store_path)
    output: LabelOutput = LabelMaker.make.original(maker, molecules)  # type: ignore[attr-defined]
    return output.density_ids
