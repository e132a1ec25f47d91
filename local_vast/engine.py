"""The query engine that the ADBC driver speaks to: SQL over the tables, as Protocol Buffers messages over HTTP."""

from __future__ import annotations

from . import protobuf
from .errors import not_implemented
from .routes import Request, Response
from .store import Store

COMMANDS = frozenset({"query-engine-capabilities", "vastdb-run-query", "vastdb-query-status", "vastdb-data"})


def is_engine(request: Request) -> bool:
    """True for the query engine's requests."""
    return request.command in COMMANDS


class Engine:
    """The query engine over a store."""

    def __init__(self, store: Store, version: str) -> None:
        self._store = store
        self._version = version

    def answer(self, request: Request) -> Response:
        """Carry out a request; raises `VastError`."""
        if request.command == "query-engine-capabilities":
            # server_version, session_options_support; here the version has five numbers.
            return Response([protobuf.encode((1, f"{self._version}.0"), (2, False))])
        raise not_implemented(request.command)
