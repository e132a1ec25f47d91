"""Signature version 4: the secret is verified, for the signatures of the SDK, the ADBC driver and boto3.

The three differ in region (empty, `vast`, the client's own) and in how they spell the canonical query and path, so each spelling
in use is tried. None matches without the secret.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote

from .errors import VastError, forbidden

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_SAFE = "-_.~"


@dataclass(frozen=True, slots=True)
class Signature:
    """What a request says about its signature."""

    key: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    digest: str
    timestamp: str
    presigned: bool


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The signed parts of a request: `path` and `query` as they came, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


def check(request: SignedRequest, access_key: str, secret_key: str, payload_hash: str | None) -> None:
    """Raise `VastError` (403) unless the request is signed with this key and secret.

    `payload_hash` is the SHA-256 of the body in hexadecimal where it was read, to be compared with the signed one.
    """
    signature = _read_signature(request)
    if not hmac.compare_digest(signature.key.encode(), access_key.encode()):
        raise forbidden("the access key does not exist", "InvalidAccessKeyId")
    declared = request.headers.get("x-amz-content-sha256", "")
    if payload_hash and re.fullmatch(r"[0-9a-f]{64}", declared) and declared != payload_hash:
        raise VastError(400, "XAmzContentSHA256Mismatch", "the body is not the one that was signed")
    body = "UNSIGNED-PAYLOAD" if signature.presigned else declared or payload_hash or hashlib.sha256(b"").hexdigest()
    for canonical in _canonical_requests(request, signature, body):
        if hmac.compare_digest(_sign(canonical, signature, secret_key), signature.digest):
            return
    raise forbidden("the signature does not match; check the secret key", "SignatureDoesNotMatch")


def _read_signature(request: SignedRequest) -> Signature:
    header = _AUTHORIZATION.match(request.headers.get("authorization", ""))
    if header:
        timestamp = request.headers.get("x-amz-date", "")
        return _parse_scope(header["credential"], header["headers"], header["signature"], timestamp, presigned=False)
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    if query.get("X-Amz-Algorithm") == "AWS4-HMAC-SHA256":
        values = [query.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature", "Date")]
        return _parse_scope(*values, presigned=True)
    raise forbidden("the request is not signed with AWS signature version 4")


def _parse_scope(credential: str, headers: str, digest: str, timestamp: str, *, presigned: bool) -> Signature:
    scope = credential.rsplit("/", 4)
    if len(scope) != 5 or scope[4] != "aws4_request":
        raise forbidden("the credential scope is not KEY/DATE/REGION/SERVICE/aws4_request", "AuthorizationHeaderMalformed")
    return Signature(scope[0], scope[1], scope[2], scope[3], tuple(headers.split(";")), digest, timestamp, presigned)


def _canonical_requests(request: SignedRequest, signature: Signature, body: str) -> Iterator[str]:
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signature.headers)
    paths = dict.fromkeys((request.path, quote(unquote(request.path), safe="/" + _SAFE), quote(request.path, safe="/" + _SAFE)))
    for path in paths:
        for query in dict.fromkeys((_query_as_sent(request.query), _normalise_query(request.query))):
            yield "\n".join([request.method, path, query, headers, ";".join(signature.headers), body])


def _query_as_sent(query: str) -> str:
    """Sorted, the values as they came: what `aws_requests_auth` signs."""
    parts = [part for part in sorted(query.split("&")) if part and not part.startswith("X-Amz-Signature=")]
    return "&".join(part if "=" in part else f"{part}=" for part in parts)


def _normalise_query(query: str) -> str:
    """Decoded and encoded again as AWS prescribes."""
    pairs = parse_qsl(query.replace("+", "%20"), keep_blank_values=True)
    encoded = sorted((quote(key, safe=_SAFE), quote(value, safe=_SAFE)) for key, value in pairs if key != "X-Amz-Signature")
    return "&".join(f"{key}={value}" for key, value in encoded)


def _sign(canonical: str, signature: Signature, secret_key: str) -> str:
    scope = f"{signature.date}/{signature.region}/{signature.service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    message = f"AWS4-HMAC-SHA256\n{signature.timestamp}\n{scope}\n{digest}"
    key = _signing_key(secret_key, signature.date, signature.region, signature.service)
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=64)
def _signing_key(secret_key: str, *scope: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (*scope, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
