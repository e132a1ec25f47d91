"""Reading through the SDK: predicates, streams, the vector index."""

from __future__ import annotations

from exr_inspector.operations.assumptions.bench import (
    COLUMNS,
    INDEXED,
    INFERRED,
    OTHER,
    PLAIN,
    SAID,
    TESTED,
    Bench,
    Untried,
    area,
    expect,
    insert,
)

TRIALS, assumption = area("Reading")
MANY = 1_000
ANSWER_ROWS = 7


@assumption(
    "vastdb sends one `equal` per value; 10,000 pass", TESTED, "Batches and groups, which look up all their paths at once."
)
def isin_takes_a_thousand_texts(bench: Bench) -> str:
    """A predicate with 1,000 texts is answered, and finds exactly the rows that match."""
    keys = [f"{bench.key()}-{'p' * 60}" for _ in range(MANY)]
    bench.put(*({"id": key} for key in keys[::100]))
    seen = {row["id"] for row in bench.get(*keys)}
    expect(seen == set(keys[::100]), f"{len(seen)} rows, expected {len(keys[::100])}.")
    return f"{len(seen)} of {MANY}."


@assumption("SQL's NULL in vastdb's tests of predicates", TESTED, "Questions about what is missing.")
def null_matches_no_comparison(bench: Bench) -> str:
    """A row whose key is NULL is found by no comparison."""
    with bench.transaction() as one:
        insert(one.work, {"number": 1})
        rows = [
            *one.work.scan(PLAIN, ["id"], "0", key="id").read_all()["id"],
            *one.work.scan(PLAIN, ["id"], "", "z", key="id").read_all()["id"],
        ]
    expect(all(row.as_py() is not None for row in rows), "a row with NULL was among them.")
    return "no row with NULL."


@assumption("SQL", INFERRED, "Backups, copies and checks, which read tables in ranges of file_id.")
def texts_are_ordered_by_their_bytes(bench: Bench) -> str:
    """Ranges of texts are ordered by their bytes: digits before capitals before small letters."""
    mark = bench.key()
    for text in ("0", "9", "A", "Z", "a", "z"):
        bench.put({"id": f"{mark}{text}"})
    with bench.transaction() as one:
        seen = sorted(row.as_py() for row in one.work.scan(PLAIN, ["id"], f"{mark}9", f"{mark}a", key="id").read_all()["id"])
    wanted = [f"{mark}{text}" for text in ("9", "A", "Z")]
    expect(seen == wanted, f"from 9 to a: {seen}.")
    return "from 9 to a: 9, A, Z."


@assumption(
    "vastdb's tests of splits and sub-splits", TESTED, "Backups, recompute and reports would miss rows, or read some twice."
)
def scans_bring_each_row_once(bench: Bench) -> str:
    """A scan in many small answers returns every row once."""
    name = f"scan_{next(bench.numbers)}"
    with bench.transaction() as one:
        one.work.create({name: (COLUMNS, None)})
        one.commit()
    with bench.transaction() as two:
        bench.loaded[name] = two.work.load(name)
    bench.put(*({"id": str(number), "number": number} for number in range(MANY)), table=name)
    with bench.transaction() as three:
        batches = [batch.num_rows for batch in three.work.scan(name, ["number"], answer_rows=ANSWER_ROWS)]
        seen = three.work.scan(name, ["number"], answer_rows=ANSWER_ROWS).read_all()["number"].to_pylist()
    expect(sorted(seen) == list(range(MANY)), f"{len(seen)} rows, {len(set(seen))} of them different, of {MANY}.")
    return f"{MANY} rows in {len(batches)} answers."


@assumption("vastdb's tests", TESTED, "The first event into a new schema.")
def empty_tables_are_answered(bench: Bench) -> str:
    """A table without rows, or a predicate that nothing matches, gives no row and no error."""
    seen = len(bench.get("nothing", table=OTHER))
    expect(seen == 0, f"{seen} rows.")
    return "no row."


@assumption("vastdb's tests of listings", TESTED, "The first event into a new schema, schema verify, restore.")
def listings_have_the_names_as_given(bench: Bench) -> str:
    """A listing of the schema has the tables that were made, with their names as they were given."""
    with bench.transaction() as one:
        names = one.work.names()
    expect({PLAIN, OTHER, INDEXED} <= set(names), f"the schema lists {names}.")
    return f"{len(names)} tables."


@assumption(
    "vastdb's test_vector_index: `l2sq` and `ip`, from 5.5 on",
    TESTED,
    "Similarity through the query engine; without an index it reads all vectors.",
)
def a_vector_index_can_be_had(bench: Bench) -> str:
    """A table can be made with a vector index of the metric `l2sq`, and says so."""
    if bench.version < (5, 5):
        raise Untried("the server is older than 5.5, which has no vector index.")
    index = bench.loaded[INDEXED]._vector_index
    expect(index is not None and index.column == "vector" and index.distance_metric == "l2sq", f"the index is {index}.")
    return f"{index.distance_metric} on {index.column}, in SQL {index.sql_distance_function}."


@assumption(
    "vastdb 2.1: vector columns are not updatable", SAID, "An update of files leaves its vector; recompute deletes and inserts."
)
def other_columns_beside_an_index_can_be_updated(bench: Bench) -> str:
    """A row of a table with a vector index can be updated in its other columns, and keeps its vector."""
    import pyarrow as pa

    from exr_inspector.database.session import ROW_ID

    key = bench.key()
    bench.put({"id": key, "number": 1, "vector": [1.0, 2.0, 3.0, 4.0]}, table=INDEXED)
    with bench.transaction() as one:
        (row,) = bench.get(key, table=INDEXED)
        one.work.update(INDEXED, [row[ROW_ID]], pa.table({"number": pa.array([2], pa.int64())}))
        one.commit()
    seen = [(row["number"], row["vector"]) for row in bench.get(key, table=INDEXED)]
    expect(seen == [(2, [1.0, 2.0, 3.0, 4.0])], f"{seen}.")
    return "the number, and the vector as it was."
