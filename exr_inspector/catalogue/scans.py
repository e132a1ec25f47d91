"""What a statement needs of each stored table, and reading no more than that.

Of each table, the columns that the statement uses, and of the conditions those that VAST can apply itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any, cast

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

import vast_schemas
from exr_inspector.catalogue import questions
from exr_inspector.errors import Reject

CURRENT = tuple(sqlglot.parse_one(text, read=questions.DIALECT) for text in ("is_current", "deleted_at IS NULL"))
"""The conditions of a scan of `files` that is about what is there now."""
FILE_IDS_A_REQUEST = 1_000
COMPARISONS: dict[type[exp.Expression], Callable[[Any, Any], Any]] = {
    exp.EQ: operator.eq,
    exp.NEQ: operator.ne,
    exp.LT: operator.lt,
    exp.LTE: operator.le,
    exp.GT: operator.gt,
    exp.GTE: operator.ge,
}
# What VAST's storage refuses to compare: nested columns.
_SCALAR = (pa.types.is_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_timestamp)


class QueryFailed(Reject):
    """The engine refused the statement; the message is the engine's."""

    code = "query_failed"


@dataclass(frozen=True, slots=True)
class Scan:
    """What a statement needs of one table: `columns` in the table's order, and `conditions` that every use of it implies.

    `within` is the WITH whose file_ids bound every use: `file_id IN (SELECT file_id FROM within)`.
    """

    table: str
    columns: tuple[str, ...]
    conditions: tuple[exp.Expression, ...] = ()
    within: str | None = None


def stream(table: Any, scan: Scan, file_ids: Sequence[str] | None = None) -> pa.RecordBatchReader:
    """The rows of a stored table that meet the scan's conditions, with the scan's columns; of these files alone, if given."""
    if file_ids is not None:
        return _stream_files(table, scan, file_ids)
    return table.select(list(scan.columns), predicate_of(table, scan.conditions))


def _stream_files(table: Any, scan: Scan, file_ids: Sequence[str]) -> pa.RecordBatchReader:
    """In requests of some file_ids each; none at all where there are none."""
    predicates = [_predicate(table, condition) for condition in scan.conditions]
    whole = vast_schemas.schema_for(scan.table)
    schema = pa.schema([pa.field(name, whole.field(name).type) for name in scan.columns])

    def batches() -> Iterable[pa.RecordBatch]:
        for start in range(0, len(file_ids), FILE_IDS_A_REQUEST):
            chosen = table["file_id"].isin(list(file_ids[start : start + FILE_IDS_A_REQUEST]))
            for batch in table.select(list(scan.columns), reduce(operator.and_, [*predicates, chosen])):
                yield batch.cast(schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def scans_of(statement: exp.Query) -> list[Scan]:
    """What the statement reads of each stored table, in the order of vast_schemas."""
    known = {name: {column.name: _sql_type(column.type) for column in spec.columns} for name, spec in vast_schemas.TABLES.items()}
    try:
        qualified = qualify(
            statement.copy(), schema=known, dialect=questions.DIALECT, quote_identifiers=False, validate_qualify_columns=True
        )
    except SqlglotError as error:
        raise QueryFailed(f"the statement names something that is not there: {str(error).splitlines()[0]}") from error
    uses: dict[str, list[_Use]] = {}
    for scope in traverse_scope(qualified):
        for alias, source in scope.sources.items():
            if isinstance(source, exp.Table):
                use = _Use(_columns(scope, alias), _conditions(scope, alias, source.name), _within(scope, alias))
                uses.setdefault(source.name, []).append(use)
    return [_scan(name, uses[name]) for name in vast_schemas.TABLES if name in uses]


@dataclass(frozen=True, slots=True)
class _Use:
    """One place of a statement that reads a table; conditions by their text."""

    columns: set[str]
    conditions: dict[str, exp.Expression]
    within: str | None


def _scan(name: str, uses: list[_Use]) -> Scan:
    wanted = set().union(*(use.columns for use in uses))
    common = set.intersection(*(set(use.conditions) for use in uses))
    ordered = [column.name for column in vast_schemas.TABLES[name].columns if column.name in wanted]
    # A count needs no column, and the client needs one.
    columns = tuple(ordered or ["file_id"])
    bounds = {use.within for use in uses}
    within = bounds.pop() if len(bounds) == 1 else None
    return Scan(name, columns, tuple(uses[0].conditions[text] for text in sorted(common)), within)


def _within(scope: Scope, alias: str) -> str | None:
    """The WITH that the scope's WHERE takes the table's file_ids from; None where there is no such condition."""
    where = scope.expression.args.get("where")
    joins = scope.expression.args.get("joins") or []
    if where is None or any(join.side for join in joins):
        return None
    for condition in _conjuncts(where.this):
        query = condition.args.get("query") if isinstance(condition, exp.In) else None
        if query is None or not isinstance(condition.this, exp.Column):
            continue
        inner = query.unnest()
        plain = isinstance(inner, exp.Select) and not any(inner.args.get(key) for key in ("where", "joins", "group", "limit"))
        if plain and (condition.this.table, condition.this.name) == (alias, "file_id") and inner.named_selects == ["file_id"]:
            return str(inner.find(exp.Table).name)
    return None


def _columns(scope: Scope, alias: str) -> set[str]:
    return {column.name for column in scope.columns if column.table == alias}


def _conditions(scope: Scope, alias: str, table: str) -> dict[str, exp.Expression]:
    """The conditions of the scope's WHERE that are about this table alone and that VAST applies, by their text without alias.

    Those on the nullable side of an outer join are not implied by the statement's answer, so they are left to DuckDB.
    """
    where = scope.expression.args.get("where")
    joins = scope.expression.args.get("joins") or []
    outer = {join.alias_or_name for join in joins if join.side}
    if where is None or alias in outer or any(join.side in ("RIGHT", "FULL") for join in joins):
        return {}
    conditions = {}
    for condition in _conjuncts(where.this):
        if {column.table for column in condition.find_all(exp.Column)} == {alias} and _is_simple(condition, table):
            plain = condition.copy()
            for column in plain.find_all(exp.Column):
                column.set("table", None)
            conditions[plain.sql(questions.DIALECT)] = plain
    return conditions


def _conjuncts(condition: exp.Expression) -> Iterator[exp.Expression]:
    if isinstance(condition, exp.And):
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    else:
        yield condition.unnest()  # type: ignore[no-untyped-call]


def _is_simple(condition: exp.Expression, table: str) -> bool:
    """Whether VAST can apply it: a scalar column on the left, compared with literals, or tested for null or truth."""
    inner = condition.this if isinstance(condition, exp.Not) else condition
    if isinstance(inner, exp.Is):
        return isinstance(inner.this, exp.Column) and isinstance(inner.expression, exp.Null)
    if isinstance(condition, exp.Column):
        return True
    if isinstance(condition, exp.In):
        values = condition.expressions
        return isinstance(condition.this, exp.Column) and bool(values) and all(_value(value) is not None for value in values)
    if type(condition) not in COMPARISONS or not isinstance(condition.this, exp.Column):
        return False
    kind = vast_schemas.schema_for(table).field(condition.this.name).type
    return any(test(kind) for test in _SCALAR) and _value(condition.expression) is not None


def _value(node: exp.Expression) -> Any:
    """The Python value of a literal; None where the node is not a literal."""
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Neg):
        inner = _value(node.this)
        return -inner if isinstance(inner, int | float) else None
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal):
        return _cast_value(node)
    return node.to_py() if isinstance(node, exp.Literal) else None


def _cast_value(node: exp.Cast) -> Any:
    if node.is_type("timestamp") and node.this.is_string:
        return datetime.fromisoformat(node.this.name)
    return float(node.this.name) if node.is_type("double") and not node.this.is_string else None


def predicate_of(table: Any, conditions: Sequence[exp.Expression]) -> Any:
    """The conditions of a scan as a predicate of the SDK; None where there are none."""
    return reduce(operator.and_, [_predicate(table, condition) for condition in conditions]) if conditions else None


def _predicate(table: Any, condition: exp.Expression) -> Any:
    if isinstance(condition, exp.Not):
        return ~table[condition.this.this.name].isnull()
    if isinstance(condition, exp.Column):
        return table[condition.name] == True  # noqa: E712 - builds an expression
    column = table[condition.this.name]
    if isinstance(condition, exp.Is):
        return column.isnull()
    if isinstance(condition, exp.In):
        return column.isin([_value(value) for value in condition.expressions])
    return COMPARISONS[type(condition)](column, _value(cast(exp.Binary, condition).expression))


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_fixed_size_list(kind):
        return f"FLOAT[{kind.list_size}]"
    return _SQL_TYPES[kind]


_SQL_TYPES = {
    vast_schemas.TEXT: "VARCHAR",
    vast_schemas.INT: "BIGINT",
    vast_schemas.SMALL: "INTEGER",
    vast_schemas.FLAG: "BOOLEAN",
    vast_schemas.REAL: "DOUBLE",
    vast_schemas.TIME: "TIMESTAMP",
}
