"""The query request: a compute-IR relation in FlatBuffers, decoded into column names, leaf positions and an SQL condition.

Columns are numbered depth first over all their nodes, parents included: a struct is followed by its fields, a list or
fixed-size list by its item, a map by its entries, key and value. Projections name leaves; predicates name leaves, or the item of
a fixed-size list for the whole list.
"""

from __future__ import annotations

import datetime
import decimal
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from .catalogue import ROW_ID, TableEntry
from .errors import bad_request
from .flat import FlatTable
from .types import quote_identifier, sql_type

_SOURCE = 9
_LITERAL, _FIELD_REF, _CALL = 1, 2, 3
_FIELD_INDEX = 5
_COMPARISONS = {
    "equal": "=",
    "not_equal": "<>",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
}
# `struct` codes of the literals whose value is a scalar in slot 0, by the number of the literal's class.
_SCALARS = {
    1: "<?", 2: "<b", 3: "<h", 4: "<i", 5: "<q", 6: "<B", 7: "<H", 8: "<I", 9: "<Q",
    10: "<q", 11: "<q", 12: "<q", 16: "<H", 17: "<f", 18: "<d",
}  # fmt: skip
_LIST_LITERAL = 19
# Longer lists of values are handed over as a table.
_MAX_LISTED = 50
_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf to send: the top-level column and the way down to it (child names; `item`, `key`, `value` below lists and maps)."""

    column: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A numbered node: its type, its SQL expression ("" where no predicate reaches) and, for leaves, the way down."""

    kind: pa.DataType
    sql: str
    leaf: Leaf | None


@dataclass(frozen=True, slots=True)
class Query:
    """A decoded request.

    `condition` is SQL over the physical columns, `TRUE` where everything is asked for; `filtered` are the columns it uses.
    Long lists of values are tables of one column `v`, which the condition reads by the names in `values`.
    """

    leaves: tuple[Leaf, ...]
    condition: str
    filtered: frozenset[str]
    values: Mapping[str, pa.Table]


def decode_query(body: bytes, table: TableEntry) -> Query:
    """Decode a request body against the table's columns; raises `VastError` (400) where it does not fit them."""
    try:
        relation = FlatTable.root(body)
        source = relation.table(1)
        if relation.scalar(0, "<B") != _SOURCE or source is None:
            raise bad_request("the query is not a source relation")
        nodes = _nodes(source, table)
        condition = _Condition(nodes)
        sql = condition.sql(source.table(2)) if source.position(2) else "TRUE"
        return Query(tuple(_projection_leaves(source, nodes)), sql, condition.columns(), condition.values)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise bad_request(f"the query cannot be decoded: {error}") from error


def _nodes(source: FlatTable, table: TableEntry) -> list[Node]:
    nodes: list[Node] = []
    schema = source.table(3)
    for field in schema.tables(1) if schema else ():
        name = field.text(0)
        if name == ROW_ID:
            nodes.append(Node(pa.uint64(), quote_identifier(ROW_ID), Leaf(ROW_ID, ())))
        else:
            declared = table.columns.field(table.position(name))
            nodes.extend(_walk(declared.type, table.physical_column(name), Leaf(name, ())))
    return nodes


def _walk(kind: pa.DataType, sql: str, way: Leaf) -> Iterator[Node]:
    """The node of a column or subfield, and those below it, depth first."""

    def below(name: str) -> Leaf:
        return Leaf(way.column, (*way.path, name))

    if pt.is_struct(kind):
        yield Node(kind, "", None)
        for child in kind:
            inner = f"struct_extract({sql}, {_text(child.name)})" if sql else ""
            yield from _walk(child.type, inner, below(child.name))
    elif pt.is_map(kind):
        yield Node(kind, "", None)
        yield Node(kind, "", None)
        yield from _walk(kind.key_type, "", below("key"))
        yield from _walk(kind.item_type, "", below("value"))
    elif pt.is_fixed_size_list(kind):
        yield Node(kind, "", None)
        item = next(iter(_walk(kind.value_type, "", below("item"))))
        # The item stands for the whole list in predicates.
        yield Node(kind, sql, item.leaf)
    elif pt.is_list(kind):
        yield Node(kind, "", None)
        yield from _walk(kind.value_type, "", below("item"))
    else:
        yield Node(kind, sql, way)


def _projection_leaves(source: FlatTable, nodes: list[Node]) -> Iterator[Leaf]:
    for index in source.tables(4):
        leaf = nodes[index.scalar(0, "<I")].leaf
        if leaf is None:
            raise bad_request("only leaf columns can be projected")
        yield leaf


class _Condition:
    """Turns a filter expression into SQL."""

    def __init__(self, nodes: list[Node]) -> None:
        self.values: dict[str, pa.Table] = {}
        self._nodes = nodes
        self._columns: dict[int, Node] = {}

    def columns(self) -> frozenset[str]:
        """The columns met so far."""
        return frozenset(node.leaf.column for node in self._columns.values() if node.leaf)

    def sql(self, expression: FlatTable | None) -> str:
        call = expression.table(1) if expression is not None and expression.scalar(0, "<B") == _CALL else None
        if call is None:
            raise bad_request("a filter must be a function call")
        name, arguments = call.text(0), list(call.tables(1))
        if name == "and":
            return _join(" AND ", [self.sql(argument) for argument in arguments], "TRUE")
        if name == "or":
            return self._either(arguments)
        return self._predicate(name, arguments)

    def _either(self, arguments: list[FlatTable]) -> str:
        """An `or`; its equalities become one IN, because DuckDB limits the depth of an expression to 1,000."""
        if len(arguments) > _MAX_LISTED and (condition := self._one_of(arguments)):
            return condition
        listed: dict[str, list[str]] = {}
        others: list[str] = []
        for argument in arguments:
            call = argument.table(1)
            if call is not None and argument.scalar(0, "<B") == _CALL and call.blob(0) == b"equal":
                column, literal = self._operands(list(call.tables(1)))
                listed.setdefault(column, []).append(literal)
            else:
                others.append(self.sql(argument))
        others += [
            f"{column} IN ({', '.join(values)})" if len(values) > 1 else f"{column} = {values[0]}"
            for column, values in listed.items()
        ]
        return _join(" OR ", others, "FALSE")

    def _one_of(self, arguments: list[FlatTable]) -> str | None:
        """A long `or` of nothing but equalities with plain values, as a semi-join: thousands of literals parse slowly."""
        values: list[Any] = []
        node: Node | None = None
        for argument in arguments:
            call = argument.table(1)
            if call is None or call.blob(0) != b"equal":
                return None
            column, literal = call.tables(1)
            node = self._column(column)
            entry = literal.table(1)
            if entry is None or not _is_plain(node.kind):
                return None
            values.append(_plain_value(entry))
        if node is None:
            return None
        name = f"local_vast_values_{len(self.values)}"
        self.values[name] = pa.table([pa.array(values, node.kind)], names=["v"])
        return f"{node.sql} IN (SELECT v FROM {name})"

    def _predicate(self, name: str, arguments: list[FlatTable]) -> str:
        if name in ("is_null", "is_valid") and len(arguments) == 1:
            return f"{self._column(arguments[0]).sql} IS {'NOT ' if name == 'is_valid' else ''}NULL"
        if name == "match_substring":
            return "contains({}, {})".format(*self._operands(arguments))
        if name not in _COMPARISONS:
            raise bad_request(f"predicate {name!r} is not supported")
        column, literal = self._operands(arguments)
        return f"{column} {_COMPARISONS[name]} {literal}"

    def _operands(self, arguments: list[FlatTable]) -> tuple[str, str]:
        literal = arguments[1].table(1) if len(arguments) == 2 and arguments[1].scalar(0, "<B") == _LITERAL else None
        if literal is None:
            raise bad_request("a comparison needs a column and a literal")
        node = self._column(arguments[0])
        value = literal_sql(literal, node.kind)
        if value.startswith("from_hex(") and pt.is_string(node.kind):
            return f"encode({node.sql})", value
        return node.sql, value

    def _column(self, expression: FlatTable) -> Node:
        if expression.at in self._columns:
            return self._columns[expression.at]
        reference = expression.table(1)
        if expression.scalar(0, "<B") != _FIELD_REF or reference is None or reference.scalar(0, "<B") != _FIELD_INDEX:
            raise bad_request("the first operand of a predicate must be a column position")
        index = reference.table(1)
        node = self._nodes[index.scalar(0, "<I") if index else 0]
        if not node.sql:
            raise bad_request("predicates on lists, maps and structs are not supported")
        self._columns[expression.at] = node
        return node


def _join(operator: str, parts: list[str], empty: str) -> str:
    if not parts:
        return empty
    return parts[0] if len(parts) == 1 else f"({operator.join(parts)})"


def _is_plain(kind: pa.DataType) -> bool:
    return bool(pt.is_integer(kind) or pt.is_float32(kind) or pt.is_float64(kind) or pt.is_string(kind))


def _plain_value(literal: FlatTable) -> Any:
    """The value of a literal whose class is an integer, a float or text."""
    value = literal.table(1)
    if value is None:
        raise bad_request("a literal without a value")
    number = literal.scalar(0, "<B")
    return value.scalar(0, _SCALARS[number]) if number in _SCALARS else (value.blob(0) or b"").decode()


def literal_sql(literal: FlatTable, kind: pa.DataType) -> str:
    """A literal as an SQL expression of the column's type.

    Text that is not valid UTF-8 (the upper bound of a prefix search) becomes `from_hex(...)`, to be compared as bytes.
    """
    number = literal.scalar(0, "<B")
    value = literal.table(1)
    if value is None:
        raise bad_request("a literal without a value")
    if number == _LIST_LITERAL:
        item = kind.value_type if pt.is_fixed_size_list(kind) or pt.is_list(kind) else kind
        return f"[{', '.join(literal_sql(entry, item) for entry in value.tables(0))}]::{sql_type(kind)}"
    if number in _SCALARS:
        return _scalar_sql(value.scalar(0, _SCALARS[number]), kind)
    return _bytes_sql(value.blob(0) or b"", kind)


def _bytes_sql(raw: bytes, kind: pa.DataType) -> str:
    if pt.is_decimal128(kind):
        unscaled = int.from_bytes(raw, "little", signed=True)
        with decimal.localcontext(prec=40):
            return f"'{decimal.Decimal(unscaled).scaleb(-kind.scale):f}'::{sql_type(kind)}"
    if pt.is_string(kind):
        try:
            return _text(raw.decode())
        except UnicodeDecodeError:
            pass
    return f"from_hex('{raw.hex()}')"


def _text(value: str) -> str:
    if "\0" in value:
        return f"decode(from_hex('{value.encode().hex()}'))"
    return "'" + value.replace("'", "''") + "'"


def _scalar_sql(value: Any, kind: pa.DataType) -> str:
    for matches, render in _RENDERERS:
        if matches(kind):
            return render(value, kind)
    raise bad_request(f"a literal does not fit a column of type {kind}")


def _integer(value: Any, kind: pa.DataType) -> str:
    return f"'{int(value)}'::{sql_type(kind)}"


def _floating(value: Any, kind: pa.DataType) -> str:
    if pt.is_float16(kind) and isinstance(value, int):
        value = struct.unpack("<e", struct.pack("<H", value))[0]
    return f"'{value!r}'::{sql_type(kind)}"


def _boolean(value: Any, _kind: pa.DataType) -> str:
    return "TRUE" if value else "FALSE"


def _date(value: Any, _kind: pa.DataType) -> str:
    return f"(DATE '1970-01-01' + INTERVAL ({value}) DAY)::DATE"


def _timestamp(value: Any, kind: pa.DataType) -> str:
    if kind.unit == "ns":
        return f"make_timestamp_ns({value})"
    microseconds = value * (1_000_000 // _UNITS[kind.unit])
    return f"make_timestamp({microseconds})::{sql_type(kind)}"


def _time(value: Any, kind: pa.DataType) -> str:
    per_second = _UNITS[kind.unit]
    seconds, fraction = divmod(value, per_second)
    clock = datetime.timedelta(seconds=seconds)
    digits = f".{fraction:0{len(str(per_second)) - 1}d}" if per_second > 1 else ""
    return f"'{str(clock).rjust(8, '0')}{digits}'::{sql_type(kind)}"


_RENDERERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any, pa.DataType], str]], ...] = (
    (pt.is_integer, _integer),
    (pt.is_floating, _floating),
    (pt.is_boolean, _boolean),
    (pt.is_date32, _date),
    (pt.is_timestamp, _timestamp),
    (pt.is_time, _time),
)
