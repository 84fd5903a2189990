"""Tests of waiting for servers."""

from __future__ import annotations

import pytest
from pymongo.errors import AutoReconnect, OperationFailure

from scdp_flows.errors import BlobError, StoreError
from scdp_flows.stores.outages import outlast


class _Away:
    """A server that is away for some calls."""

    def __init__(self, n_calls: int) -> None:
        self.n_left = n_calls

    def __call__(self) -> str:
        if self.n_left:
            self.n_left -= 1
            raise AutoReconnect("connection closed")
        return "here"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the pauses that are made, without making them."""
    made: list[float] = []
    monkeypatch.setattr("scdp_flows.stores.outages.time.sleep", made.append)
    return made


def test_pauses_grow_until_the_server_is_back(pauses: list[float]) -> None:
    assert outlast(_Away(7), "store") == "here"
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


def test_patience_has_an_end(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCDP_STORE_WAIT_S", "0")
    with pytest.raises(StoreError, match="store cannot be reached"):
        outlast(_Away(1), "store")
    assert not pauses


def test_a_refusal_is_no_reason_to_wait(pauses: list[float]) -> None:
    def refused() -> None:
        raise OperationFailure("not authorized")

    with pytest.raises(BlobError, match=r"store: not authorized.*password"):
        outlast(refused, "store", BlobError)
    assert not pauses


def test_errors_of_object_stores_are_known(pauses: list[float]) -> None:
    exceptions = pytest.importorskip("botocore.exceptions")
    left = [exceptions.EndpointConnectionError(endpoint_url="http://s3")]

    def away_once() -> str:
        if left:
            raise left.pop()
        return "here"

    assert outlast(away_once, "bucket", BlobError) == "here"
    assert pauses == [1]
