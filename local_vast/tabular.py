"""The operations of the tabular API: each reads what a request says, asks the store, and makes the answer."""

from __future__ import annotations

import struct
from collections.abc import Callable
from operator import attrgetter, itemgetter
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa

from . import wire
from .catalogue import ROW_ID, TableEntry, VectorIndexEntry
from .errors import VastError, bad_request, not_implemented
from .flat import FlatTable
from .http import HttpRequest, HttpResponse
from .imports import IMPORTED, Importer, OpenObject
from .query import Splits, TableReader
from .store import TableStore
from .transactions import OpenTransaction
from .types import drop_zones

# A column listing that is larger is refused, as clusters do; the figure is local_vast's own.
MAX_LISTING = 16 * 1024 * 1024
METRICS = ("l2sq", "ip")
QUANTIZATIONS = ("scalar_8bit", "none")


Operation = Callable[["Tabular", OpenTransaction, HttpRequest], HttpResponse]


class Tabular:
    """The tabular API over a store."""

    def __init__(self, store: TableStore, version: tuple[int, ...], open_object: OpenObject) -> None:
        self.store = store
        self.catalogue = store.catalogue
        self.version = version
        self._open_object = open_object

    def run(self, operation: Operation, request: HttpRequest) -> HttpResponse:
        """Carry out an operation in the transaction that the request names; raises `VastError`."""
        with self.store.transaction(request.txid) as tx:
            try:
                response = operation(self, tx, request)
                # Everything is read before the transaction's lock is given back.
                return HttpResponse(list(response.body), response.headers, response.status)
            except (struct.error, UnicodeDecodeError) as error:
                raise bad_request(f"the body of {request.method} ?{request.command} cannot be decoded: {error}") from error

    def transaction(self, request: HttpRequest) -> HttpResponse:
        """Begin, look at, commit or roll back a transaction."""
        transactions = self.store.transactions
        if request.method == "GET":
            if "tabular-get-vast-version" not in request.headers:
                transactions.get(request.txid)
        elif request.method == "POST":
            return HttpResponse(headers={"tabular-txid": str(transactions.begin().id)})
        elif request.method == "PUT":
            transactions.commit(request.txid)
        elif request.method == "DELETE":
            transactions.rollback(request.txid)
        else:
            raise not_implemented(f"{request.method} ?transaction")
        return HttpResponse()

    def snapshots(self, request: HttpRequest) -> HttpResponse:
        """The snapshots of a bucket: local_vast takes none, so the listing is empty."""
        bucket = request.segments[0] if request.segments else ""
        self.catalogue.check_bucket(bucket)
        document = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult>'
            f"<Name>{escape(bucket)}</Name><Prefix>{escape(request.parameters['prefix'])}</Prefix>"
            "<Marker></Marker><IsTruncated>false</IsTruncated></ListBucketResult>"
        )
        return HttpResponse([document.encode()], {"Content-Type": "application/xml"})

    # Where a request points

    def _schema_path(self, request: HttpRequest) -> tuple[str, str]:
        if not request.segments:
            raise bad_request("the path names no bucket")
        return request.segments[0], "/".join(request.segments[1:])

    def _table_path(self, request: HttpRequest) -> tuple[str, str, str]:
        if len(request.segments) < 3:
            raise bad_request("the path must be /bucket/schema/table")
        return request.segments[0], "/".join(request.segments[1:-1]), request.segments[-1]

    def _table(self, tx: OpenTransaction, request: HttpRequest) -> TableEntry:
        return self.catalogue.table(tx, *self._table_path(request), request.parameters.get("sub-table", ""))

    # Schemas

    def list_schemas(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        bucket, parent = self._schema_path(request)
        page, headers = _page(request, self.catalogue.child_schemas(tx, bucket, parent), itemgetter(0))
        return HttpResponse([wire.schemas_response(bucket, page)], headers)

    def create_schema(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        self.catalogue.create_schema(tx, *self._schema_path(request), _text(request.body, 0) or "")
        return HttpResponse()

    def alter_schema(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        schema = self.catalogue.schema(tx, *self._schema_path(request))
        new_path = request.parameters.get("tabular-new-schema-name", "")
        self.catalogue.alter_schema(tx, schema, new_path, _text(request.body, 0))
        return HttpResponse()

    def drop_schema(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        self.catalogue.drop_schema(tx, self.catalogue.schema(tx, *self._schema_path(request)))
        return HttpResponse()

    # Tables

    def list_tables(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        schema = self.catalogue.schema(tx, *self._schema_path(request))
        page, headers = _page(request, self.catalogue.tables(tx, schema))
        wanted = request.headers.get("tabular-include-list-stats") == "True"
        listed = [(table, self.store.stats(tx, table) if wanted else (0, 0)) for table in page]
        return HttpResponse([wire.tables_response(schema, listed)], headers)

    def create_table(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        bucket, path, name = self._table_path(request)
        if request.parameters.get("sub-table") == IMPORTED:
            # The vendor's tests expect this of a table that was created without one.
            raise VastError(500, "InternalError", f"table {name!r} gets its {IMPORTED} table with the first import")
        columns = wire.read_schema(request.body)
        if any(key.startswith(b"VAST:table:partition-key") for key in columns.metadata or {}):
            raise not_implemented("partitioned tables")
        if self.version < (5, 4):
            columns = pa.schema([column.with_type(drop_zones(column.type)) for column in columns])
        self.catalogue.create_table(
            tx,
            self.catalogue.schema(tx, bucket, path),
            name,
            columns,
            properties=request.parameters.get("table-props", ""),
            sort_key=_sort_key(request),
            vector_index=_vector_index(request, columns) if self.version >= (5, 5) else None,
        )
        return HttpResponse()

    def alter_table(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        table = self._table(tx, request)
        if positions := _sort_key(request):
            self.catalogue.enable_sorting(tx, table, positions)
        properties = _text(request.body, 0)
        if properties is not None:
            self.catalogue.set_table_properties(tx, table, properties)
        if new_name := request.parameters.get("tabular-new-table-name"):
            path, _, name = new_name.rpartition("/")
            self.catalogue.rename_table(tx, table, self.catalogue.schema(tx, table.schema.bucket, path), name)
        return HttpResponse()

    def drop_table(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        self.catalogue.drop_table(tx, self._table(tx, request))
        return HttpResponse()

    def stats(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        table = self._table(tx, request)
        return HttpResponse([wire.stats_response(table, self.store.stats(tx, table), self.store.rows.is_external(tx, table))])

    # Columns

    def list_columns(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        table = self._table(tx, request)
        return self._columns(request, table, list(table.columns))

    def list_sorted_columns(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        table = self._table(tx, request)
        if not table.sort_key:
            raise bad_request(f"Listing sorted columns of table {table.name!r} without elysium being enabled")
        return self._columns(request, table, [table.columns.field(table.position(name)) for name in table.sorted_names])

    def _columns(self, request: HttpRequest, table: TableEntry, columns: list[pa.Field]) -> HttpResponse:
        page, headers = _page(request, columns)
        if request.headers.get("tabular-only-column-names") == "true":
            page = [pa.field(column.name, pa.null()) for column in page]
        body = wire.columns_response(page, table.sorted_names if self.version >= (5, 5) else None)
        if len(body) > MAX_LISTING:
            raise bad_request(f"list column result size {len(body)} is too long; ask for fewer columns at a time")
        return HttpResponse([body], headers)

    def add_columns(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        self.catalogue.add_columns(tx, self._table(tx, request), wire.read_schema(request.body))
        return HttpResponse()

    def drop_columns(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        self.catalogue.drop_columns(tx, self._table(tx, request), wire.read_schema(request.body).names)
        return HttpResponse()

    def alter_column(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        if new_name := request.parameters.get("tabular-new-column-name"):
            name = request.parameters.get("tabular-column-name", "")
            self.catalogue.rename_column(tx, self._table(tx, request), name, new_name)
        return HttpResponse()

    # Rows

    def insert(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        ids = self.store.rows.insert(tx, self._table(tx, request), wire.read_batch(request.body))
        batch = pa.record_batch([ids], names=[ROW_ID])
        return HttpResponse([wire.stream(batch.schema, [batch])] if self.version >= (5, 1) else ())

    def update(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        self.store.rows.update(tx, self._table(tx, request), wire.read_batch(request.body))
        return HttpResponse()

    def delete(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        self.store.rows.delete(tx, self._table(tx, request), wire.read_batch(request.body))
        return HttpResponse()

    def query(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        if request.integer("tabular-schedule-id") < 0:
            raise bad_request("tabular-schedule-id must not be negative")
        reader = TableReader(self.catalogue, self.store.rows, tx, self._table(tx, request))
        wants_projection = request.headers.get("tabular-enable-sorted-projections") == "True"
        return HttpResponse(reader.answer(request.body, _splits(request), request.parameters.get("name", ""), wants_projection))

    def import_data(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        importer = Importer(self.store, self._open_object, tx, self._table_path(request))
        return HttpResponse(importer.run(request.body))

    # Projections

    def list_projections(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        table = self._table(tx, request)
        page, headers = _page(request, self.catalogue.projections(tx, table))
        return HttpResponse([wire.projections_response(table, page, self.store.stats(tx, table))], headers)

    def create_projection(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        columns = [(entry.text(0), entry.scalar(1, "<b") == 1) for entry in FlatTable.root(request.body).tables(0)]
        self.catalogue.create_projection(tx, self._table(tx, request), request.parameters.get("name", ""), columns)
        return HttpResponse()

    def alter_projection(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        projection = self.catalogue.projection(tx, self._table(tx, request), request.parameters.get("name", ""))
        self.catalogue.alter_projection(tx, projection, _text(request.body, 0) or "", _text(request.body, 1) or "")
        return HttpResponse()

    def drop_projection(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        table = self._table(tx, request)
        self.catalogue.drop_projection(tx, self.catalogue.projection(tx, table, request.parameters.get("name", "")))
        return HttpResponse()

    def list_projection_columns(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        table = self._table(tx, request)
        projection = self.catalogue.projection(tx, table, request.parameters.get("name", ""))
        columns = [table.columns.field(table.position(name)) for name, _ in projection.columns]
        page, headers = _page(request, columns)
        keys = [name for name, is_key in projection.columns if is_key]
        return HttpResponse([wire.columns_response(page, keys)], headers)

    def projection_stats(self, tx: OpenTransaction, request: HttpRequest) -> HttpResponse:
        table = self._table(tx, request)
        self.catalogue.projection(tx, table, request.parameters.get("name", ""))
        return HttpResponse([wire.projection_stats_response(self.store.stats(tx, table))])


def _text(body: bytes, slot: int) -> str | None:
    """A string field of a FlatBuffers request, None where it is absent."""
    raw = FlatTable.root(body).blob(slot) if body else None
    return None if raw is None else raw.decode()


def _page(
    request: HttpRequest, entries: list[Any], name_of: Callable[[Any], str] = attrgetter("name")
) -> tuple[list[Any], dict[str, str]]:
    """The part of a listing that the list headers ask for, and the headers of the answer."""
    exact = request.headers.get("tabular-name-exact-match")
    prefix = request.headers.get("tabular-name-prefix", "")
    if exact:
        entries = [entry for entry in entries if name_of(entry) == exact]
    elif prefix:
        entries = [entry for entry in entries if name_of(entry).startswith(prefix)]
    first, most = request.integer("tabular-next-key"), request.integer("tabular-max-keys", 1000)
    page = entries[first : first + most]
    is_truncated = first + len(page) < len(entries)
    headers = {
        "tabular-next-key": str(first + len(page) if is_truncated else 0),
        "tabular-is-truncated": str(is_truncated).lower(),
        "tabular-list-count": str(len(entries)),
    }
    return [] if request.headers.get("tabular-list-count-only") == "True" else page, headers


def _sort_key(request: HttpRequest) -> list[int]:
    """The positions in `tabular-sorted-column-<i>`, most significant first."""
    ranks = [int(name.rpartition("-")[2]) for name in request.headers if name.startswith("tabular-sorted-column-")]
    return [request.integer(f"tabular-sorted-column-{rank}") for rank in sorted(ranks)]


def _splits(request: HttpRequest) -> Splits:
    try:
        index, count, groups = (int(part) for part in request.headers.get("tabular-split", "0,1,8").split(","))
        pairs = [value.split(",") for name, value in request.headers.items() if name.startswith("tabular-start-row-id-")]
        starts = {int(sub_split): int(row_id) for sub_split, row_id in pairs}
    except ValueError:
        raise bad_request("tabular-split and tabular-start-row-id must be numbers with commas between them") from None
    sub_splits, limit = request.integer("tabular-num-of-subsplits", 1), request.integer("tabular-limit-rows")
    return Splits(index, max(1, count), groups, sub_splits, starts, limit)


def _vector_index(request: HttpRequest, columns: pa.Schema) -> VectorIndexEntry | None:
    name = request.headers.get("tabular-vector-index-column")
    if name is None:
        return None
    at = columns.get_field_index(name)
    if at < 0 or not pa.types.is_fixed_size_list(columns.field(at).type):
        raise bad_request(f"invalid vector indexed column name {name}")
    metric = request.headers.get("tabular-vector-index-distance-metric", "")
    if metric not in METRICS:
        raise bad_request(f"invalid vector index distance metric {metric}, supported metrics: 'l2sq', 'ip'")
    cluster = request.headers.get("tabular-vector-index-cluster-quantization", "scalar_8bit")
    search = request.headers.get("tabular-vector-index-search-quantization", "scalar_8bit")
    if cluster not in QUANTIZATIONS or search not in QUANTIZATIONS or (cluster, search) == ("scalar_8bit", "none"):
        raise bad_request(f"invalid vector index quantization: cluster {cluster!r} with search {search!r}")
    return VectorIndexEntry(name, metric, cluster, search)
