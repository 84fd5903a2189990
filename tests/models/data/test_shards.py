"""Samples on disk."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save

from scdp_models.data.samples import GridLabel, TrainingSample, make_sample, with_spin
from scdp_models.data.shards import ShardReader, pack_shard, write_shard
from scdp_models.errors import DensityError

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity


@pytest.fixture
def samples(
    label: OrbitalDensity, basis: BasisSet, reference: AtomicReference, grid: GridLabel
) -> list[TrainingSample]:
    """Give three samples, the first with a grid."""
    first = make_sample("a", label, basis, reference, grid=grid)
    return [first, replace(first, key="b", grid=None), replace(first, key="c", grid=None)]


def _assert_same(found: TrainingSample, expected: TrainingSample) -> None:
    assert found.key == expected.key
    for field in fields(expected.template):
        np.testing.assert_array_equal(
            getattr(found.template, field.name), getattr(expected.template, field.name)
        )
    np.testing.assert_array_equal(found.weights, expected.weights)
    assert (found.metric is None) == (expected.metric is None)
    if found.metric is not None and expected.metric is not None:
        np.testing.assert_array_equal(found.metric, expected.metric)
    assert (found.grid is None) == (expected.grid is None)
    if found.grid is not None and expected.grid is not None:
        np.testing.assert_array_equal(found.grid.values, expected.grid.values)
        np.testing.assert_array_equal(found.grid.origin, expected.grid.origin)
        np.testing.assert_array_equal(found.grid.cell, expected.grid.cell)


def test_samples_come_back_as_they_were(tmp_path: Path, samples: list[TrainingSample]) -> None:
    reader = ShardReader([write_shard(tmp_path / "one", samples)])
    assert reader.keys == ["a", "b", "c"]
    for index, sample in enumerate(samples):
        _assert_same(reader[index], sample)


def test_ions_come_back_with_their_spin_density(
    tmp_path: Path, label: OrbitalDensity, basis: BasisSet, reference: AtomicReference
) -> None:
    anion = make_sample("anion", label.scaled(9 / 8), basis, reference)
    sample = with_spin(anion, label.scaled(2 / 8))
    found = ShardReader([write_shard(tmp_path / "ions", [sample])])[0]
    assert (found.charge, found.unpaired) == (sample.charge, sample.unpaired) == (-1, 2)
    assert found.spin is not None
    np.testing.assert_array_equal(found.spin, sample.spin)
    assert found.template.charges @ found.spin == pytest.approx(2, abs=1e-9)
    assert found.template.n_electrons() == pytest.approx(1, abs=1e-9)
    with pytest.raises(DensityError, match="majority to have spin up"):
        with_spin(anion, label.scaled(-1 / 8))


def test_several_shards_read_as_one_in_any_order(
    tmp_path: Path, samples: list[TrainingSample]
) -> None:
    paths = [write_shard(tmp_path / "1", samples[:2]), write_shard(tmp_path / "2", samples[2:])]
    reader = ShardReader(paths)
    assert len(reader) == 3
    for index in (2, 0, 1, 2):
        _assert_same(reader[index], samples[index])


def test_reading_a_sample_leaves_the_others_on_disk(
    tmp_path: Path, samples: list[TrainingSample], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_shard(tmp_path / "one", samples)
    reader, taken = ShardReader([path]), []
    opened = reader._opened(path)

    class Spy:
        def get_tensor(self, name: str) -> np.ndarray:
            taken.append(name)
            array: np.ndarray = opened.stream.get_tensor(name)
            return array

    monkeypatch.setattr(reader, "_opened", lambda _: opened._replace(stream=Spy()))
    _assert_same(reader[1], samples[1])
    assert taken
    assert all(name.startswith("1/") for name in taken)


def test_the_header_of_a_shard_is_read_once(tmp_path: Path, samples: list[TrainingSample]) -> None:
    reader = ShardReader([write_shard(tmp_path / "one", samples)])
    for index in (0, 1, 2, 0):
        _ = reader[index]
    assert reader._opened.cache_info().misses == 1


def test_packing_the_same_samples_gives_the_same_bytes(samples: list[TrainingSample]) -> None:
    assert pack_shard(samples) == pack_shard(samples)


def test_a_truncated_shard_is_refused(tmp_path: Path, samples: list[TrainingSample]) -> None:
    payload = pack_shard(samples)
    for size in (0, 5, 100, len(payload) - 1):
        path = tmp_path / f"{size}.st"
        path.write_bytes(payload[:size])
        with pytest.raises(DensityError, match=rf"{size}\.st is not a readable.*build the dataset"):
            ShardReader([path])


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(DensityError, match=r"gone\.st is not a readable training shard"):
        ShardReader([tmp_path / "gone.st"])


@pytest.mark.parametrize("metadata", [None, {"version": "99", "keys": "[]"}])
def test_a_file_of_another_version_is_refused(
    tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    path = tmp_path / "other.st"
    path.write_bytes(save({"x": np.zeros(2)}, metadata=metadata))
    with pytest.raises(DensityError, match=r"other.st has shard version .*, expected 1"):
        ShardReader([path])


def test_what_all_samples_carry_is_known_without_reading_them(
    tmp_path: Path, samples: list[TrainingSample]
) -> None:
    unfitted = replace(samples[0], metric=None)
    whole = ShardReader([write_shard(tmp_path / "1", samples[:1])])
    mixed = ShardReader([tmp_path / "1", write_shard(tmp_path / "2", [unfitted])])
    assert whole.carries("metric")
    assert not mixed.carries("metric")
    assert mixed.carries("grid")
    assert not ShardReader([write_shard(tmp_path / "3", samples)]).carries("grid")
    _assert_same(mixed[1], unfitted)
