"""Wait while a database or an object store is away, and explain what it says."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, TypeVar

from pymongo.errors import ConnectionFailure, PyMongoError

from scdp_flows.errors import StoreError
from scdp_flows.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["explained", "outlast", "server_errors"]

T = TypeVar("T")

_LONGEST_PAUSE_S = 30.0
_LOGGER = logging.getLogger(__name__)

Errors = tuple[type[Exception], ...]


def server_errors() -> Errors:
    """Return what servers of documents and of objects raise, as far as their clients are loaded."""
    return (PyMongoError, *_object_store_errors("BotoCoreError", "ClientError"))


def outlast(
    act: Callable[[], T], where: str, kind: type[StoreError] = StoreError, *, wait: bool = True
) -> T:
    """Do something with a server; while it cannot be reached, try again.

    What is written here may have taken hours to compute, and a server that is started anew is back
    in minutes. Hence it is asked again, after 1, 2, 4, ... s, for as long as ``STORE_WAIT_S`` says.

    Parameters
    ----------
    act
        What to do; doing it twice must be as good as doing it once.
    where
        Name of the store, for the message.
    kind
        Error to raise.
    wait
        Whether to try again at all.

    Raises
    ------
    StoreError
        If the server refuses, or is away for longer.
    """
    since, pause = time.monotonic(), 1.0
    while True:
        try:
            return act()
        except server_errors() as error:
            left = since + get_settings().STORE_WAIT_S - time.monotonic()
            if not wait or left <= 0 or not isinstance(error, _unreachable()):
                raise explained(error, where, kind) from error
            pause = min(pause, left)
            _LOGGER.warning("%s is away, trying again in %.1f s: %s", where, pause, error)
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def explained(error: Exception, where: str, kind: type[StoreError] = StoreError) -> StoreError:
    """Return what to raise for the error of a server."""
    if isinstance(error, _unreachable()):
        return kind(
            f"{where} cannot be reached from this machine: {error}; start the server, open the way "
            "to it, or send the job to a worker that reaches it. Workers without a way to any "
            "server can use stores of the type 'files' in a shared folder. What is stored is not "
            "computed again"
        )
    return kind(
        f"{where}: {error}; check that the server accepts writes, has space, and that name and "
        "password are right"
    )


def _unreachable() -> Errors:
    return (ConnectionFailure, *_object_store_errors("ConnectionError", "HTTPClientError"))


def _object_store_errors(*names: str) -> Errors:
    """Return errors of the client of S3, which is not loaded without need."""
    module = sys.modules.get("botocore.exceptions")
    return tuple(getattr(module, name) for name in names) if module is not None else ()
