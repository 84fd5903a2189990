"""Training samples on disk: safetensors files, memory-mapped, one structure read at a time."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scdp_models.data.samples import GridLabel, TrainingSample
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.errors import DensityError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["ShardReader", "pack_shard", "write_shard"]

_VERSION = "1"
_METADATA_KEY = "scdp"
_OPEN_SHARDS = 16


def _arrays(sample: TrainingSample) -> dict[str, NDArray[np.generic]]:
    arrays = {f"density.{name}": value for name, value in sample.template.to_arrays().items()}
    arrays["weights"] = sample.weights
    if sample.charge or sample.unpaired:
        arrays["state"] = np.array([sample.charge, sample.unpaired])
    if sample.spin is not None:
        arrays["spin"] = sample.spin
    if sample.metric is not None:
        arrays["metric"] = sample.metric
    if sample.grid is not None:
        arrays["grid.values"] = sample.grid.values.astype(np.float32)
        arrays["grid.origin"] = sample.grid.origin
        arrays["grid.cell"] = sample.grid.cell
    return arrays


def pack_shard(samples: Sequence[TrainingSample]) -> bytes:
    """Serialise samples into the bytes of one shard."""
    from safetensors.numpy import save

    tensors = {
        f"{index}/{name}": np.ascontiguousarray(array)
        for index, sample in enumerate(samples)
        for name, array in _arrays(sample).items()
    }
    # One entry: several would be written in random order, and equal shards would differ in bytes.
    header = json.dumps({"version": _VERSION, "keys": [sample.key for sample in samples]})
    return bytes(save(tensors, metadata={_METADATA_KEY: header}))


def write_shard(path: str | Path, samples: Sequence[TrainingSample]) -> Path:
    """Write samples to one file; see :class:`ShardReader`."""
    destination = Path(path)
    destination.write_bytes(pack_shard(samples))
    return destination


class _OpenShard(NamedTuple):
    """A memory-mapped file, and the names of the arrays of each of its samples."""

    stream: Any
    names: dict[int, list[str]]


def _open_shard(path: Path) -> _OpenShard:
    from safetensors import safe_open

    stream: Any = safe_open(path, framework="np")
    names: dict[int, list[str]] = {}
    for name in stream.keys():  # noqa: SIM118 - not a mapping
        row, _, array = name.partition("/")
        names.setdefault(int(row), []).append(array)
    return _OpenShard(stream, names)


class ShardReader:
    """Random access to the samples of several shards without holding them in memory.

    Parameters
    ----------
    paths
        Files written by :func:`write_shard`.

    Raises
    ------
    DensityError
        If a file is not a shard, or is truncated.
    """

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self.paths = [Path(path) for path in paths]
        self._rows: list[tuple[int, int]] = []
        self.keys: list[str] = []
        # Reading the header of a large shard takes longer than reading a sample.
        self._opened = lru_cache(maxsize=_OPEN_SHARDS)(_open_shard)
        for number, path in enumerate(self.paths):
            keys = self._keys(path)
            self.keys.extend(keys)
            self._rows.extend((number, row) for row in range(len(keys)))

    @staticmethod
    def _keys(path: Path) -> list[str]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="np") as stream:
                header = json.loads((stream.metadata() or {}).get(_METADATA_KEY, "{}"))
        except (SafetensorError, OSError) as error:
            msg = f"{path} is not a readable training shard ({error}); build the dataset again"
            raise DensityError(msg) from error
        if header.get("version") != _VERSION:
            msg = f"{path} has shard version {header.get('version')}, expected {_VERSION}"
            raise DensityError(msg)
        return [str(key) for key in header["keys"]]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._rows)

    def __getitem__(self, index: int) -> TrainingSample:
        """Read one sample."""
        shard, row = self._rows[index]
        opened = self._opened(self.paths[shard])
        arrays = {name: opened.stream.get_tensor(f"{row}/{name}") for name in opened.names[row]}
        density = {
            name.removeprefix("density."): array
            for name, array in arrays.items()
            if name.startswith("density.")
        }
        grid = None
        if "grid.values" in arrays:
            grid = GridLabel(arrays["grid.values"], arrays["grid.origin"], arrays["grid.cell"])
        charge, unpaired = arrays.get("state", np.zeros(2)).tolist()
        return TrainingSample(
            key=self.keys[index],
            template=OrbitalDensity.from_arrays(density),
            weights=arrays["weights"],
            metric=arrays.get("metric"),
            grid=grid,
            charge=charge,
            unpaired=unpaired,
            spin=arrays.get("spin"),
        )

    def carries(self, part: str) -> bool:
        """Tell whether every sample has a part that may be left out, without reading it.

        Parameters
        ----------
        part
            ``"metric"`` (the label was fitted) or ``"grid"``.
        """
        return all(
            any(
                name.partition(".")[0] == part
                for name in self._opened(self.paths[shard]).names[row]
            )
            for shard, row in self._rows
        )
