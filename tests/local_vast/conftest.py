"""One running endpoint for all tests of this folder, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import vastdb
from vastdb.session import Session

from local_vast import LocalVast
from tabular_support import BUCKET, connect


@pytest.fixture(scope="session")
def _endpoint() -> Iterator[LocalVast]:
    with LocalVast(buckets=(BUCKET,)) as server:
        yield server


@pytest.fixture(scope="session")
def _connected(_endpoint: LocalVast) -> Session:
    return connect(_endpoint)


@pytest.fixture
def server(_endpoint: LocalVast) -> LocalVast:
    """The endpoint, empty, without faults."""
    _endpoint.reset()
    return _endpoint


@pytest.fixture
def session(server: LocalVast, _connected: vastdb.session.Session) -> Session:
    """An SDK session on the empty endpoint."""
    server.clear_requests()
    return _connected
