"""Serve the protocol of S3 on loopback by moto, in memory.

``python tests/s3_server.py`` prints its port and serves until its standard input ends. It accepts
every password and holds one empty bucket, ``blobs``.
"""

from __future__ import annotations

import logging
import sys

import boto3
from moto.server import ThreadedMotoServer

_ACCESS = {
    "aws_access_key_id": "anyone",
    "aws_secret_access_key": "anything",
    "region_name": "us-east-1",
}


def main() -> None:
    """Serve on a free port until standard input ends."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    endpoint = f"http://127.0.0.1:{port}"
    boto3.client("s3", endpoint_url=endpoint, **_ACCESS).create_bucket(Bucket="blobs")
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
