"""Serve MongoDB's wire protocol on loopback, over mongomock-ng and in memory.

``python tests/mongo_server.py`` prints its port and serves until its standard input ends. Clients
are real ones, in other processes; the server is a stand-in: it knows no transactions, no change
streams and no passwords. It forgets everything when it ends, unless ``--journal FILE`` is given:
then every change is on the disk before it is answered, as with a real server, and a later server
with the same file starts with them. ``--port`` gives that one the port of the earlier.
"""

from __future__ import annotations

import argparse
import itertools
import os
import socketserver
import struct
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import bson
from bson.codec_options import CodecOptions
from mongomock_ng import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Document = dict[str, Any]

_HEADER = struct.Struct("<iiii")
_OP_QUERY, _OP_REPLY, _OP_MSG = 2004, 1, 2013
_BATCH_BYTES = 8 * 2**20
_DUPLICATE_KEY = 11000
_CHANGES = {
    "insert",
    "update",
    "delete",
    "findandmodify",
    "createindexes",
    "dropindexes",
    "drop",
    "dropdatabase",
}
_HELLO = {
    "helloOk": True,
    "isWritablePrimary": True,
    "ismaster": True,
    "maxBsonObjectSize": 16 * 2**20,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "logicalSessionTimeoutMinutes": 30,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "readOnly": False,
}


class Database:
    """Map commands onto the collections of mongomock-ng."""

    def __init__(self, journal: Path | None = None) -> None:
        self._client: Any = MongoClient(tz_aware=False)
        self._journal: IO[bytes] | None = None
        self._cursors: dict[int, tuple[str, Iterator[Document]]] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        if journal is not None:
            self._recover(journal)
            self._journal = journal.open("ab")

    def _recover(self, journal: Path) -> None:
        """Do again what an earlier server has done; a last command may have been cut short."""
        if not journal.is_file():
            return
        with journal.open("rb") as stream:
            try:
                for body in bson.decode_file_iter(stream):
                    self.run(body)
            except bson.InvalidBSON:
                return

    def run(self, body: Document) -> Document:
        """Execute one command and return its reply."""
        name = next(iter(body))
        if name.lower() in {"hello", "ismaster"}:
            return {**_HELLO, "ok": 1.0}
        action: Callable[[Document], Document] | None = getattr(self, f"_{name.lower()}", None)
        if action is None:
            return {"ok": 0.0, "code": 59, "errmsg": f"no such command: {name}"}
        with self._lock:
            try:
                # Before the action, which adds identifiers to documents, but not to those here.
                entry = bson.encode(body) if name.lower() in _CHANGES else b""
                reply = {**action(body), "ok": 1.0}
                if self._journal is not None and entry:
                    self._journal.write(entry)
                    self._journal.flush()
                    os.fsync(self._journal.fileno())
            except OperationFailure as error:
                return {"ok": 0.0, "code": error.code or 2, "errmsg": str(error)}
            except (PyMongoError, ValueError, TypeError, NotImplementedError) as error:
                return {"ok": 0.0, "code": 2, "errmsg": f"{type(error).__name__}: {error}"}
            return reply

    def _collection(self, body: Document) -> Any:
        return self._client[body["$db"]][next(iter(body.values()))]

    # ------------------------------------------------------------------------------ the server
    def _ping(self, _: Document) -> Document:
        return {}

    _endsessions = _killcursors = _committransaction = _ping

    def _buildinfo(self, _: Document) -> Document:
        return {"version": "7.0.0", "versionArray": [7, 0, 0, 0], "maxBsonObjectSize": 16 * 2**20}

    def _listcollections(self, body: Document) -> Document:
        names = self._client[body["$db"]].list_collection_names()
        wanted = body.get("filter", {}).get("name")
        rows = [{"name": n, "type": "collection"} for n in names if wanted in (None, n)]
        return self._cursor(f"{body['$db']}.$cmd.listCollections", iter(rows))

    def _drop(self, body: Document) -> Document:
        self._collection(body).drop()
        return {}

    def _dropdatabase(self, body: Document) -> Document:
        self._client.drop_database(body["$db"])
        return {}

    # --------------------------------------------------------------------------------- writing
    def _insert(self, body: Document) -> Document:
        collection, errors, done = self._collection(body), [], 0
        for index, document in enumerate(body["documents"]):
            try:
                collection.insert_one(document)
                done += 1
            except PyMongoError as error:
                errors.append(_write_error(index, error))
                if body.get("ordered", True):
                    break
        return {"n": done} | ({"writeErrors": errors} if errors else {})

    def _update(self, body: Document) -> Document:
        collection, reply, upserted = self._collection(body), {"n": 0, "nModified": 0}, []
        errors = []
        for index, one in enumerate(body["updates"]):
            change, upsert = one["u"], one.get("upsert", False)
            try:
                if not _is_operator(change):
                    done = collection.replace_one(one["q"], change, upsert=upsert)
                else:
                    many = collection.update_many if one.get("multi") else collection.update_one
                    filters = one.get("arrayFilters")
                    done = many(one["q"], change, upsert=upsert, array_filters=filters)
            except PyMongoError as error:
                errors.append(_write_error(index, error))
                break
            reply["nModified"] += done.modified_count or 0
            reply["n"] += done.matched_count
            if done.upserted_id is not None:
                reply["n"] += 1
                upserted.append({"index": index, "_id": done.upserted_id})
        extra = ("upserted", upserted), ("writeErrors", errors)
        return reply | {name: rows for name, rows in extra if rows}

    def _delete(self, body: Document) -> Document:
        collection, removed = self._collection(body), 0
        for one in body["deletes"]:
            remove = collection.delete_one if one.get("limit") else collection.delete_many
            removed += remove(one["q"]).deleted_count
        return {"n": removed}

    def _findandmodify(self, body: Document) -> Document:
        collection, query = self._collection(body), body.get("query", {})
        options: Document = {"projection": body.get("fields"), "sort": _pairs(body.get("sort"))}
        if body.get("remove"):
            return {"value": collection.find_one_and_delete(query, **options)}
        options |= {"upsert": body.get("upsert", False), "return_document": body.get("new", False)}
        change = body["update"]
        if not _is_operator(change):
            return {"value": collection.find_one_and_replace(query, change, **options)}
        if body.get("arrayFilters"):
            options["array_filters"] = body["arrayFilters"]
        return {"value": collection.find_one_and_update(query, change, **options)}

    def _createindexes(self, body: Document) -> Document:
        for index in body["indexes"]:
            unique = index.get("unique", False)
            self._collection(body).create_index(_pairs(index["key"]), unique=unique)
        return {}

    def _dropindexes(self, body: Document) -> Document:
        collection, names = self._collection(body), body["index"]
        if names == "*":
            collection.drop_indexes()
        else:
            for name in [names] if isinstance(names, str) else names:
                collection.drop_index(name)
        return {}

    # --------------------------------------------------------------------------------- reading
    def _find(self, body: Document) -> Document:
        found = self._collection(body).find(
            body.get("filter") or {},
            body.get("projection") or None,
            skip=body.get("skip", 0),
            limit=abs(body.get("limit", 0)),
            sort=_pairs(body.get("sort")),
        )
        # A list, because another client may write before the next batch is asked for.
        return self._cursor(_namespace(body), iter(list(found)), body.get("batchSize", 101))

    def _aggregate(self, body: Document) -> Document:
        found = self._collection(body).aggregate(body["pipeline"])
        return self._cursor(_namespace(body), iter(list(found)))

    def _listindexes(self, body: Document) -> Document:
        indexes = self._collection(body).index_information()
        rows = [{"name": n, "key": dict(i["key"]), "v": 2} for n, i in indexes.items()]
        return self._cursor(_namespace(body), iter(rows))

    def _count(self, body: Document) -> Document:
        return {"n": self._collection(body).count_documents(body.get("query") or {})}

    def _distinct(self, body: Document) -> Document:
        return {"values": self._collection(body).distinct(body["key"], body.get("query") or {})}

    def _getmore(self, body: Document) -> Document:
        number = body["getMore"]
        if number not in self._cursors:
            raise OperationFailure("cursor not found", 43)
        namespace, rows = self._cursors.pop(number)
        return self._cursor(namespace, rows, body.get("batchSize", 0), field="nextBatch")

    def _cursor(
        self, namespace: str, rows: Iterator[Document], size: int = 0, field: str = "firstBatch"
    ) -> Document:
        batch: list[Document] = []
        n_bytes, number = 0, 0
        for row in rows:
            batch.append(row)
            n_bytes += len(bson.encode(row))
            if len(batch) == size or n_bytes > _BATCH_BYTES:
                number = next(self._numbers)
                self._cursors[number] = namespace, rows
                break
        return {"cursor": {"id": bson.Int64(number), "ns": namespace, field: batch}}


def _is_operator(change: Any) -> bool:
    """Whether an update changes a document, in place of standing for a new one."""
    return isinstance(change, list) or any(k.startswith("$") for k in change)


def _pairs(keys: Document | None) -> list[tuple[str, Any]] | None:
    return list(keys.items()) if keys else None


def _namespace(body: Document) -> str:
    return f"{body['$db']}.{next(iter(body.values()))}"


def _write_error(index: int, error: PyMongoError) -> Document:
    duplicate = "DuplicateKey" in type(error).__name__
    return {"index": index, "code": _DUPLICATE_KEY if duplicate else 2, "errmsg": str(error)}


# ---------------------------------------------------------------------------------- the protocol
class _Handler(socketserver.BaseRequestHandler):
    """Speak with one client."""

    database: Database

    def handle(self) -> None:
        """Answer until the client goes away, which may be in the middle of a message."""
        try:
            while True:
                length, number, _, code = _HEADER.unpack(self._read(_HEADER.size))
                payload = self._read(length - _HEADER.size)
                if code == _OP_MSG:
                    reply = b"\0\0\0\0\0" + self._answer(_message(payload))
                    opcode = _OP_MSG
                elif code == _OP_QUERY:
                    end = payload.index(b"\0", 4)
                    query = bson.decode(payload[end + 9 :])
                    reply = struct.pack("<iqii", 8, 0, 0, 1) + self._answer(query)
                    opcode = _OP_REPLY
                else:
                    return
                head = _HEADER.pack(_HEADER.size + len(reply), 0, number, opcode)
                self.request.sendall(head + reply)
        except (ConnectionError, EOFError):
            return

    def _answer(self, body: Document) -> bytes:
        return bson.encode(self.database.run(body))

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = self.request.recv(min(size, 2**20))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _message(payload: bytes) -> Document:
    """Decode the sections of an OP_MSG into one command."""
    options: CodecOptions[Document] = CodecOptions(tz_aware=False)
    body: Document = {}
    position = 4
    while position < len(payload):
        kind, position = payload[position], position + 1
        (size,) = struct.unpack_from("<i", payload, position)
        section = payload[position : position + size]
        if kind == 0:
            # Arrays of documents follow; the name of the command must stay the first key.
            body = bson.decode(section, options) | body
        else:
            end = section.index(b"\0", 4)
            body[section[4:end].decode()] = bson.decode_all(section[end + 1 :], options)
        position += size
    return body


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--journal", type=Path, help="file that outlasts the server")
    given = parser.parse_args()
    _Handler.database = Database(given.journal)
    with _Server(("127.0.0.1", given.port), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
