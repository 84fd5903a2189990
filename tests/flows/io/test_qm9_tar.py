"""Names and splits of the QM9 densities."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import DatasetError
from scdp_flows.io.qm9_tar import (
    N_MOLECULES,
    check_index_rule,
    density_file,
    molecule_index,
    read_datasplits,
)

if TYPE_CHECKING:
    from pathlib import Path

# The first molecules of QM9: methane, ammonia, water, acetylene, hydrogen cyanide, ...
_QM9 = ["CH4", "H3N", "H2O", "C2H2", "CHN", "CH2O", "C2H6", "CH4O"]


def _splits(path: Path, shift: int = 0) -> Path:
    everything = [i + shift for i in range(N_MOLECULES)]
    content = {"train": everything[60:], "validation": everything[:50], "test": everything[50:60]}
    path.write_text(json.dumps(content))
    return path


def test_indices_count_from_zero_and_files_from_one() -> None:
    assert [molecule_index(f"000xxx/{n:06d}.CHGCAR.lz4") for n in (1, N_MOLECULES)] == [0, 133884]
    assert molecule_index(density_file(41)) == 41
    for name in ("000000.CHGCAR.lz4", "133886.CHGCAR.lz4", "1.CHGCAR"):
        with pytest.raises(DatasetError, match="no file of the QM9 densities"):
            molecule_index(name)


def test_official_splits_name_every_molecule_once(tmp_path: Path) -> None:
    splits = read_datasplits(_splits(tmp_path / "x.json"))
    assert {name: len(ids) for name, ids in splits.items()} == {
        "train": N_MOLECULES - 60, "validation": 50, "test": 10,
    }  # fmt: skip
    with pytest.raises(DatasetError, match="each of 0 to 133884 once"):
        read_datasplits(_splits(tmp_path / "x.json", shift=1))


def test_the_index_rule_is_proved_by_composition() -> None:
    files = {f"{i + 1:06d}.CHGCAR.lz4": formula for i, formula in enumerate(_QM9)}
    check_index_rule(files, _QM9)
    shifted = {f"{i:06d}.CHGCAR.lz4": _QM9[i] for i in range(1, 8)}
    with pytest.raises(DatasetError, match="not numbered from 1 in the order of QM9"):
        check_index_rule(shifted, _QM9)
    with pytest.raises(DatasetError, match="compare more"):
        check_index_rule({}, _QM9)
