"""Explain what the databases of the engines say."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from scdp_flows.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["explained_databases"]

# Codes of MongoDB: Unauthorized, AuthenticationFailed, and the same from its hosted service.
_NOT_LET_IN = (13, 18, 8000)


@contextmanager
def explained_databases(where: str, described_in: str) -> Iterator[None]:
    """Say what to do when a database is away, refuses, or is described wrongly.

    Parameters
    ----------
    where
        Which database, such as ``"the database of FireWorks"``.
    described_in
        Where address, user and password stand.

    Raises
    ------
    StoreError
        In place of the errors of the client.
    """
    try:
        yield
    except ConnectionFailure as error:
        raise StoreError(
            f"{where} does not answer: {error}; start it, or correct its address in {described_in}"
        ) from error
    except OperationFailure as error:
        if error.code in _NOT_LET_IN:
            raise StoreError(
                f"{where} answers, but lets nobody in by this name and password: {error}; correct "
                f"them in {described_in}, or have the right to read and write granted"
            ) from error
        raise StoreError(f"{where} refuses: {error}; look at the server") from error
    except PyMongoError as error:
        raise StoreError(f"{where}: {error}; correct {described_in}") from error
