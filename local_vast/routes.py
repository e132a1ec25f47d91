"""From a request to an operation: the tabular API's commands, by method and command.

`server` asks `is_tabular` and `engine.is_engine`; what neither of them knows is for the object store.
"""

from __future__ import annotations

from .errors import bad_request, not_implemented
from .http import HttpRequest, HttpResponse
from .tabular import Operation, Tabular

COMMANDS = frozenset(
    {
        "transaction", "schema", "table", "column", "sorted-columns", "stats", "rows", "data", "projection", "projection-columns",
        "projection-stats", "partitions", "blob-expansion",
    }
)  # fmt: skip
# What the SDK keeps its requests below; a larger one is refused.
MAX_BODY = 5 * 1024 * 1024
ROUTES: dict[tuple[str, str], tuple[str, Operation]] = {
    ("GET", "schema"): ("list", Tabular.list_schemas),
    ("POST", "schema"): ("create", Tabular.create_schema),
    ("PUT", "schema"): ("alter", Tabular.alter_schema),
    ("DELETE", "schema"): ("drop", Tabular.drop_schema),
    ("GET", "table"): ("list", Tabular.list_tables),
    ("POST", "table"): ("create", Tabular.create_table),
    ("PUT", "table"): ("alter", Tabular.alter_table),
    ("DELETE", "table"): ("drop", Tabular.drop_table),
    ("GET", "stats"): ("stats", Tabular.stats),
    ("GET", "column"): ("list", Tabular.list_columns),
    ("GET", "sorted-columns"): ("list", Tabular.list_sorted_columns),
    ("POST", "column"): ("alter", Tabular.add_columns),
    ("DELETE", "column"): ("alter", Tabular.drop_columns),
    ("PUT", "column"): ("alter", Tabular.alter_column),
    ("POST", "rows"): ("insert", Tabular.insert),
    ("PUT", "rows"): ("update", Tabular.update),
    ("DELETE", "rows"): ("delete", Tabular.delete),
    ("GET", "data"): ("query", Tabular.query),
    ("POST", "data"): ("import", Tabular.import_data),
    ("GET", "projection"): ("list", Tabular.list_projections),
    ("POST", "projection"): ("create", Tabular.create_projection),
    ("PUT", "projection"): ("alter", Tabular.alter_projection),
    ("DELETE", "projection"): ("drop", Tabular.drop_projection),
    ("GET", "projection-columns"): ("list", Tabular.list_projection_columns),
    ("GET", "projection-stats"): ("stats", Tabular.projection_stats),
}


def is_tabular(request: HttpRequest) -> bool:
    """True for the tabular API. Its commands are bare keys that S3 does not have; a bucket's HEAD and snapshots are shared."""
    if request.command in COMMANDS:
        return True
    return request.method == "GET" and request.parameters.get("prefix", "").startswith(".snapshot/")


def operation_name(request: HttpRequest) -> str:
    """The name of a tabular operation, as faults use it; `list` where it is none of the API's."""
    if request.command == "transaction":
        if "tabular-get-vast-version" in request.headers:
            return "version"
        return {"POST": "begin", "PUT": "commit", "DELETE": "rollback"}.get(request.method, "list")
    name, _ = ROUTES.get((request.method, request.command), ("list", None))
    return name


def answer(tabular: Tabular, request: HttpRequest) -> HttpResponse:
    """Carry out a tabular request; raises `VastError`."""
    if request.command == "transaction":
        return tabular.transaction(request)
    if request.command not in COMMANDS:
        return tabular.snapshots(request)
    if len(request.body) > MAX_BODY:
        raise bad_request(f"a body of {len(request.body)} bytes is larger than the limit of {MAX_BODY}", "EntityTooLarge")
    if (request.method, request.command) not in ROUTES:
        raise not_implemented(f"{request.method} ?{request.command}")
    _, operation = ROUTES[request.method, request.command]
    return tabular.run(operation, request)
