"""A real server on a free port for a WSGI application, and boto3 clients for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from cheroot import wsgi

from local_vast.http import Connection


@contextmanager
def serve(application: Any) -> Iterator[str]:
    """The URL under which the application answers until the block ends."""
    server = wsgi.Server(("127.0.0.1", 0), application, numthreads=20, shutdown_timeout=1)
    server.ConnectionClass = Connection
    # How long an idle connection may keep the server from looking at its stop flag.
    server.expiration_interval = 0.02
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.bind_addr[1]}"
    finally:
        server.stop()
        thread.join()


def s3_client(url: str, **config: Any) -> Any:
    """A boto3 client that does not retry, so that a test sees each answer."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="artist",
        aws_secret_access_key="secret",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, max_pool_connections=32, **config),
    )
