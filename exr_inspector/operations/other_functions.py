"""What other functions for EXR on VAST have stored: the list of their files, to be inspected again.

Their rows cannot be taken as they are: vectors are computed in other ways, and times are texts. Their paths are `bucket/key`
(frame-metadata-extractor), or `key` (ssotoa70/exr_inspector), under which the bucket stands nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from exr_inspector.database.session import Ledger, Store
from exr_inspector.errors import Reject

SUFFIX = ".exr"
TABLE, COLUMN = "files", "file_path"


class NotTheirs(Reject):
    """There is no table `files` with a column `file_path`."""

    code = "nothing_to_import"


@dataclass(frozen=True, slots=True)
class ImportList:
    """Addresses of EXR files, sorted, each once; `others` counts paths of other formats."""

    addresses: tuple[str, ...]
    others: int


def stored_paths(store: Store) -> Iterator[str]:
    """The paths in a table `files`, whoever made it. Raises NotTheirs."""
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        metadata = work.load(TABLE)
        if metadata is None or COLUMN not in metadata.arrow_schema.names:
            remedy = "Name their schema: --from [BUCKET/]SCHEMA, such as exr_metadata or frame_metadata"
            raise NotTheirs(f"{store.place}: there is no table {TABLE} with a column {COLUMN}", remedy=remedy)
        loaded[TABLE] = metadata
        for batch in work.scan(TABLE, [COLUMN], key=COLUMN):
            yield from (path for path in batch[COLUMN].to_pylist() if path)


def listing(paths: Iterable[str], bucket: str | None = None) -> ImportList:
    """Their paths as addresses. `bucket`: where a path without one belongs; without it the first part of a path is the bucket."""
    addresses = {address(path, bucket) for path in paths}
    ours = sorted(one for one in addresses if one.lower().endswith(SUFFIX))
    return ImportList(tuple(ours), len(addresses) - len(ours))


def address(path: str, bucket: str | None = None) -> str:
    """The address of one path.

    >>> address("renders/sq010/a.exr"), address("sq010/a.exr", "renders"), address("renders/sq010/a.exr", "renders")
    ('s3://renders/sq010/a.exr', 's3://renders/sq010/a.exr', 's3://renders/sq010/a.exr')
    """
    if path.startswith(("s3://", "/")):
        return path
    return f"s3://{path}" if bucket is None or path.startswith(f"{bucket}/") else f"s3://{bucket}/{path}"
