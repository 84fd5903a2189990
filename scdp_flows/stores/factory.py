"""Open the stores: embedded in a folder by default, anything of maggma's by settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from jobflow.core.store import JobStore
from maggma.core import Store
from monty.json import MontyDecoder

from scdp_flows.errors import SettingsError, UnknownNameError
from scdp_flows.plugins import available, resolve
from scdp_flows.settings import StoreSpec, get_settings
from scdp_flows.stores.curation import CurationStore
from scdp_flows.stores.datasets import DatasetStore
from scdp_flows.stores.densities import DensityStore
from scdp_flows.stores.documents import SHARED_KEY
from scdp_flows.stores.folder_blobs import FolderBlobStore
from scdp_flows.stores.maggma_blobs import MaggmaBlobStore
from scdp_flows.stores.models import ModelStore
from scdp_flows.stores.outages import outlast
from scdp_flows.stores.reports import ReportStore
from scdp_flows.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from scdp_flows.settings import ScdpSettings
    from scdp_flows.stores.blobs import BlobStore

__all__ = ["Stores", "job_store", "open_stores", "store_from_spec"]

_FILE = "scdp.sqlite"
_JOBS_FILE = "jobs.sqlite"
_BLOBS = "blobs"


@dataclass(frozen=True)
class Stores:
    """Hold all open stores of one place.

    Close them when done, or use them as a context manager.
    """

    densities: DensityStore
    """Labelled densities."""
    datasets: DatasetStore
    """Datasets made of them."""
    curation: CurationStore
    """Pools, splits, statistics and leaderboards."""
    models: ModelStore
    """Checkpoints trained on datasets."""
    reports: ReportStore
    """Predictions, evaluations, seed comparisons and reports."""
    blobs: BlobStore
    """Arrays and files of all of them."""
    path: Path
    """Folder of the embedded stores."""
    connected: tuple[Store, ...]
    """The maggma stores behind, which closing closes."""

    def close(self) -> None:
        """Close all stores; closing twice is harmless."""
        for store in self.connected:
            store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_stores(path: str | Path | None = None) -> Stores:
    """Open all stores.

    Parameters
    ----------
    path
        Folder of the embedded stores, made when missing. None takes the stores that the settings
        name, and ``STORE_PATH`` for those that they do not name. ``DENSITY_STORE`` also says where
        datasets and splits go, to collections of their own; ``BLOB_STORE`` is a maggma store or
        ``{"type": "folder", "path": ...}``.

    Raises
    ------
    StoreError
        If a store cannot be opened.
    SettingsError
        If the settings name an impossible store.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, open_stores(folder) as stores:
    ...     stores.densities.count()
    0
    """
    settings = get_settings() if path is None else None
    # Absolute, because every job runs in a folder of its own.
    folder = Path(settings.STORE_PATH if settings else path or ".").expanduser().absolute()
    specs = _specs(settings)
    opened: list[Store] = []
    try:
        blobs = _open_blobs(settings.BLOB_STORE if settings else None, folder, opened)
        stores = {
            name: _open(spec, folder, name=name, key=key, opened=opened)
            for name, (spec, key) in specs.items()
        }
        models = ModelStore(stores["models"], blobs)
        return Stores(
            densities=DensityStore(stores["densities"], blobs),
            datasets=DatasetStore(stores["datasets"], blobs, users=_trained_on(models)),
            curation=CurationStore(stores["curation"], blobs),
            models=models,
            reports=ReportStore(stores["reports"]),
            blobs=blobs,
            path=folder,
            connected=tuple(opened),
        )
    except BaseException:
        for store in opened:
            store.close()
        raise


def _trained_on(models: ModelStore) -> Callable[[str], list[str]]:
    """Return a function that names the models trained on a dataset."""

    def users(dataset_id: str) -> list[str]:
        return [doc.name for doc in models.query({"dataset_id": dataset_id})]

    return users


def job_store(path: str | Path | None = None) -> JobStore:
    """Return jobflow's store of job outputs, kept in the folder of the embedded stores.

    It lasts, needs no server, and has the additional store ``data`` for the large objects of
    atomate2.

    Parameters
    ----------
    path
        The folder; None takes ``STORE_PATH`` of the settings.

    Returns
    -------
    JobStore
        Not connected; ``run_locally`` and the other managers connect it.
    """
    folder = Path(get_settings().STORE_PATH if path is None else path)
    file = folder.expanduser().absolute() / _JOBS_FILE
    return JobStore(
        SqliteStore(file, "outputs", key="uuid"),
        additional_stores={"data": SqliteStore(file, "data", key="blob_uuid")},
    )


def store_from_spec(spec: StoreSpec) -> Store:
    """Build a maggma store, not connected, from plain data.

    Parameters
    ----------
    spec
        Either what ``Store.as_dict`` returned, with ``@module`` and ``@class``, or ``type`` with
        the arguments of the class: ``{"type": "MongoStore", "database": ..., ...}``. Types are the
        classes of ``maggma.stores`` and the plugins of the group ``stores``. An ``index``, as
        S3Store has, is given in the same way.

    Raises
    ------
    SettingsError
        If the type is unknown or its arguments are wrong.

    Examples
    --------
    >>> store_from_spec({"type": "MemoryStore", "key": "density_id"}).key
    'density_id'
    """
    arguments = dict(spec)
    try:
        if "type" in arguments and isinstance(arguments.get("index"), dict):
            arguments["index"] = store_from_spec(arguments["index"])
        if "@class" in arguments:
            store = MontyDecoder().process_decoded(arguments)
        else:
            store = _store_class(arguments.pop("type", ""))(**arguments)
    except (TypeError, ValueError, ImportError) as error:
        raise SettingsError(
            f"the store {_without_secrets(spec)} cannot be built: {error}; correct its arguments"
        ) from error
    if not isinstance(store, Store):
        raise SettingsError(
            f"{_without_secrets(spec)} is no maggma store; give '@module' and '@class' of one, or "
            "'type' and arguments"
        )
    return store


def _store_class(name: str) -> Any:
    if name in available("stores"):
        return resolve("stores", name)
    # Its classes need boto3, paramiko and more, which the embedded stores do without.
    from maggma import stores as known_stores

    found = getattr(known_stores, name, None) if name.endswith("Store") else None
    if found is None:
        known = [n for n in dir(known_stores) if n.endswith("Store")] + available("stores")
        raise SettingsError(str(UnknownNameError(name, known, what="store type")))
    return found


def _without_secrets(spec: StoreSpec) -> StoreSpec:
    # Messages end up in logs, and a URI or a profile can hold a password.
    hidden = ("password", "uri", "secret", "token")
    return {
        k: "..." if isinstance(v, dict) or any(word in k.lower() for word in hidden) else v
        for k, v in spec.items()
    }


def _specs(settings: ScdpSettings | None) -> dict[str, tuple[StoreSpec | None, str]]:
    """Return specification and key of each document store; None stands for the embedded one."""
    densities = settings.DENSITY_STORE if settings else None
    return {
        "densities": (densities, "density_id"),
        "datasets": (_beside(densities, "datasets"), "dataset_id"),
        "curation": (_beside(densities, "curation"), SHARED_KEY),
        "models": (settings.MODEL_STORE if settings else None, "model_id"),
        "reports": (settings.REPORT_STORE if settings else None, SHARED_KEY),
    }


def _beside(spec: StoreSpec | None, name: str) -> StoreSpec | None:
    """Return the specification of another collection in the same place."""
    if spec is None:
        return None
    collection = spec.get("collection_name")
    return {**spec, "collection_name": f"{collection}_{name}" if collection else name}


def _open(
    spec: StoreSpec | None, folder: Path, *, name: str, key: str, opened: list[Store]
) -> Store:
    store = SqliteStore(folder / _FILE, name) if spec is None else store_from_spec(spec)
    store.key = key
    store.connect()
    opened.append(store)
    # The first thing that is asked of a server. Without the index every search reads everything.
    outlast(lambda: store.ensure_index(key), store.name, wait=False)
    return store


def _open_blobs(spec: StoreSpec | None, folder: Path, opened: list[Store]) -> BlobStore:
    if spec is None:
        return FolderBlobStore(folder / _BLOBS)
    if spec.get("type") == "folder":
        return FolderBlobStore(spec.get("path", folder / _BLOBS))
    return MaggmaBlobStore(_open(spec, folder, name=_BLOBS, key="blob_key", opened=opened))
