"""Ways in which the endpoint can be told to behave unlike what is assumed of VAST, for those who test whether they would notice.

| name | what is different |
|---|---|
| `autocommit` | rows are inserted at once, whatever becomes of the transaction |
| `half-vectors` | elements of vectors are rounded to 16 bits |
| `latest-reads` | a query reads what is committed now, not what its transaction saw |
| `milliseconds` | time stamps lose their microseconds |
| `nan-is-null` | NaN is stored as NULL |
| `no-if-match` | objects are read without a look at If-Match |
| `no-range` | objects are answered whole |
| `rollback-commits` | a roll-back is a commit |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from .http import HttpRequest

Rewrite = Callable[[HttpRequest], HttpRequest]
Convert = Callable[[pa.Array], pa.Array]


def _outside_transactions(request: HttpRequest) -> HttpRequest:
    return replace(request, headers={**request.headers, "tabular-txid": "0"})


def _round(values: pa.Array) -> pa.Array:
    if not pa.types.is_fixed_size_list(values.type):
        return values
    short = values.values.cast(pa.float16(), safe=False).cast(values.type.value_type)
    return pa.FixedSizeListArray.from_arrays(short, type=values.type, mask=values.is_null())


def _without_microseconds(values: pa.Array) -> pa.Array:
    if not pa.types.is_timestamp(values.type):
        return values
    return values.cast(pa.timestamp("ms"), safe=False).cast(values.type)


def _without_nan(values: pa.Array) -> pa.Array:
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def _inserting(convert: Convert) -> Rewrite:
    """The insert with every column converted."""

    def rewrite(request: HttpRequest) -> HttpRequest:
        with pa.ipc.open_stream(request.body) as stream:
            table = stream.read_all().combine_chunks()
        columns = [convert(column.chunk(0)) if column.num_chunks else column for column in table.columns]
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=table.schema))
        return replace(request, body=sink.getvalue().to_pybytes())

    return rewrite


def _as_commit(request: HttpRequest) -> HttpRequest:
    return replace(request, method="PUT")


REWRITES: dict[str, tuple[str, str, Rewrite]] = {
    "autocommit": ("POST", "rows", _outside_transactions),
    "half-vectors": ("POST", "rows", _inserting(_round)),
    "latest-reads": ("GET", "data", _outside_transactions),
    "milliseconds": ("POST", "rows", _inserting(_without_microseconds)),
    "nan-is-null": ("POST", "rows", _inserting(_without_nan)),
    "rollback-commits": ("DELETE", "transaction", _as_commit),
}
"""Name -> the method and the command of the requests of the tabular API that are rewritten, and how."""
IGNORED_HEADERS = {"no-if-match": "if-match", "no-range": "range"}
"""Name -> the header of object requests that is ignored."""


def check(names: Iterable[str]) -> frozenset[str]:
    """The names. Raises ValueError for one that there is not."""
    known = {*REWRITES, *IGNORED_HEADERS}
    asked = frozenset(names)
    if asked - known:
        raise ValueError(f"deviation {min(asked - known)!r} is not one of {', '.join(sorted(known))}")
    return asked


def rewrite(names: Iterable[str], request: HttpRequest) -> HttpRequest:
    """The request of the tabular API that is carried out instead."""
    for name in sorted(names):
        if name in REWRITES and REWRITES[name][:2] == (request.method, request.command):
            request = REWRITES[name][2](request)
    return request


def ignore_headers(names: Iterable[str], headers: MutableMapping[str, str]) -> None:
    """Take the headers that are ignored from those of a request for an object."""
    for name in names:
        headers.pop(IGNORED_HEADERS.get(name, ""), None)
