"""INSERT, UPDATE and DELETE in SQL: each as a query for what is to be written.

The query engine runs that query in the transaction and hands the answer to the same operations that the tabular API has, so that
SQL conflicts, row ids and limits are those of the wire protocol. What a statement has beyond the plain forms is refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from .catalogue import ROW_ID, TableEntry
from .errors import not_implemented
from .types import quote_identifier, sql_type

# The parts of each statement that are understood; sqlglot's names.
_PARTS: dict[type[exp.Expression], frozenset[str]] = {
    exp.Insert: frozenset({"this", "expression"}),
    exp.Update: frozenset({"this", "expressions", "where"}),
    exp.Delete: frozenset({"this", "where"}),
}
# How the parts that are refused are written, where sqlglot has another name.
_WRITTEN = {"alternative": "OR", "conflict": "ON CONFLICT", "by_name": "BY NAME", "default": "DEFAULT VALUES"}


@dataclass(frozen=True, slots=True)
class Change:
    """A statement that writes to one table: `columns` by name (none for DELETE), and `values`, the query for what they become.

    For UPDATE and DELETE the query reads `target` itself, and its first column is the row id.
    """

    kind: str
    target: exp.Table
    columns: tuple[str, ...]
    values: exp.Expression

    @property
    def finds_rows(self) -> bool:
        """True where the query says which rows are written."""
        return self.kind != "INSERT"

    def fields(self, table: TableEntry) -> list[int]:
        """The positions of the written columns; letters count as in DuckDB, where their case does not. 400 for unknown ones."""
        if self.kind == "INSERT" and not self.columns:
            return list(range(len(table.columns)))
        lowered = {name.lower(): name for name in table.columns.names}
        return [table.position(name if name in table.columns.names else lowered.get(name.lower(), name)) for name in self.columns]

    def cast_query(self, table: TableEntry, query: str) -> str:
        """The query, once its tables are replaced, with the columns' own types; the rows that it finds ascend."""
        kinds = ["UBIGINT"] if self.finds_rows else []
        kinds += [sql_type(table.columns.field(at).type) for at in self.fields(table)]
        names = [f"v{number}" for number in range(len(kinds))]
        casts = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in zip(names, kinds, strict=True))
        order = " ORDER BY v0" if self.finds_rows else ""
        return f"SELECT {casts} FROM ({query}) AS source({', '.join(names)}){order}"

    def check_statement(self, table: TableEntry, query: str) -> str:
        """A statement that DuckDB accepts where numbers and types of the columns fit."""
        names = [quote_identifier(ROW_ID)] if self.finds_rows else []
        names += [f"c{table.numbers[at]}" for at in self.fields(table)]
        return f"INSERT INTO {table.physical} ({', '.join(names)}) {query}"


def parse_change(statement: exp.Expression) -> Change:
    """What a statement changes. Raises `VastError`: 501 for other statements, and for parts that are not understood."""
    parts = _PARTS.get(type(statement))
    if parts is None:
        raise not_implemented(f"{statement.sql('duckdb').split()[0].upper()} through the query engine")
    kind = statement.key.upper()
    for name, part in statement.args.items():
        if part and name not in parts:
            raise not_implemented(f"{kind} with {_WRITTEN.get(name, name.strip('_').upper())} through the query engine")
    if isinstance(statement, exp.Insert):
        return _insert(statement)
    target = statement.this
    if not isinstance(target, exp.Table) or target.args.get("joins"):
        raise not_implemented(f"{kind} of anything but one table")
    columns, values = _assignments(statement)
    query = exp.select(exp.column(ROW_ID, table=target.alias_or_name, quoted=True), *values).from_(target, copy=False)
    if where := statement.args.get("where"):
        query.set("where", where)
    return Change(kind, target, columns, query)


def _insert(statement: exp.Insert) -> Change:
    target = statement.this
    columns: tuple[str, ...] = ()
    if isinstance(target, exp.Schema):
        columns = tuple(column.name for column in target.expressions)
        target = target.this
    if not isinstance(statement.expression, exp.Query | exp.Values):
        raise not_implemented("INSERT of anything but VALUES or a query")
    return Change("INSERT", target, columns, statement.expression)


def _assignments(statement: exp.Expression) -> tuple[tuple[str, ...], list[exp.Expression]]:
    """The columns that an UPDATE sets, and what to."""
    names, values = [], []
    for assignment in statement.expressions:
        if not (isinstance(assignment, exp.EQ) and isinstance(assignment.this, exp.Column)) or assignment.this.table:
            raise not_implemented(f"UPDATE that sets anything but whole columns: {assignment.sql('duckdb')}")
        names.append(assignment.this.name)
        values.append(assignment.expression)
    return tuple(names), values
