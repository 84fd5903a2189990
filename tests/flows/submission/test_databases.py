"""A database that is away is told from one that refuses."""

from __future__ import annotations

import pytest
from pymongo.errors import (
    ConfigurationError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from scdp_flows.errors import StoreError
from scdp_flows.submission.databases import explained_databases


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ServerSelectionTimeoutError("refused"), "DB does not answer: refused; start it"),
        (OperationFailure("failed", 18), "DB answers, but lets nobody in .*: failed.* in FILE"),
        (OperationFailure("disk", 14031), "DB refuses: disk"),
        (ConfigurationError("odd"), "DB: odd; correct FILE"),
    ],
    ids=["away", "password", "refusal", "description"],
)
def test_each_trouble_has_its_remedy(error: PyMongoError, told: str) -> None:
    with pytest.raises(StoreError, match=f"^{told}"), explained_databases("DB", "FILE"):
        raise error
