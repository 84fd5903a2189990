"""Keep trained models: a document each, and the checkpoint file as a blob."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scdp_flows.errors import ModelError, StoreError
from scdp_flows.schemas.training import ModelDoc, file_sha256
from scdp_flows.stores.documents import DocumentStore
from scdp_flows.stores.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from maggma.core import Store

    from scdp_flows.stores.blobs import BlobStore

__all__ = ["ModelStore"]


class ModelStore:
    """Keep models and their checkpoints.

    Parameters
    ----------
    store
        A connected maggma store with the key ``model_id``.
    blobs
        Where the checkpoints go.
    """

    def __init__(self, store: Store, blobs: BlobStore) -> None:
        self.documents = DocumentStore(store, ModelDoc).ensure_indexes("name", "kind_key")
        self.blobs = blobs

    def put_checkpoint(self, path: str | Path, doc: ModelDoc) -> ModelDoc:
        """Store a checkpoint file and its document.

        Parameters
        ----------
        path
            The checkpoint file.
        doc
            Its document, from ``ModelDoc.from_checkpoint``.

        Returns
        -------
        ModelDoc
            The stored document, with the reference of the file.

        Raises
        ------
        ModelError
            If the file cannot be read or is not the one that the document describes.
        StoreError
            If something cannot be written.
        """
        file = Path(path)
        try:
            payload = file.read_bytes()
        except OSError as error:
            raise ModelError(
                f"cannot read the checkpoint {file}: {error.strerror}; give the path of an "
                "existing checkpoint file"
            ) from error
        if hashlib.sha256(payload).hexdigest() != doc.model_id:
            raise ModelError(
                f"{file} is not the checkpoint that the document of {doc.name!r} describes; make "
                "the document with ModelDoc.from_checkpoint after the file is complete"
            )
        return self.documents.put(doc.updated(blob=self.blobs.put(payload)))

    def get(self, name: str) -> ModelDoc:
        """Return the model with an identifier or, failing that, the newest one of that name.

        Raises
        ------
        UnknownNameError
            If there is none.
        """
        return self.documents.get_named(name)

    def query(self, criteria: Mapping[str, Any] | None = None) -> Iterator[ModelDoc]:
        """Yield the models that satisfy a MongoDB query, one at a time."""
        return self.documents.query(criteria)

    def fetch(self, name: str, folder: str | Path) -> Path:
        """Copy a checkpoint into a folder, unless it is there already.

        Parameters
        ----------
        name
            Identifier or name of the model; of several with one name the newest is meant.
        folder
            Where to put the file; made when missing.

        Returns
        -------
        Path
            The file, whose content was checked.

        Raises
        ------
        UnknownNameError
            If there is no such model.
        ModelError
            If the model was stored without its checkpoint.
        StoreError
            If the blob is missing or damaged or the folder cannot be written.
        """
        doc = self.get(name)
        if doc.blob is None:
            raise ModelError(
                f"model {doc.name!r} ({doc.model_id[:16]}) was stored without its checkpoint; "
                "store it again with put_checkpoint"
            )
        file = Path(folder) / f"{doc.model_id[:16]}.safetensors"
        if file.is_file() and file_sha256(file) == doc.model_id:
            return file
        payload = self.blobs.get(doc.blob)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, payload)
        except OSError as error:
            raise StoreError(
                f"{file}: cannot be written: {error.strerror}; choose a folder that is writable"
            ) from error
        return file
