"""A TLS endpoint on loopback with a certificate of its own, as a cluster has one, in front of a plain server."""

from __future__ import annotations

import ipaddress
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
    "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: the authority that clients may trust, and the server's certificate with its key."""

    authority: Path
    server: Path


@dataclass(frozen=True, slots=True)
class TlsEndpoint:
    """The address of a TLS endpoint, and the file with its authority."""

    url: str
    authority: str


@contextmanager
def tls_before(url: str, folder: Path) -> Iterator[TlsEndpoint]:
    """A TLS endpoint on 127.0.0.1 that passes everything on to the plain server at `url`. `folder` holds its certificates."""
    certificates = make_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server)
    plain = urlsplit(url)

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            # A client that does not trust the certificate ends the handshake.
            with (
                suppress(OSError),
                context.wrap_socket(self.request, server_side=True) as secure,
                socket.create_connection((plain.hostname, plain.port)) as behind,
            ):
                _pass_on(secure, behind)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield TlsEndpoint(f"https://127.0.0.1:{server.server_address[1]}", str(certificates.authority))
        server.shutdown()
        thread.join()


def _pass_on(secure: ssl.SSLSocket, behind: socket.socket) -> None:
    """Both directions, until either side closes."""
    while True:
        ready = [secure] if secure.pending() else select.select([secure, behind], [], [])[0]
        for source in ready:
            data = source.recv(1 << 16)
            if not data:
                return
            (behind if source is secure else secure).sendall(data)


def make_certificates(folder: Path) -> Certificates:
    """A certificate authority, and a certificate of it for 127.0.0.1 and localhost."""
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("a cluster's own authority", authority_key, "a cluster's own authority", authority_key)
    server = _certificate("a cluster", server_key, "a cluster's own authority", authority_key)
    pem = serialization.Encoding.PEM
    key = server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    certificates = Certificates(folder / "authority.pem", folder / "server.pem")
    certificates.authority.write_bytes(authority.public_bytes(pem))
    certificates.server.write_bytes(key + server.public_bytes(pem))
    return certificates


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """A certificate that is an authority's where it signs itself."""
    is_authority = key is issuer_key
    used = {"key_cert_sign", "crl_sign"} if is_authority else {"digital_signature"}
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{use: use in used for use in _USES}), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
