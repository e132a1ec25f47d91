"""The golden digests of the vectors, recomputed by whatever Python runs this file. Needs the standard library alone.

    python tests/golden/embeddings/digest.py            the interpreter, and payloads whose vectors differ, as JSON
    python tests/golden/embeddings/digest.py --write    write digests.json, with a new EMBEDDING_VERSION

A digest is the SHA-256 of a vector's doubles, little-endian.
"""

from __future__ import annotations

import json
import platform
import struct
import sys
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

from exr_inspector.embedding.vectors import EMBEDDING_VERSION, compute_channel_fingerprint, compute_metadata_embedding  # noqa: E402

DIMS = (384, 512, 128)
DIGESTS = HERE / "digests.json"


def payloads() -> dict[str, dict]:
    """Name -> payload. NaN, infinities and lone surrogates are among the values."""
    return json.loads((HERE / "payloads.json").read_text(encoding="ascii"))


def digest(vector: list[float]) -> str:
    """SHA-256 over the doubles."""
    return sha256(struct.pack(f"<{len(vector)}d", *vector)).hexdigest()


def digests() -> dict[str, str]:
    """`payload @ dimension` -> digest, of embeddings and (at 128) of channel fingerprints."""
    by_name = {}
    for name, payload in payloads().items():
        for dim in DIMS:
            by_name[f"{name} @ {dim}"] = digest(compute_metadata_embedding(payload, dim))
        by_name[f"{name} @ channels"] = digest(compute_channel_fingerprint(payload["channels"]))
    return by_name


def golden() -> dict:
    """What digests.json holds: the version and the digests that belong to it."""
    return json.loads(DIGESTS.read_text(encoding="ascii"))


def report() -> dict:
    """Which interpreter this is, how many digests were compared, and which differ."""
    expected, actual = golden()["digests"], digests()
    differing = sorted(key for key in expected.keys() | actual.keys() if expected.get(key) != actual.get(key))
    machine = f"{platform.python_implementation()} {platform.python_version()} {platform.machine()} {sys.platform}"
    return {"interpreter": machine, "compared": len(actual), "differing": differing}


def write() -> None:
    """Record the digests; refused while the recorded version is the current one and its digests differ."""
    current = digests()
    if DIGESTS.exists() and golden()["embedding_version"] == EMBEDDING_VERSION and golden()["digests"] != current:
        raise SystemExit(f"vectors differ from {DIGESTS.name}: first raise EMBEDDING_VERSION, now {EMBEDDING_VERSION}")
    DIGESTS.write_text(
        json.dumps({"embedding_version": EMBEDDING_VERSION, "digests": current}, indent=1) + "\n", encoding="ascii"
    )


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        write()
    print(json.dumps(report()))
