"""The HTTP side: requests and answers, a WSGI application served by cheroot, and a way to cut a connection without an answer."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

from cheroot import wsgi
from cheroot.server import HTTPConnection

from .errors import bad_request

# A connection is kept for the whole life of the server: clients hold them between tests.
_KEEP_ALIVE_SECONDS = 300
# A handful of clients with forty connections each. Where fewer are kept, busy clients connect anew for each request.
_KEPT_CONNECTIONS = 400
_THREADS = 16
CUT = "local_vast.cut"
HEADERS = "local_vast.headers"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request: `path` and `query` as they came, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""
    command: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, method: str, target: str, headers: Mapping[str, str]) -> HttpRequest:
        """From the request line's target."""
        path, _, query = target.partition("?")
        pairs = dict(parse_qsl(query, keep_blank_values=True))
        command = next((key for key, value in pairs.items() if not value), "")
        return cls(method, path, query, headers, command=command, parameters=pairs)

    @property
    def txid(self) -> int:
        """The transaction; 0 is none."""
        return self.integer("tabular-txid")

    def integer(self, header: str, default: int = 0) -> int:
        """A header that is a number; 400 where it is not."""
        text = self.headers.get(header, "")
        try:
            return int(text) if text else default
        except ValueError:
            raise bad_request(f"header {header} must be a number, not {text!r}") from None

    @property
    def segments(self) -> list[str]:
        """The parts of the path, decoded."""
        return [unquote(part) for part in self.path.split("/") if part]


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer; `body` is sent in pieces."""

    body: Iterable[bytes | memoryview] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


class _Gateway(wsgi.Gateway_10):
    """Hands over what the application asks for and no more: headers by their own names, and a way to cut the connection.

    Of a short request, cheroot's own environment, with each header twice, and the date of the answer took a tenth.
    """

    def get_environ(self) -> dict[str, Any]:  # type: ignore[override]  # its stub says None
        request = self.req
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.inheaders.items()}
        return {
            "REQUEST_METHOD": request.method.decode("latin-1"),
            "REQUEST_URI": request.uri.decode("latin-1"),
            "REMOTE_ADDR": request.conn.remote_addr or "",
            "REMOTE_PORT": str(request.conn.remote_port or ""),
            "CONTENT_LENGTH": headers.get("content-length", ""),
            "HTTP_TRANSFER_ENCODING": headers.get("transfer-encoding", ""),
            "wsgi.input": request.rfile,
            "wsgi.input_terminated": bool(request.chunked_read),
            HEADERS: headers,
            CUT: self._cut,
        }

    def start_response(self, *answer: Any) -> Any:
        """With the date, which cheroot would put together for every answer."""
        self.req.outheaders.append((b"Date", _date_of(int(time.time()))))
        return super().start_response(*answer)

    def _cut(self) -> None:
        """Shut the connection down; cheroot closes it on the error that is raised and answers nothing."""
        self.req.conn.socket.shutdown(socket.SHUT_RDWR)
        raise ConnectionResetError(errno.ECONNRESET, "cut by a fault")


@lru_cache(maxsize=1)
def _date_of(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


class Connection(HTTPConnection):
    """A connection that closes its writer as well as its reader and its socket.

    cheroot leaves the writer to the garbage collector. Where the client went away before it had read everything, the writer then
    sends the rest through a descriptor that is closed (and that Python 3.13 reports), and until then the descriptor stays open.
    """

    def close(self) -> None:
        """Close the socket; what could not be sent is dropped."""
        super().close()
        self.wfile.raw.close()


class HttpServer:
    """A running server on the loopback interface."""

    def __init__(self, application: Application, port: int = 0) -> None:
        self._server = wsgi.Server(
            ("127.0.0.1", port), application, numthreads=_THREADS, max=4 * _THREADS, timeout=_KEEP_ALIVE_SECONDS,
            request_queue_size=128, shutdown_timeout=1,
        )  # fmt: skip
        self._server.gateway = _Gateway
        self._server.ConnectionClass = Connection
        self._server.expiration_interval = 0.02
        self._server.keep_alive_conn_limit = _KEPT_CONNECTIONS
        self._server.prepare()
        self._thread = threading.Thread(target=self._server.serve, name="local_vast", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return int(self._server.bind_addr[1])

    def stop(self) -> None:
        """Stop answering, and end the threads."""
        self._server.stop()
        self._thread.join()


def status_line(status: int) -> str:
    """`404 Not Found`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"
