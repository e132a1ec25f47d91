"""The questions' SQL for the engine that will run it, with values in the place of parameters.

The statement of a file is one SELECT in the dialect of VAST's query engine, tables by their bare names. VAST has no bound
parameters, so values become literals of the parsed statement: text never meets SQL text, and quoting is the writer's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import astuple, fields
from datetime import UTC, datetime, timedelta
from typing import cast

import sqlglot
from sqlglot import exp

from exr_inspector.catalogue import library
from exr_inspector.catalogue.library import BadQuestion, QuestionFile
from vast_schemas import TABLES

DIALECT = "duckdb"
names = library.names
MAX_INTEGER = 2**63 - 1


class BoundParameter(library.Parameter):
    """A parameter whose values become literals."""

    def literal(self, value: str | None) -> exp.Expression:
        """The value as a literal of the dialect. Raises BadQuestion where it is not of the parameter's kind."""
        if value is None:
            return exp.null()
        try:
            return _LITERALS[self.kind](value)
        except (ValueError, OverflowError):
            message = f"parameter {self.name!r}: {value[:80]!r} is not {_ARTICLES[self.kind]}"
            raise BadQuestion(message, remedy=f"Give {_SHAPES[self.kind]}", parameter=self.name) from None


def _integer(text: str) -> exp.Expression:
    number = int(text)
    if abs(number) > MAX_INTEGER:
        raise OverflowError
    return exp.Literal.number(number)


def _number(text: str) -> exp.Expression:
    number = float(text)
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError
    return exp.cast(exp.Literal.number(repr(number)), "double")


def _text(text: str) -> exp.Expression:
    if "\0" in text:
        raise ValueError
    return exp.Literal.string(text)


def _time(text: str) -> exp.Expression:
    if ago := _AGO.fullmatch(f"now-{text}" if _SPAN.fullmatch(text) else text):
        moment = datetime.now(UTC) - timedelta(**{_UNITS[ago[2] or "d"]: int(ago[1] or 0)})
    else:
        moment = datetime.fromisoformat(text)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    return exp.cast(exp.Literal.string(moment.strftime("%Y-%m-%d %H:%M:%S.%f")), "timestamp")


_AGO = re.compile(r"now(?:-(\d{1,6})([dhm]))?")
_SPAN = re.compile(r"(\d{1,6}[dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
_LITERALS = {"text": _text, "integer": _integer, "number": _number, "time": _time}
_ARTICLES = {"text": "a text", "integer": "an integer", "number": "a number", "time": "a time"}
_SHAPES = {
    "text": "a text without NUL",
    "integer": "a whole number of 64 bits",
    "number": "a finite number",
    "time": "`1h`, `30d`, `now` or an ISO 8601 time in UTC, such as 2026-01-31T12:00:00",
}


class Question(QuestionFile):
    """A question whose parameters become literals of its statement."""

    parameters: tuple[BoundParameter, ...]

    def bind(self, values: Mapping[str, str] | None = None) -> exp.Query:
        """The parsed statement with every parameter replaced by a literal.

        Raises BadQuestion for a parameter that is unknown, missing or of the wrong kind, naming those there are.
        """
        given = dict(values or {})
        unknown = sorted(set(given) - {parameter.name for parameter in self.parameters})
        if unknown:
            known = ", ".join(parameter.name for parameter in self.parameters) or "none"
            raise BadQuestion(f"question {self.name!r} has no parameter {unknown[0]!r}", remedy=f"It has: {known}")
        return self.bind_literals({parameter.name: self._literal(parameter, given) for parameter in self.parameters})

    def bind_literals(self, literals: Mapping[str, exp.Expression]) -> exp.Query:
        """The parsed statement with these expressions in the place of its parameters."""
        return bind_literals(parse(self.sql), literals)

    def _literal(self, parameter: BoundParameter, given: Mapping[str, str]) -> exp.Expression:
        if parameter.required and parameter.name not in given:
            raise BadQuestion(
                f"question {self.name!r} needs the parameter {parameter.name!r}: {parameter.meaning}",
                remedy="Add --file PATH, or --file-id ID"
                if parameter.name == "file_id"
                else f"Add --{parameter.name.replace('_', '-')} ...",
            )
        return parameter.literal(given.get(parameter.name, parameter.default))


def parse(sql: str) -> exp.Query:
    """The one SELECT of a text, comments dropped. Raises BadQuestion where the text is anything else."""
    try:
        statements = sqlglot.parse(sql, read=DIALECT)
    except sqlglot.errors.SqlglotError as error:
        raise BadQuestion(f"the SQL does not parse: {str(error).splitlines()[0]}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise BadQuestion("the SQL is not one query", remedy="Give one statement that reads and changes nothing")
    for node in statements[0].walk():
        node.comments = None
    return statements[0]


def bind_literals(statement: exp.Query, literals: Mapping[str, exp.Expression]) -> exp.Query:
    """The statement with literals in the place of its parameters. Raises BadQuestion for one that has none."""
    for node in list(statement.find_all(exp.Placeholder)):
        if node.name not in literals:
            remedy = f"Give one with --param {node.name}=..., or declare it in the file's first comments"
            raise BadQuestion(f"${node.name} has no value", remedy=remedy)
        node.replace(literals[node.name].copy())
    bound = cast(exp.Query, statement.transform(_simplify_null_test))
    _drop_true_conditions(bound)
    return bound


def _simplify_null_test(node: exp.Expression) -> exp.Expression:
    """`($p IS NULL OR x = $p)` once the parameter is a literal: TRUE, or x = literal, which can be pushed down."""
    if not isinstance(node, exp.Paren) or not isinstance(node.this, exp.Or):
        return node
    test, condition = node.this.left, node.this.right
    if isinstance(test, exp.Is) and isinstance(test.expression, exp.Null):
        if isinstance(test.this, exp.Null):
            return exp.true()
        if isinstance(test.this, exp.Literal | exp.Cast) and not test.this.find(exp.Column):
            return condition
    return node


def _drop_true_conditions(statement: exp.Query) -> None:
    """Leave out of each WHERE of a SELECT the `AND TRUE` where nothing was asked for, and a WHERE that has nothing else."""
    for where in list(statement.find_all(exp.Where)):
        if not isinstance(where.parent, exp.Select):  # an aggregate's FILTER needs its condition
            continue
        stated = _operands(where.this)
        conditions = [condition for condition in stated if condition != exp.true()]
        if not conditions:
            where.pop()
        elif len(conditions) < len(stated):
            where.set("this", exp.and_(*conditions, copy=False))


def _operands(condition: exp.Expression) -> list[exp.Expression]:
    """The conditions that AND joins, or the one that there is."""
    return [*_operands(condition.left), *_operands(condition.right)] if isinstance(condition, exp.And) else [condition]


def load(name: str) -> Question:
    """The question of this name. Raises BadQuestion, with the near ones, where there is none."""
    return _as_question(library.load(name))


def read(name: str, text: str) -> Question:
    """A question from the text of its file. Raises BadQuestion where the first comments do not say what they must."""
    return _as_question(library.read(name, text))


def _as_question(file: library.QuestionFile) -> Question:
    values = {item.name: getattr(file, item.name) for item in fields(file)}
    return Question(**values | {"parameters": tuple(BoundParameter(*astuple(one)) for one in file.parameters)})


def tables_of(statement: exp.Expression) -> list[exp.Table]:
    """The references to stored tables: those that no WITH of the statement names."""
    local = {cte.alias_or_name for cte in statement.find_all(exp.CTE)}
    return [node for node in statement.find_all(exp.Table) if node.db or node.name not in local]


def for_vast(statement: exp.Query, bucket: str, schema: str) -> str:
    """The SQL for VAST's query engine: every table as "bucket/schema"."table"."""
    return _qualify_tables(statement, exp.to_identifier(f"{bucket}/{schema}", quoted=True)).sql(DIALECT, pretty=True)


def for_trino(statement: exp.Query, bucket: str, schema: str) -> str:
    """The SQL for Trino: every table as vast."bucket|schema"."table", the connector's custom schema separator being `|`."""
    located = _qualify_tables(statement, exp.to_identifier(f"{bucket}|{schema}", quoted=True), exp.to_identifier("vast"))
    return located.transform(_trino).sql("trino", pretty=True)


def _qualify_tables(statement: exp.Query, database: exp.Identifier, catalog: exp.Identifier | None = None) -> exp.Query:
    located = statement.copy()
    for node in tables_of(located):
        if node.name not in TABLES:
            raise BadQuestion(f"there is no table {node.name!r}", remedy=f"There are: {', '.join(TABLES)}")
        node.set("this", exp.to_identifier(node.name, quoted=True))
        node.set("db", database.copy())
        node.set("catalog", catalog.copy() if catalog else None)
    return located


# Trino has no array_distance. The connector maps vectors to array(real).
_EUCLIDEAN = "SQRT(REDUCE(ZIP_WITH(a, b, (x, y) -> (x - y) * (x - y)), CAST(0 AS DOUBLE), (s, x) -> s + x, s -> s))"


def _trino(node: exp.Expression) -> exp.Expression:
    if not isinstance(node, exp.Anonymous) or node.name.lower() != "array_distance":
        return node
    vectors = dict(zip(("a", "b"), node.expressions, strict=True))
    template = sqlglot.parse_one(_EUCLIDEAN, read="trino")
    for column in list(template.find_all(exp.Column)):
        column.replace(vectors[column.name].copy())
    return template


def trino_text(question: Question, bucket: str, schema: str) -> str:
    """The question in Trino's dialect with its defaults, and a mark where a value must stand."""
    literals = {parameter.name: _trino_default(parameter) for parameter in question.parameters}
    head = [f"-- Question: {question.question}", "-- Parameters have their defaults; one that has none is written as <name>."]
    return "\n".join([*head, for_trino(question.bind_literals(literals), bucket, schema)]) + "\n"


def _trino_default(parameter: BoundParameter) -> exp.Expression:
    if parameter.required:
        return exp.Literal.string(f"<{parameter.name}>")
    ago = _AGO.fullmatch(parameter.default or "")
    if parameter.kind != "time" or ago is None:
        return parameter.literal(parameter.default)
    now = "CAST(CURRENT_TIMESTAMP AT TIME ZONE 'UTC' AS TIMESTAMP)"
    unit = _UNITS[ago[2] or "d"].removesuffix("s")
    return sqlglot.parse_one(f"{now} - INTERVAL '{ago[1]}' {unit}" if ago[1] else now, read="trino")
