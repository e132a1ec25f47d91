"""Transactions: what is seen when, what conflicts, what a failure leaves behind."""

from __future__ import annotations

import time

import pyarrow as pa

from exr_inspector.database.session import ROW_ID, Ledger
from exr_inspector.operations.assumptions.bench import (
    COLUMNS,
    INFERRED,
    OTHER,
    PLAIN,
    SEEN,
    TESTED,
    UNKNOWN,
    Bench,
    area,
    expect,
    insert,
    numbers,
    read,
    refusal_of,
    set_number,
)

TRIALS, assumption = area("Transactions")
_CONFLICTS = ("database_conflict", "database_exists")


@assumption(
    "README of vastdb: one transaction spans schemas and tables", TESTED, "Files would stand without their parts and channels."
)
def commit_is_atomic(bench: Bench) -> str:
    """Rows inserted into two tables in one transaction are both there after its commit."""
    key = bench.key()
    with bench.transaction() as one:
        insert(one.work, {"id": key})
        insert(one.work, {"id": key}, table=OTHER)
        one.commit()
    seen = (len(bench.get(key)), len(bench.get(key, table=OTHER)))
    expect(seen == (1, 1), f"{seen[0]} and {seen[1]} rows after the commit, expected 1 and 1.")
    return "one row in each."


@assumption("README of vastdb: roll-back on an exception", TESTED, "A refused file would leave rows behind.")
def rollback_leaves_nothing(bench: Bench) -> str:
    """Rows inserted in a transaction that is rolled back are gone, in every table."""
    key = bench.key()
    with bench.transaction() as one:
        insert(one.work, {"id": key})
        insert(one.work, {"id": key}, table=OTHER)
        one.roll_back()
    left = len(bench.get(key)) + len(bench.get(key, table=OTHER))
    expect(left == 0, f"{left} rows after the roll-back.")
    return "no row."


@assumption("vastdb's tests of nested transactions", TESTED, "Backfill of a batch with two inspections of one file.")
def own_writes_are_read(bench: Bench) -> str:
    """A transaction reads the rows that it inserted before its commit."""
    key = bench.key()
    with bench.transaction() as one:
        insert(one.work, {"id": key})
        seen = len(read(one.work, key))
    expect(seen == 1, f"{seen} rows of its own.")
    return "its own row."


@assumption("vastdb's tests of renames and columns in two transactions", TESTED, "Readers would see half a file.")
def uncommitted_rows_are_hidden(bench: Bench) -> str:
    """Nobody else reads rows before their commit."""
    key = bench.key()
    with bench.transaction() as one:
        insert(one.work, {"id": key})
        seen = len(bench.get(key, second=True))
    expect(seen == 0, f"{seen} rows that were not committed.")
    return "no row before the commit."


@assumption(
    "vastdb's test_select_stop; the isolation level is named nowhere",
    INFERRED,
    "An upsert would decide on rows that change under it.",
)
def reads_are_snapshots(bench: Bench) -> str:
    """A transaction that has read keeps seeing the same rows, even if others commit meanwhile."""
    key = bench.key()
    with bench.transaction() as one:
        before = len(read(one.work, key))
        bench.put({"id": key})
        after = len(read(one.work, key))
    expect((before, after) == (0, 0), f"{before} rows, and {after} after another transaction's commit.")
    return "the same rows before and after another's commit."


@assumption("README of vastdb", TESTED, "A file just stored would be stored again.")
def commits_are_seen_at_once(bench: Bench) -> str:
    """What one session committed, another one reads in its next transaction."""
    key = bench.key()
    bench.put({"id": key})
    seen = len(bench.get(key, second=True))
    expect(seen == 1, f"{seen} rows right after the commit.")
    return "the row, right after the commit."


@assumption(
    "409 is `Conflict` in every client; its granularity is not public",
    INFERRED,
    "Two containers would both raise one inspection_count, and one count is lost; schema check repairs versions.",
)
def updates_of_one_row_conflict(bench: Bench) -> str:
    """Of two open transactions that update one row, one is refused as a conflict."""
    key = bench.key()
    bench.put({"id": key, "number": 0})
    (row,) = bench.get(key)
    with bench.transaction() as one, bench.transaction(second=True) as two:
        set_number(one.work, row, 1)
        refused = refusal_of(set_number, two.work, row, 2) or refusal_of(one.commit) or refusal_of(two.commit)
    expect(refused is not None, f"both were accepted; the row has {numbers(bench.get(key))}.")
    expect(refused is None or refused.code in _CONFLICTS, f"the refusal was no conflict: {refused}")
    return f"one was refused: {getattr(refused, 'code', None)}."


@assumption("As for updates", INFERRED, "Repairs after a race could remove rows twice, or not at all.")
def deletes_of_one_row_conflict(bench: Bench) -> str:
    """Of two open transactions that delete one row, one is refused as a conflict."""
    key = bench.key()
    bench.put({"id": key})
    (row,) = bench.get(key)
    with bench.transaction() as one, bench.transaction(second=True) as two:
        one.work.delete(PLAIN, [row[ROW_ID]])
        refused = refusal_of(two.work.delete, PLAIN, [row[ROW_ID]]) or refusal_of(one.commit) or refusal_of(two.commit)
    expect(refused is not None and refused.code in _CONFLICTS, f"seen instead of a conflict: {refused}")
    return "one was refused."


@assumption("Not public", UNKNOWN, "Nothing is lost: such transactions are tried again, and bursts into one table take longer.")
def updates_of_other_rows_pass(bench: Bench) -> str:
    """Two open transactions may update different rows of one table."""
    first, second = bench.key(), bench.key()
    bench.put({"id": first}, {"id": second})
    (row_1,), (row_2,) = bench.get(first), bench.get(second)
    with bench.transaction() as one, bench.transaction(second=True) as two:
        set_number(one.work, row_1, 1)
        refused = refusal_of(set_number, two.work, row_2, 2) or refusal_of(one.commit) or refusal_of(two.commit)
    expect(refused is None, f"refused: {refused}")
    return "both were committed."


@assumption("Row ids are the server's", INFERRED, "Containers would store one after the other.")
def inserts_pass_side_by_side(bench: Bench) -> str:
    """Two open transactions may insert into one table."""
    key = bench.key()
    with bench.transaction() as one, bench.transaction(second=True) as two:
        insert(one.work, {"id": key})
        insert(two.work, {"id": key})
        refused = refusal_of(one.commit) or refusal_of(two.commit)
    expect(refused is None, f"refused: {refused}")
    return "both were committed."


@assumption(
    "langchain-vastdb's notes from a live cluster",
    SEEN,
    "Nothing breaks: reading back after the commit would find nothing to repair, and VAST_DB_READ_BACK=false would be safe.",
)
def keys_are_not_unique(bench: Bench) -> str:
    """The same id can be inserted twice, which makes two rows."""
    key = bench.key()
    bench.put({"id": key})
    refused = refusal_of(bench.put, {"id": key})
    expect(refused is None, f"the second was refused: {refused}")
    expect(len(bench.get(key)) == 2, f"{len(bench.get(key))} rows of two inserts.")
    return "two rows with one id."


@assumption("VAST's own writer handles 409 there", TESTED, "Two first containers could make one table twice, or both fail.")
def a_table_is_made_once(bench: Bench) -> str:
    """Of two open transactions that create the same table, one is refused as a conflict or as existing."""
    spec = {f"made_{next(bench.numbers)}": (COLUMNS, None)}
    with bench.transaction() as one, bench.transaction(second=True) as two:
        one.work.create(spec)
        refused = refusal_of(two.work.create, spec) or refusal_of(one.commit) or refusal_of(two.commit)
    expect(refused is not None, "both were accepted.")
    expect(refused is None or refused.code in _CONFLICTS, f"the refusal was no conflict: {refused}")
    return f"one was refused: {getattr(refused, 'code', None)}."


@assumption("vastdb's tests of tables in transactions", TESTED, "A failed first event would leave half of the tables.")
def making_tables_can_be_rolled_back(bench: Bench) -> str:
    """A table made in a transaction that is rolled back does not exist."""
    name = f"made_{next(bench.numbers)}"
    with bench.transaction() as one:
        one.work.create({name: (COLUMNS, None)})
        one.roll_back()
    with bench.transaction() as two:
        there = name in two.work.names()
    expect(not there, "the table is there.")
    return "no table."


@assumption("vastdb's tests insert where they create", TESTED, "The write step of exr-inspector doctor.")
def new_tables_take_rows_at_once(bench: Bench) -> str:
    """Rows can be inserted in the transaction that makes their table."""
    name = f"made_{next(bench.numbers)}"
    with bench.store.transaction(Ledger(), bench.loaded) as work:
        work.create({name: (COLUMNS, None)})
        bench.loaded[name] = work.load(name)
        insert(work, {"id": name}, table=name)
    seen = len(bench.get(name, table=name))
    expect(seen == 1, f"{seen} rows.")
    return "the row."


@assumption(
    "VastClient.commit of the Java connectors: the outcome is unknown",
    INFERRED,
    "A stored file could be lost while its event is acknowledged.",
)
def rollback_after_commit_changes_nothing(bench: Bench) -> str:
    """Rolling back a transaction whose commit took effect, as after a lost answer, undoes nothing."""
    key = bench.key()
    with bench.transaction() as one:
        insert(one.work, {"id": key})
        one.commit()
        refused = refusal_of(one.roll_back)
    seen = len(bench.get(key))
    expect(seen == 1, f"{seen} rows.")
    return f"the row stays; the roll-back was {'refused' if refused else 'accepted'}."


@assumption("The client's errors: MissingTransaction", INFERRED, "A retry could insert outside of any transaction.")
def ended_transactions_take_nothing(bench: Bench) -> str:
    """A statement in a transaction that has ended is refused, and does nothing."""
    key = bench.key()
    with bench.transaction() as one:
        one.roll_back()
        refused = refusal_of(insert, bench.store.resume(one.txid, bench.loaded), {"id": key})
    seen = len(bench.get(key))
    expect(refused is not None and seen == 0, f"refused: {refused}; {seen} rows.")
    return f"refused: {getattr(refused, 'code', None)}."


@assumption(
    "The connectors keep transactions alive every 60 s; the limit is not public",
    INFERRED,
    "Long reads (backup, copy, reports) would break off.",
)
def idle_transactions_live_for_seconds(bench: Bench) -> str:
    """A transaction that is idle for two seconds is still open."""
    key = bench.key()
    with bench.transaction() as one:
        insert(one.work, {"id": key})
        time.sleep(bench.idle)
        refused = refusal_of(one.commit)
    expect(refused is None, f"after {bench.idle:g} s: {refused}")
    return f"committed after {bench.idle:g} s."


@assumption("`test_add_column` of vastdb", TESTED, "exr-inspector schema migrate.")
def added_columns_are_null(bench: Bench) -> str:
    """A column that is added later is NULL in existing rows."""
    name = f"made_{next(bench.numbers)}"
    narrow = pa.schema([COLUMNS.field("id")])
    with bench.store.transaction(Ledger()) as work:
        work.create({name: (narrow, None)})
        bench.loaded[name] = work.load(name)
    with bench.store.transaction(Ledger(), bench.loaded) as work:
        work.insert({name: pa.table({"id": ["before"]})})
        work.add_columns(name, pa.schema([COLUMNS.field("number")]))
    with bench.store.transaction(Ledger(), bench.loaded) as work:
        bench.loaded[name] = work.load(name)
        values = work.select(name, ["number"], "id", ["before"])["number"].to_pylist()
    expect(values == [None], f"the values are {values}.")
    return "NULL."
