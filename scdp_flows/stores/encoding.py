"""Write documents as JSON text and read them back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from bson import json_util
from monty.json import jsanitize

from scdp_flows.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["decode_document", "encode_document", "find_array"]

# Dates, ObjectIds, bytes and non-finite numbers become {"$date": ...} and so on; dates come back
# naive and in UTC, as from a MongoDB client.
_OPTIONS = json_util.JSONOptions(json_mode=json_util.JSONMode.RELAXED, tz_aware=False)


def encode_document(document: Any, *, where: str) -> str:
    """Return a document as JSON text.

    Parameters
    ----------
    document
        A dictionary, or an object that monty can turn into one.
    where
        The store, for messages.

    Raises
    ------
    StoreError
        If the document holds an array, is no document, or holds what JSON cannot.
    """
    try:
        text = json.dumps(document, default=_default, allow_nan=False)
    except (TypeError, ValueError):
        # Arrays, keys that are no strings, NaN and infinity are rare: only they pay for a search
        # and a second pass.
        text = _encode_slowly(document, where)
    if not text.startswith("{"):
        raise StoreError(f"{where}: a document is a dictionary, found {type(document).__name__}")
    return text


def decode_document(text: str) -> Any:
    """Return the document that ``encode_document`` wrote."""
    if '"$' not in text:
        return json.loads(text)
    return json_util.loads(text, json_options=_OPTIONS)


def find_array(value: Any) -> str | None:
    """Return the dotted name of the first numpy array inside a value, None if there is none."""
    return next(_array_paths(value, ""), None)


def _array_paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, np.ndarray):
        yield path
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _array_paths(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _array_paths(item, f"{path}.{index}")


def _default(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        raise TypeError("arrays are refused")
    try:
        return json_util.default(value, _OPTIONS)
    except (TypeError, ValueError):
        return jsanitize(value, allow_bson=True, recursive_msonable=True)


def _encode_slowly(document: Any, where: str) -> str:
    try:
        path = find_array(document)
        if path is not None:
            raise StoreError(
                f"{where}: field {path!r} is an array and documents hold none; put arrays in a "
                "blob and store its reference"
            )
        plain = jsanitize(document, allow_bson=True, recursive_msonable=True)
        return json_util.dumps(plain, json_options=_OPTIONS, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"{where}: cannot write the document as JSON: {error}") from error
