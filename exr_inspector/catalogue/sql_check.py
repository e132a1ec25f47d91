"""Holds statements to what VAST's query engine is known to run, so that what passes on a laptop does not fail on a cluster.

The engine speaks a dialect like DuckDB's, and local_vast runs all of DuckDB's. What is public about the engine: SELECT over
`"bucket/schema"."table"`, predicates, joins, grouping, ORDER BY and LIMIT, plain aggregates, casts, array_distance; no ORDER BY
or DISTINCT inside an aggregate, no aggregate that makes a list or approximates, no bound parameters. Windows, recursion,
unnesting, lateral joins, set operations beyond UNION ALL, sampling, regular expressions, JSON and table functions are not known
to run. So what is listed here is allowed, and everything else is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from vast_schemas import TABLES

FUNCTIONS = frozenset({"array_distance"})
"""Functions that sqlglot knows no class for."""

AGGREGATES = (exp.Count, exp.Sum, exp.Min, exp.Max, exp.Avg)
STRUCTURE = (
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.With, exp.CTE,
    exp.Subquery, exp.Table, exp.TableAlias, exp.Alias, exp.Column, exp.Identifier, exp.Star, exp.Union, exp.Tuple,
)  # fmt: skip
EXPRESSIONS = (
    exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Like, exp.EQ, exp.NEQ, exp.LT,
    exp.LTE, exp.GT, exp.GTE, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.DPipe, exp.Case, exp.If, exp.Coalesce,
    exp.Cast, exp.DataType, exp.DataTypeParam,
)  # fmt: skip
ALLOWED = (*AGGREGATES, *STRUCTURE, *EXPRESSIONS)
TYPES = frozenset({"BIGINT", "INT", "DOUBLE", "FLOAT", "VARCHAR", "TEXT", "TIMESTAMP", "DATE", "BOOLEAN", "ARRAY"})


def violations(statement: exp.Expression) -> list[str]:
    """What the statement uses that is not known to run, in words; an empty list when all of it is."""
    return sorted(set(_violations(statement)))


def _violations(statement: exp.Expression) -> Iterator[str]:
    local = {cte.alias_or_name for cte in statement.find_all(exp.CTE)}
    for node in statement.walk():
        yield from _node(node)
        if isinstance(node, exp.Table) and not node.db and node.name not in {*local, *TABLES}:
            yield f"{node.name!r} is not a table"


def _node(node: exp.Expression) -> Iterator[str]:
    if isinstance(node, exp.Anonymous):
        if node.name.lower() not in FUNCTIONS:
            yield f"function {node.name.lower()}"
    elif not isinstance(node, ALLOWED):
        yield f"construct {type(node).__name__}"
    if isinstance(node, AGGREGATES):
        yield from _aggregate(node)
    if isinstance(node, exp.Join):
        yield from _join(node)
    if isinstance(node, exp.DataType) and node.this.name not in TYPES:
        yield f"type {node.this.name}"
    yield from _clause(node)


def _clause(node: exp.Expression) -> Iterator[str]:
    if isinstance(node, exp.With) and node.args.get("recursive"):
        yield "WITH RECURSIVE"
    if isinstance(node, exp.Union) and node.args.get("distinct"):
        yield "UNION without ALL"
    if isinstance(node, exp.Group) and (node.args.get("all") or not node.expressions):
        yield "GROUP BY other than a list of expressions"
    if isinstance(node, exp.Select) and node.args.get("distinct"):
        yield "SELECT DISTINCT"


def _aggregate(node: exp.Expression) -> Iterator[str]:
    for inside in (exp.Order, exp.Distinct):
        if node.find(inside):
            yield f"{inside.__name__.upper()} inside an aggregate"


def _join(node: exp.Join) -> Iterator[str]:
    if node.method or node.side not in ("", "LEFT") or node.kind not in ("", "INNER", "OUTER"):
        yield f"{' '.join(filter(None, (node.method, node.side, node.kind)))} JOIN"
    if node.args.get("on") is None:
        yield "a join without ON"
