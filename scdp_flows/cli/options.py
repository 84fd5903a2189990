"""Define the options that several commands share, and read their values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from scdp_flows.errors import SettingsError
from scdp_flows.io.structures import AtomicStructure, read_structures
from scdp_flows.predictors.scdp import ScdpPredictor

__all__ = [
    "DatasetOption",
    "ModelsOption",
    "ProcessesOption",
    "StoreOption",
    "as_path",
    "parse_pairs",
    "predictors",
    "read_all",
]

StoreOption = Annotated[
    Path | None,
    typer.Option(help="Folder of the embedded stores; default: as the settings say, scdp_data."),
]
ProcessesOption = Annotated[
    int | None,
    typer.Option("--processes", "-j", min=1, help="Structures at a time; default: all cores."),
]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", help="Name, identifier or .safetensors file; may be repeated."),
]
DatasetOption = Annotated[
    str | None, typer.Option(help="Name or identifier of a dataset in the store.")
]


def as_path(store: Path | None) -> str | None:
    """Return the folder as Makers take it."""
    return None if store is None else str(store)


def parse_pairs(pairs: Sequence[str] | None, option: str) -> dict[str, Any]:
    """Read values given as ``NAME=VALUE``; numbers, lists and true or false as in JSON.

    Parameters
    ----------
    pairs
        What was given.
    option
        Name of the option, for messages.

    Raises
    ------
    SettingsError
        If there is no equals sign, or a name is given twice.

    Examples
    --------
    >>> parse_pairs(["n_steps=200", "loss=coulomb"], "--set")
    {'n_steps': 200, 'loss': 'coulomb'}
    """
    found: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise SettingsError(f"{option} {pair!r}; expected {option} NAME=VALUE")
        if name in found:
            raise SettingsError(f"{option} {name} is given twice; give it once")
        try:
            found[name] = json.loads(text)
        except json.JSONDecodeError:
            found[name] = text
    return found


def read_all(files: Sequence[Path]) -> dict[str, AtomicStructure]:
    """Read all structures of some files, by names made of those of the files.

    Raises
    ------
    StructureError
        If a file is missing, malformed or empty.
    """
    found: dict[str, AtomicStructure] = {}
    for file in files:
        frames = read_structures(file)
        stem = file.name.split(".")[0]
        for index, frame in enumerate(frames):
            name = stem if len(frames) == 1 else f"{stem}_{index:04d}"
            while name in found:
                name += "_"
            found[name] = frame
    return found


def predictors(models: Sequence[str] | None, store: Path | None) -> list[ScdpPredictor]:
    """Return a predictor for each model, which bears the model's name.

    Parameters
    ----------
    models
        Names, identifiers or files.
    store
        Folder of the embedded stores in which they are sought.
    """
    names: Mapping[str, str] = {model: Path(model).stem for model in models or ()}
    return [ScdpPredictor(m, store_path=as_path(store), name=n) for m, n in names.items()]
