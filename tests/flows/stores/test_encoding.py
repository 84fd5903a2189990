from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bson import ObjectId

from scdp_flows.errors import StoreError
from scdp_flows.stores.encoding import decode_document, encode_document, find_array


def _there_and_back(document: Any) -> Any:
    return decode_document(encode_document(document, where="here"))


def test_what_mongodb_keeps_comes_back() -> None:
    identifier = ObjectId()
    document = {
        "text": 'ä "quoted" \n\0',
        "numbers": [1, -2.5, 1e-300, 2**60],
        "nested": {"none": None, "true": True},
        "when": datetime(2026, 1, 2, 3, 4, 5, 678000),  # noqa: DTZ001
        "bytes": b"\x00\xff",
        "_id": identifier,
    }
    assert _there_and_back(document) == document


def test_times_become_utc_in_milliseconds() -> None:
    found = _there_and_back({"t": datetime(2026, 1, 1, microsecond=1999, tzinfo=UTC)})
    assert found == {"t": datetime(2026, 1, 1, microsecond=1000)}  # noqa: DTZ001


def test_non_finite_numbers_survive() -> None:
    found = _there_and_back({"a": math.inf, "b": [-math.inf, math.nan]})
    assert found["a"] == math.inf
    assert math.isnan(found["b"][1])


def test_scalars_of_numpy_paths_and_tuples_become_plain() -> None:
    document = {"a": np.float32(0.5), "b": np.int64(3), "c": Path("x/y"), "d": (1, 2), 5: "e"}
    assert _there_and_back(document) == {"a": 0.5, "b": 3, "c": "x/y", "d": [1, 2], "5": "e"}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"grid": np.zeros(3)}, "grid"),
        ({"a": [{"b": {"values": np.zeros(3)}}]}, "a.0.b.values"),
        ({"a": (1, np.zeros(()))}, "a.1"),
    ],
)
def test_arrays_are_refused_by_name(document: dict[str, Any], path: str) -> None:
    assert find_array(document) == path
    with pytest.raises(StoreError, match=f"here: field '{path}' is an array.*blob"):
        encode_document(document, where="here")


@pytest.mark.parametrize("document", [[1, 2], "text", None, 3])
def test_a_document_is_a_dictionary(document: Any) -> None:
    with pytest.raises(StoreError, match="a document is a dictionary"):
        encode_document(document, where="here")


def test_what_refers_to_itself_is_refused() -> None:
    document: dict[str, Any] = {}
    document["self"] = [document]
    with pytest.raises(StoreError, match="here"):
        encode_document(document, where="here")
