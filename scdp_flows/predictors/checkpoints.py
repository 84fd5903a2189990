"""Find the file of a model, wherever it is: on the disk, in a model store, or in the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from scdp_flows.errors import ModelError, UnknownNameError
from scdp_flows.predictors.model_cache import fetched_before, is_identifier, make_room
from scdp_flows.settings import get_settings
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from jobflow import OutputReference

    from scdp_models.predict import Model

__all__ = ["find_checkpoint", "load_model", "shipped_models"]

_SUFFIX = ".safetensors"
_CACHE = "checkpoints"


def find_checkpoint(model: str | OutputReference, store_path: str | None = None) -> Path:
    """Return the checkpoint file of a model.

    Parameters
    ----------
    model
        In this order: the path of a ``.safetensors`` file; identifier or name of a model in the
        model store (of several with one name the newest); name of a model that ships with the
        package.
    store_path
        Folder of the embedded stores; None takes the stores of the settings. Models from a store
        are copied once each: to the folder ``checkpoints`` in it or, from another ``MODEL_STORE``,
        to ``CACHE_PATH``, which is kept below ``CACHE_MB``.

    Raises
    ------
    ModelError
        If there is no such model; the message says where it was looked for.
    StoreError
        If the store cannot be read.
    """
    if not isinstance(model, str):
        raise ModelError(
            f"the model is {model}, not a name: where it is the output of a job, give the "
            "predictor to the make() of a job, which replaces the reference when it runs"
        )
    path = Path(model).expanduser()
    if path.suffix == _SUFFIX and path.is_file():
        return path
    tried = [f"no file {path}"]
    if path.suffix != _SUFFIX:
        for found in (_from_store(model, store_path), _shipped(model)):
            if isinstance(found, Path):
                return found
            tried.append(found)
    raise ModelError(
        f"there is no model {model!r}: {'; '.join(tried)}. Give the path of a {_SUFFIX} file, the "
        "name or identifier of a model in the store, or the name of a shipped model"
    )


def load_model(
    model: str | OutputReference,
    store_path: str | None = None,
    dtype: str = "float32",
    device: str = "cpu",
) -> Model:
    """Load a model; the last few are kept per process.

    Parameters
    ----------
    model, store_path
        See :func:`find_checkpoint`.
    dtype
        ``"float32"`` or ``"float64"``.
    device
        ``"cpu"``, or a GPU such as ``"cuda"``.

    Raises
    ------
    ModelError
        If there is no such model or device, or the file is no checkpoint of ours.
    """
    from scdp_models.errors import CheckpointError
    from scdp_models.predict import load

    path = find_checkpoint(model, store_path)
    try:
        return load(path, dtype, device=device)
    except CheckpointError as error:
        raise ModelError(
            f"model {model!r} cannot be used: {error}; give another model or copy the file anew"
        ) from error


def shipped_models() -> list[str]:
    """Return the names of the models that ship with the package."""
    folder = files("scdp_models") / "pretrained"
    if not folder.is_dir():
        return []
    names = [item.name for item in folder.iterdir()]
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


def _from_store(model: str, store_path: str | None) -> Path | str:
    """Return the model's file, or why there is none."""
    settings = get_settings()
    folder = settings.STORE_PATH if store_path is None else Path(store_path).expanduser()
    embedded = store_path is not None or settings.MODEL_STORE is None
    if embedded and not folder.is_dir():
        # Looking for a model must not leave an empty store behind.
        return f"no model store in {folder}"
    cache = folder.absolute() / _CACHE if embedded else settings.CACHE_PATH
    known = fetched_before(model, cache) if is_identifier(model) else None
    if known is not None:
        return known
    with open_stores(store_path) as stores:
        try:
            file = stores.models.fetch(model, cache)
        except UnknownNameError as error:
            names = ", ".join(error.known[:5]) or "none"
            return f"none in the model store at {stores.path} (there are: {names})"
    if not embedded:
        make_room(cache, settings.CACHE_MB * 1e6)
    return file


def _shipped(model: str) -> Path | str:
    """Return the file of a shipped model, or why there is none."""
    from scdp_models.errors import CheckpointError
    from scdp_models.predict import pretrained_path

    try:
        return pretrained_path(model)
    except CheckpointError as error:
        return str(error)
