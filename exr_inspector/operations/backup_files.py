"""A backup: one Parquet file per table, and a manifest with counts and digests that is written last.

It is a folder, a .tar.gz, or a prefix in a bucket (`s3://bucket/prefix`). The two others pass through a temporary folder, so a
backup needs disk space once more, and never memory.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from exr_inspector.errors import Reject
from exr_inspector.function import objects
from exr_inspector.operations import parquet_files
from exr_inspector.settings import Settings
from vast_schemas import wire_schema

FORMAT = 1
MANIFEST = "manifest.json"


class BadBackup(Reject):
    """There is no backup, it is incomplete, or its content is not what its manifest says; `table` where one is at fault."""

    code = "bad_backup"


@dataclass(frozen=True, slots=True)
class Entry:
    """One table of a backup: its file, the file's digest, its rows, its Arrow schema in base64 and its index (column, metric)."""

    file: str
    sha256: str
    bytes: int
    rows: int
    schema: str
    index: tuple[str, str] | None

    @property
    def arrow_schema(self) -> pa.Schema:
        """The columns as they were stored."""
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.schema)))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds: of which place, when, of which schema version, and its tables."""

    place: str
    created_at: str
    version: str | None
    tables: Mapping[str, Entry]

    def summary(self) -> dict[str, Any]:
        """What an answer says of the backup."""
        return {
            "place": self.place,
            "created_at": self.created_at,
            "version": self.version,
            "rows": {name: entry.rows for name, entry in self.tables.items()},
            "bytes": sum(entry.bytes for entry in self.tables.values()),
        }


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_table(folder: Path, name: str, rows: pa.RecordBatchReader, index: tuple[str, str] | None) -> Entry:
    """Stream a table into its file."""
    path = folder / f"{name}.parquet"
    schema = wire_schema(rows.schema)
    count = parquet_files.write(path, rows)
    text = base64.b64encode(schema.serialize().to_pybytes()).decode()
    return Entry(path.name, digest(path), path.stat().st_size, count, text, index)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, which makes the backup complete."""
    document = {"format": FORMAT, **asdict(manifest)}
    partial = folder / f"{MANIFEST}.partial"
    partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    partial.rename(folder / MANIFEST)


def verify(folder: Path) -> Manifest:
    """The manifest, after every file was compared with it. Raises BadBackup for the first difference."""
    manifest = _read_manifest(folder)
    for name, entry in manifest.tables.items():
        path = folder / entry.file
        if not path.is_file():
            raise _damage(f"{entry.file} is missing", name)
        if path.stat().st_size != entry.bytes or digest(path) != entry.sha256:
            raise _damage(f"{entry.file} is not what was written: its digest differs", name)
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows != entry.rows or set(file.schema_arrow.names) != set(entry.arrow_schema.names):
                raise _damage(f"{entry.file} has other rows or columns than the manifest says", name)
    return manifest


def _damage(what: str, table: str | None = None) -> BadBackup:
    return BadBackup(f"the backup is damaged: {what}", remedy="Take another backup; nothing was written", table=table)


def _absent(place: str | Path) -> BadBackup:
    remedy = "A backup that was interrupted has none; take it again"
    return BadBackup(f"{place}: there is no backup, {MANIFEST} is missing", remedy=remedy)


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    if not path.is_file():
        raise _absent(folder)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.pop("format") != FORMAT:
            raise _damage(f"{MANIFEST} is of another format")
        tables = {name: Entry(**entry) for name, entry in document.pop("tables").items()}
        if any(entry.file != f"{name}.parquet" or "/" in name for name, entry in tables.items()):
            raise _damage(f"{MANIFEST} names a file that is not its table's")
        return Manifest(tables=tables, **document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damage(f"{MANIFEST} cannot be read: {error}") from error


def is_s3(path: str) -> bool:
    """Whether a path is a prefix in a bucket."""
    return path.startswith("s3://")


def is_archive(path: str) -> bool:
    """Whether a path is a single compressed file."""
    return path.endswith((".tar.gz", ".tgz"))


@contextmanager
def writing(path: str, settings: Settings) -> Iterator[Path]:
    """A folder to write a backup into, which ends up at `path`. Raises BadBackup where a backup is there already."""
    if is_s3(path):
        with tempfile.TemporaryDirectory() as scratch:
            prefix = _Prefix(path, settings)
            prefix.refuse_existing()
            yield Path(scratch)
            prefix.upload(Path(scratch))
        return
    target = Path(path)
    if (target if is_archive(path) else target / MANIFEST).exists():
        raise BadBackup(f"{path}: there is a backup already", remedy="Name another path; a backup is never overwritten")
    if not is_archive(path):
        target.mkdir(parents=True, exist_ok=True)
        yield target
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        yield Path(scratch)
        _pack(Path(scratch), target)


def _pack(folder: Path, target: Path) -> None:
    partial = target.with_name(target.name + ".partial")
    with tarfile.open(partial, "w:gz") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, file.name)
    partial.rename(target)


@contextmanager
def reading(path: str, settings: Settings) -> Iterator[Path]:
    """The folder with the files of the backup at `path`. Raises BadBackup where it cannot be read."""
    if not is_s3(path) and not is_archive(path):
        if not (Path(path) / MANIFEST).is_file():
            raise _absent(path)
        yield Path(path)
        return
    with tempfile.TemporaryDirectory() as scratch:
        if is_s3(path):
            _Prefix(path, settings).download(Path(scratch))
        else:
            _unpack(Path(path), Path(scratch))
        yield Path(scratch)


def _unpack(path: Path, folder: Path) -> None:
    try:
        with tarfile.open(path, "r:gz") as archive:
            archive.extractall(folder, filter="data")
    except FileNotFoundError:
        raise BadBackup(f"no backup: {path} does not exist", remedy="Check --backup-path") from None
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise _damage(f"{path.name} cannot be unpacked: {error}") from error


def _manifest_last(file: Path) -> tuple[bool, str]:
    return file.name == MANIFEST, file.name


class _Prefix:
    """A backup in a bucket."""

    def __init__(self, address: str, settings: Settings) -> None:
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        if not bucket or not prefix.strip("/"):
            raise BadBackup(f"{address}: expected s3://BUCKET/PREFIX", remedy="Write it like s3://backups/exr/2026-01-31")
        self._address, self._bucket, self._prefix = address, bucket, prefix.strip("/")
        self._client = objects.s3_client(settings)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise objects.as_inspector_error(error, self._address) from error
        except Boto3Error as error:
            raise BadBackup(f"{self._address}: {error}", remedy="Check the bucket and S3_ENDPOINT") from error

    def _keys(self) -> list[str]:
        with self._translate_errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"{self._prefix}/")
            return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def refuse_existing(self) -> None:
        """A backup is complete when its manifest is there."""
        if f"{self._prefix}/{MANIFEST}" in self._keys():
            raise BadBackup(f"{self._address}: there is a backup already", remedy="Name another prefix; none is overwritten")

    def upload(self, folder: Path) -> None:
        """Upload every file of the folder, the manifest last, which makes the backup complete."""
        with self._translate_errors():
            for file in sorted(folder.iterdir(), key=_manifest_last):
                self._client.upload_file(str(file), self._bucket, f"{self._prefix}/{file.name}")

    def download(self, folder: Path) -> None:
        """Every file of the prefix itself."""
        for key in self._keys():
            name = key.removeprefix(f"{self._prefix}/")
            if "/" not in name:
                with self._translate_errors():
                    self._client.download_file(self._bucket, key, str(folder / name))
