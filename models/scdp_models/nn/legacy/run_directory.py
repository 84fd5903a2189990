"""Official run directories, read without running anything that is in them.

A directory holds a Lightning checkpoint, ``config.yaml`` and ``metadata.json``. The checkpoint is a
pickle: classes that an official one is known to hold are replaced by stubs without behaviour, and
a file that asks for anything else is refused by the name of what it asks for.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch

from scdp_models.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RunDirectory", "read_run_directory"]

_EPOCH = re.compile(r"epoch=(\d+)")
_CONTAINERS = ("base.ContainerMetadata", "dictconfig.DictConfig", "listconfig.ListConfig")
_NODES = (
    "AnyNode",
    "BooleanNode",
    "BytesNode",
    "FloatNode",
    "IntegerNode",
    "PathNode",
    "StringNode",
)
_NUMPY = ("multiarray.scalar", "multiarray._reconstruct")
_ALLOWED = frozenset(
    [
        "builtins.bool",
        "builtins.dict",
        "builtins.float",
        "builtins.int",
        "builtins.list",
        "builtins.str",
        "collections.defaultdict",
        "lightning.fabric.utilities.data.AttributeDict",
        "lightning.pytorch.utilities.parsing.AttributeDict",
        "numpy.dtype",
        "numpy.ndarray",
        *(f"numpy.{core}.{name}" for core in ("core", "_core") for name in _NUMPY),
        "omegaconf.base.Metadata",
        *(f"omegaconf.{name}" for name in _CONTAINERS),
        *(f"omegaconf.nodes.{name}" for name in _NODES),
        "pytorch_lightning.utilities.parsing.AttributeDict",
        "torch_ema.ema.ExponentialMovingAverage",
        "typing.Any",
    ]
)
# Buffers of the official network; everything else below "model." is a trained parameter.
_BUFFERS = re.compile(r".*(distance_expansion\.offset|\.output_mask|\._w3j_\d+_\d+_\d+)$")


class _Stub:
    """Takes the place of any allowed class: it can be made, filled and forgotten."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass

    def __setitem__(self, _: Any, __: Any) -> None:
        pass


@dataclass(frozen=True)
class RunDirectory:
    """An official run.

    Attributes
    ----------
    checkpoint
        The file the weights are from.
    state
        State dict of the official Lightning module, averaged where that was asked for.
    hparams
        Hyper-parameters: the section ``model`` of ``config.yaml``, with ``metadata``.
    progress
        Epoch and step of the checkpoint.
    """

    checkpoint: Path
    state: Mapping[str, torch.Tensor]
    hparams: Mapping[str, Any]
    progress: Mapping[str, int]


def _find_checkpoint(folder: Path) -> Path:
    """Return the checkpoint of the latest epoch, as the official evaluation does."""
    if not folder.is_dir():
        msg = f"{folder} is no folder; give an official run directory"
        raise CheckpointError(msg)
    numbered = {
        int(found[1]): path for path in folder.glob("*.ckpt") if (found := _EPOCH.search(path.name))
    }
    if numbered:
        return numbered[max(numbered)]
    others = sorted(folder.glob("*.ckpt"))
    if len(others) == 1:
        return others[0]
    if folder / "last.ckpt" in others:
        return folder / "last.ckpt"
    names = ", ".join(path.name for path in others) or "none"
    msg = f"{folder} has no single checkpoint (found: {names}); keep one *.ckpt file in it"
    raise CheckpointError(msg)


def _refuse_strangers(wanted: set[str], path: Path) -> None:
    refused = sorted(wanted - _ALLOWED)
    if refused:
        msg = (
            f"{path} asks to load {', '.join(refused)}, which no official checkpoint needs; it was "
            "not opened. Get the file from its authors"
        )
        raise CheckpointError(msg)


def _load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a Lightning checkpoint; all but tensors and plain values become stubs."""
    unreadable = (RuntimeError, KeyError, OSError, EOFError, UnpicklingError)
    # The messages of torch recommend to read a file unsafely; they stay behind this one.
    msg = f"{path} is no Lightning checkpoint that can be read; it may be truncated"
    try:
        wanted = set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except (*unreadable, ValueError) as error:
        raise CheckpointError(msg) from error
    _refuse_strangers(wanted, path)
    try:
        with torch.serialization.safe_globals([(_Stub, name) for name in sorted(wanted)]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (*unreadable, ValueError) as error:
        raise CheckpointError(msg) from error
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        msg = f"{path} has no 'state_dict'; give the checkpoint that the official training wrote"
        raise CheckpointError(msg)
    return content


def _averaged(content: Mapping[str, Any], path: Path) -> dict[str, torch.Tensor]:
    """Return the state dict with the moving averages in place of the raw parameters."""
    averages = content.get("ema_state_dict")
    shadow = averages.get("shadow_params") if isinstance(averages, dict) else None
    if not shadow:
        msg = f"{path} has no 'ema_state_dict'; import its raw weights (use_ema=False, --no-ema)"
        raise CheckpointError(msg)
    state = dict(content["state_dict"])
    names = [n for n in state if n.startswith("model.") and not _BUFFERS.match(n)]
    shapes = [tuple(state[name].shape) for name in names]
    if shapes != [tuple(tensor.shape) for tensor in shadow]:
        msg = (
            f"the {len(shadow)} moving averages in {path} do not fit its {len(names)} parameters; "
            "import its raw weights (use_ema=False, --no-ema)"
        )
        raise CheckpointError(msg)
    return state | dict(zip(names, shadow, strict=True))


def _read_document(path: Path) -> dict[str, Any]:
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        msg = f"{path} cannot be read ({error}); a run directory holds config.yaml, metadata.json"
        raise CheckpointError(msg) from error
    if not isinstance(document, dict):
        msg = f"{path} holds no mapping; give the file that the official training wrote"
        raise CheckpointError(msg)
    return document


def read_run_directory(folder: str | Path, *, use_ema: bool = True) -> RunDirectory:
    """Read the directory of an official run.

    Parameters
    ----------
    folder
        Holds a Lightning checkpoint, ``config.yaml`` and ``metadata.json``.
    use_ema
        Whether to take the moving averages of the weights, as the official evaluation does.

    Raises
    ------
    CheckpointError
        If a file is missing, unreadable or asks for code to be loaded.
    """
    place = Path(folder)
    path = _find_checkpoint(place)
    config = _read_document(place / "config.yaml")
    metadata = _read_document(place / "metadata.json")
    content = _load_checkpoint(path)
    state = _averaged(content, path) if use_ema else dict(content["state_dict"])
    return RunDirectory(
        checkpoint=path,
        state=state,
        hparams={**config, "metadata": metadata},
        progress={name: int(content.get(name, 0)) for name in ("epoch", "global_step")},
    )
