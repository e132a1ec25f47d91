"""Multipart uploads: parts as files in the upload's folder, until they are joined into an object or thrown away.

    ROOT/.local_vast/uploads/BUCKET/UPLOAD_ID/upload.json     key, start, headers
    ROOT/.local_vast/uploads/BUCKET/UPLOAD_ID/00007.MD5       part 7

Uploads in progress survive a restart.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shutil
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from .disk import Check, Description, Disk, Incoming, StoredObject
from .errors import S3Error
from .xml import PartRef

MIN_PART = 5 * 1024**2
MAX_PARTS = 10_000
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """One uploaded part; `etag` is the hex MD5 of its bytes."""

    number: int
    etag: str
    size: int
    mtime_ns: int
    path: Path


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload in progress; `started_ns` since 1970, `headers` are those of the object to be."""

    bucket: str
    key: str
    upload_id: str
    started_ns: int
    headers: Mapping[str, str]


class Uploads:
    """The multipart uploads of a disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        # A client that repeats a completion while the first still runs must not see half of it.
        self._completing = [threading.Lock() for _ in range(16)]

    def create(self, bucket: str, key: str, headers: Mapping[str, str]) -> Upload:
        """Start an upload. Raises NoSuchBucket."""
        upload = Upload(bucket, key, uuid.uuid4().hex, time.time_ns(), headers)
        folder = self._disk.uploads_folder(bucket) / upload.upload_id
        folder.mkdir(parents=True)
        facts = {"key": key, "started_ns": upload.started_ns, "headers": dict(headers)}
        try:
            (folder / "upload.new").write_text(json.dumps(facts), encoding="utf-8")
            (folder / "upload.new").replace(folder / "upload.json")
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return upload

    def find(self, bucket: str, key: str, upload_id: str) -> Upload:
        """The upload of that id, which must be for that key. Raises NoSuchBucket or NoSuchUpload."""
        folder = self._disk.uploads_folder(bucket)
        upload = _read_upload(folder, bucket, upload_id) if re.fullmatch("[0-9a-f]{32}", upload_id) else None
        if upload is None or upload.key != key:
            raise _no_such_upload(upload_id)
        return upload

    def list_uploads(self, bucket: str) -> list[Upload]:
        """All uploads of the bucket, by key and start."""
        folder = self._disk.uploads_folder(bucket)
        ids = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        uploads = [upload for upload_id in ids if (upload := _read_upload(folder, bucket, upload_id))]
        return sorted(uploads, key=attrgetter("key", "started_ns"))

    def receive(self, upload: Upload) -> Incoming:
        """A file for a part's body. Raises NoSuchUpload."""
        try:
            return self._disk.receive(self._folder(upload))
        except FileNotFoundError:
            raise _no_such_upload(upload.upload_id) from None

    def keep_part(self, upload: Upload, number: int, incoming: Incoming) -> str:
        """Make the received body the part of that number (1 to 10,000), in place of an earlier one; returns its ETag."""
        path = self._folder(upload) / f"{number:05}.{incoming.md5}"
        try:
            incoming.path.replace(path)
        except FileNotFoundError:
            raise _no_such_upload(upload.upload_id) from None
        for earlier in path.parent.glob(f"{number:05}.*"):
            if earlier != path:
                earlier.unlink(missing_ok=True)
        return incoming.md5

    def parts(self, upload: Upload) -> list[UploadedPart]:
        """The parts that are there, by number."""
        parts = []
        for path in self._folder(upload).glob("[0-9]*.*"):
            number, _, etag = path.name.partition(".")
            status = path.stat()
            parts.append(UploadedPart(int(number), etag, status.st_size, status.st_mtime_ns, path))
        return sorted(parts, key=attrgetter("number"))

    def complete(self, upload: Upload, wanted: Sequence[PartRef], check: Check) -> StoredObject:
        """Join the parts into the object.

        Raises NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall, or what `check` raises.
        """
        with self._completing[hash(upload.upload_id) % len(self._completing)]:
            stored = self._join(self.find(upload.bucket, upload.key, upload.upload_id), wanted, check)
            self.abort(upload)
            return stored

    def _join(self, upload: Upload, wanted: Sequence[PartRef], check: Check) -> StoredObject:
        chosen = _choose({part.number: part for part in self.parts(upload)}, wanted)
        digest = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in chosen), usedforsecurity=False).hexdigest()
        about = Description(upload.headers, etag=f"{digest}-{len(chosen)}")
        with self._disk.receive() as incoming:
            for part in chosen:
                with part.path.open("rb", buffering=0) as file:
                    while block := file.read(_BLOCK):
                        incoming.write(block)
            return self._disk.commit(upload.bucket, upload.key, incoming, about, check)

    def abort(self, upload: Upload) -> None:
        """Throw the upload and its parts away."""
        shutil.rmtree(self._folder(upload), ignore_errors=True)

    def _folder(self, upload: Upload) -> Path:
        return self._disk.uploads_folder(upload.bucket) / upload.upload_id


def _read_upload(folder: Path, bucket: str, upload_id: str) -> Upload | None:
    try:
        facts = json.loads((folder / upload_id / "upload.json").read_bytes())
    except FileNotFoundError:
        return None
    return Upload(bucket, facts["key"], upload_id, facts["started_ns"], facts["headers"])


def _choose(there: Mapping[int, UploadedPart], wanted: Sequence[PartRef]) -> list[UploadedPart]:
    numbers = [ref.number for ref in wanted]
    if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
        raise S3Error("InvalidPartOrder", "The parts are not in ascending order")
    for ref in wanted:
        if ref.number not in there or there[ref.number].etag != ref.etag:
            raise S3Error("InvalidPart", f"Part {ref.number} with the ETag {ref.etag!r} was not uploaded")
    chosen = [there[number] for number in numbers]
    for part in chosen[:-1]:
        if part.size < MIN_PART:
            raise S3Error("EntityTooSmall", f"Part {part.number} has {part.size} bytes; all but the last need {MIN_PART}")
    return chosen


def _no_such_upload(upload_id: str) -> S3Error:
    return S3Error("NoSuchUpload", f"There is no upload {upload_id!r} for this key; it was completed, aborted, or never begun")
