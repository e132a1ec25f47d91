"""The query engine: names, functions, what it sees. Tried where its driver is installed."""

from __future__ import annotations

from importlib.util import find_spec

from exr_inspector.catalogue.connection import Target
from exr_inspector.catalogue.engine import engine_message
from exr_inspector.errors import InspectorError
from exr_inspector.operations.assumptions.bench import (
    INFERRED,
    OTHER,
    PLAIN,
    SAID,
    TESTED,
    Bench,
    Broken,
    Untried,
    area,
    expect,
)

TRIALS, assumption = area("Query engine")
EXPRESSIONS = {
    "CASE WHEN number > 1 THEN 'a' ELSE 'b' END": "a",
    "coalesce(flag, true)": True,
    "CAST(number AS DOUBLE) / 2": 1.0,
    "id || '-x'": None,
    "number % 2": 0,
    "number IN (1, 2)": True,
    "id LIKE 'row-%'": True,
}
"""What questions are made of -> what it is of the row with the number 2; None where that depends."""


def ask(bench: Bench, sql: str) -> list[tuple[object, ...]]:
    """The answer's rows; `{plain}` and `{other}` stand for tables. Raises Untried without an engine, Broken with its words."""
    if find_spec("adbc_driver_vastdb") is None:
        raise Untried("the driver is not installed: pip install adbc-driver-vastdb.")
    from adbc_driver_manager import Error

    place = f'"{bench.settings.db_bucket}/{bench.settings.db_schema}"'
    target = Target(bench.store.session, bench.settings, bench.settings.db_bucket, bench.settings.db_schema)
    try:
        with target.reading(engine=True) as transaction:
            cursor = transaction.adbc_conn.cursor
            try:
                cursor.execute(sql.format(plain=f"{place}.{PLAIN}", other=f"{place}.{OTHER}"))
                return [tuple(row.values()) for row in cursor.fetch_arrow_table().to_pylist()]
            except Error as error:
                raise Broken(f"the engine refused it: {engine_message(error)}") from error
    except InspectorError as error:
        raise Untried(f"no query engine answers at this endpoint: {error}") from error


@assumption(
    "README of vastdb: query_engine_full_path", TESTED, "Questions with --engine server; without it they are answered here."
)
def engine_knows_the_tables_by_bucket_and_schema(bench: Bench) -> str:
    """`"bucket/schema".table` names a table in SQL."""
    key = bench.key()
    bench.put({"id": key, "number": 2})
    seen = ask(bench, f"SELECT number FROM {{plain}} WHERE id = '{key}'")  # noqa: S608 - a key of ours
    expect(seen == [(2,)], f"{seen}.")
    return "the row that was just committed."


@assumption("Vendor code and examples", SAID, "Questions with --engine server.")
def engine_runs_what_questions_are_made_of(bench: Bench) -> str:
    """Comparisons, CASE, COALESCE, casts, concatenation, remainders, IN and LIKE are known, with SQL's meaning."""
    key = bench.key()
    bench.put({"id": key, "number": 2})
    wrong = []
    for expression, wanted in EXPRESSIONS.items():
        ((value,),) = ask(bench, f"SELECT {expression} AS value FROM {{plain}} WHERE id = '{key}'")  # noqa: S608
        if wanted is not None and value != wanted:
            wrong.append(f"{expression} is {value}")
    expect(not wrong, "; ".join(wrong))
    return f"{len(EXPRESSIONS)} expressions."


@assumption("The 5.5 release notes: plain aggregates", SAID, "Questions with --engine server.")
def engine_groups_joins_and_orders(bench: Bench) -> str:
    """Joins, WITH, GROUP BY with count, sum, min, max and avg, ORDER BY and LIMIT are known."""
    key = bench.key()
    bench.put({"id": key, "number": 1}, {"id": key, "number": 3})
    bench.put({"id": key, "number": 5}, table="other")
    sql = f"""WITH mine AS (SELECT id, number FROM {{plain}} WHERE id = '{key}')
        SELECT m.id, count(*), sum(m.number), min(m.number), max(o.number), avg(m.number)
        FROM mine AS m JOIN {{other}} AS o ON o.id = m.id GROUP BY m.id ORDER BY m.id LIMIT 1"""  # noqa: S608
    seen = ask(bench, sql)
    expect([tuple(map(str, row)) for row in seen] == [(key, "2", "4", "1", "5", "2.0")], f"{seen}.")
    return "one row, with the right sums."


@assumption(
    "vastdb's tests: l2sq is `array_distance`; whether it is squared is not said", INFERRED, "Distances that questions print."
)
def array_distance_is_euclidean(bench: Bench) -> str:
    """`array_distance` of two vectors is the root of the sum of squares, not its square."""
    key = bench.key()
    bench.put({"id": key, "vector": [3.0, 4.0, 0.0, 0.0]})
    ((value,),) = ask(
        bench,
        f"SELECT array_distance(vector, ARRAY[0.0, 0.0, 0.0, 0.0]::FLOAT[4]) AS d FROM {{plain}} WHERE id = '{key}'",  # noqa: S608
    )
    expect(value == 5.0, f"the distance of (3, 4) from the origin is {value}, expected 5.")
    return "(3, 4) is 5 from the origin."
