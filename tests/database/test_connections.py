"""What the HTTP server leaves behind of a client that hangs up in the middle of an answer: nothing."""

from __future__ import annotations

import gc
import socket
import struct
import sys
from typing import Any

import pytest
from cheroot import wsgi

from local_vast.http import Connection

ANSWER = bytes(16 * 2**20)
"""More than the buffers of both ends hold."""


def hang_up(client: socket.socket) -> None:
    """Close with unread data and without a farewell, as a process that is killed does."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_a_connection_whose_client_is_gone_closes_its_descriptor_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the answer is dropped when the connection closes, not sent when it is collected."""
    ignored: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    connection = Connection(wsgi.Server(("127.0.0.1", 0), None), accepted)
    hang_up(client)
    with pytest.raises(ConnectionError):
        connection.wfile.write(ANSWER)
    connection.close()
    assert (accepted.fileno(), connection.wfile.closed) == (-1, True)
    del connection
    gc.collect()
    assert ignored == []
