"""Transactions: snapshot isolation, write-write conflicts, names, expiry."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest
from vastdb import errors
from vastdb.session import Session
from vastdb.table import Table

from local_vast import LocalVast
from local_vast.server import IDLE_SECONDS
from tabular_support import BUCKET, COLUMNS, ROW_ID, batch, connect, fill, make_table, raw, read_committed, rows, table


def ids(*numbers: int) -> pa.RecordBatch:
    return pa.record_batch([pa.array(numbers, pa.uint64())], names=[ROW_ID])


def change(number: int, column: str = "name", value: object = "changed") -> pa.RecordBatch:
    kind = COLUMNS.field(column).type
    return pa.record_batch([pa.array([number], pa.uint64()), pa.array([value], kind)], names=[ROW_ID, column])


WRITES = {
    "update": lambda target: target.update(change(0)),
    "update of another column": lambda target: target.update(change(0, "id", 7)),
    "delete": lambda target: target.delete(ids(0)),
}


def test_a_transaction_sees_its_own_writes_and_no_other_does_before_the_commit(session: Session) -> None:
    """Inserted rows and created tables are visible inside, invisible outside, and visible to all after the commit."""
    fill(session, (1, "a"))
    with session.transaction() as writer, session.transaction() as reader:
        table(writer).insert(batch((2, "b")))
        make_table(writer, name="u")
        assert rows(table(writer)) == [(1, "a"), (2, "b")]
        assert rows(table(reader)) == [(1, "a")]
        assert reader.bucket(BUCKET).schema("s").tablenames() == ["t"]
    assert read_committed(session) == [(1, "a"), (2, "b")]
    assert read_committed(session, "u") == []


def test_a_snapshot_is_the_state_of_the_beginning(session: Session) -> None:
    """What others commit after a transaction began stays invisible to it, even where it had read nothing before."""
    fill(session, (1, "a"))
    with session.transaction() as reader:
        with session.transaction() as writer:
            table(writer).insert(batch((2, "b")))
            table(writer).update(change(0))
        assert rows(table(reader)) == [(1, "a")]
    assert read_committed(session) == [(1, "changed"), (2, "b")]


def test_an_exception_rolls_everything_back(session: Session) -> None:
    """Rows, tables and renames of a transaction that failed are gone."""
    fill(session, (1, "a"))
    with pytest.raises(ZeroDivisionError), session.transaction() as tx:
        table(tx).insert(batch((2, "b")))
        table(tx).rename("gone")
        make_table(tx, name="u")
        raise ZeroDivisionError
    assert read_committed(session) == [(1, "a")]
    with session.transaction() as tx:
        assert tx.bucket(BUCKET).schema("s").tablenames() == ["t"]


@pytest.mark.parametrize("first", WRITES)
@pytest.mark.parametrize("second", WRITES)
def test_two_open_transactions_cannot_write_one_row(session: Session, first: str, second: str) -> None:
    """The second writer of a row is refused with 409 at the statement, whichever columns the two set."""
    fill(session, (1, "a"), (2, "b"))
    with session.transaction() as one:
        WRITES[first](table(one))
        with pytest.raises(errors.Conflict), session.transaction() as two:
            WRITES[second](table(two))


@pytest.mark.parametrize("second", WRITES)
def test_a_row_that_changed_after_the_snapshot_cannot_be_written(session: Session, second: str) -> None:
    """A commit between a transaction's beginning and its write conflicts as an open one does."""
    fill(session, (1, "a"), (2, "b"))
    with pytest.raises(errors.Conflict), session.transaction() as late:
        with session.transaction() as early:
            table(early).update(change(0))
        WRITES[second](table(late))
    assert read_committed(session) == [(1, "changed"), (2, "b")]


def test_writes_of_different_rows_and_inserts_do_not_conflict(session: Session) -> None:
    """Both transactions commit, and every row is there once: there is no uniqueness."""
    fill(session, (1, "a"), (2, "b"))
    with session.transaction() as one, session.transaction() as two:
        for tx, number in ((one, 0), (two, 1)):
            table(tx).update(change(number))
            table(tx).insert(batch((9, "same")))
    assert read_committed(session) == [(1, "changed"), (2, "changed"), (9, "same"), (9, "same")]


def test_a_rolled_back_write_does_not_conflict(session: Session) -> None:
    """A row is free again when its writer gave up, also for a transaction that was open at the time."""
    fill(session, (1, "a"))
    with session.transaction() as other:
        with pytest.raises(ZeroDivisionError), session.transaction() as failed:
            table(failed).update(change(0, value="lost"))
            raise ZeroDivisionError
        table(other).update(change(0))
    assert read_committed(session) == [(1, "changed")]


def test_a_conflict_leaves_the_first_writer_alone(session: Session) -> None:
    """The transaction that wrote first goes on and commits."""
    fill(session, (1, "a"))
    with session.transaction() as first:
        table(first).update(change(0))
        with pytest.raises(errors.Conflict), session.transaction() as second:
            table(second).delete(ids(0))
        table(first).insert(batch((2, "b")))
    assert read_committed(session) == [(1, "changed"), (2, "b")]


def create_table(tx: object) -> object:
    return make_table(tx, name="new")  # type: ignore[arg-type]


def test_one_name_cannot_be_created_twice_at_a_time(session: Session) -> None:
    """Concurrent `create_table` of one name is a conflict, before and after the first commit."""
    fill(session)
    with session.transaction() as one, session.transaction() as late:
        create_table(one)
        with pytest.raises(errors.Conflict), session.transaction() as two:
            create_table(two)
        one_name = one.bucket(BUCKET).schema("s").table("new")
        assert isinstance(one_name, Table)
        with pytest.raises(errors.Conflict):
            late._rpc.api.create_table(BUCKET, "s", "new", COLUMNS, txid=late.active_txid)


def test_an_error_in_a_request_does_not_end_the_transaction(session: Session) -> None:
    """After a refused insert the transaction's earlier rows are still there, and it commits."""
    fill(session, (1, "a"))
    wrong = pa.record_batch([pa.array(["text"])], names=["id"])
    with session.transaction() as tx:
        table(tx).insert(batch((2, "b")))
        with pytest.raises(errors.BadRequest, match="TabularMismatchColumnType"):
            tx._rpc.api.insert_rows(BUCKET, "s", "t", _stream(wrong), tx.active_txid)
        table(tx).insert(batch((3, "c")))
    assert read_committed(session) == [(1, "a"), (2, "b"), (3, "c")]


def _stream(data: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, data.schema) as writer:
        writer.write_batch(data)
    return sink.getvalue().to_pybytes()


def test_a_transaction_that_ended_is_not_found(server: LocalVast) -> None:
    """Statements, keep-alive, commit and rollback of an unknown transaction answer 404."""
    with raw(server) as call:
        txid = call("POST", "/?transaction").headers["tabular-txid"]
        assert call("GET", "/?transaction", {"tabular-txid": txid}).status_code == 200
        assert call("PUT", "/?transaction", {"tabular-txid": txid}).status_code == 200
        for method, target in (*((method, "/?transaction") for method in ("GET", "PUT", "DELETE")), ("GET", "/exr?schema")):
            answer = call(method, target, {"tabular-txid": txid})
            assert (answer.status_code, "NoSuchTransaction" in answer.text) == (404, True)


def test_a_statement_without_a_transaction_commits_by_itself(server: LocalVast, session: Session) -> None:
    """Transaction number 0 is a transaction of one request; a refused one leaves nothing open."""
    with raw(server) as call:
        assert call("POST", "/exr/s?schema", {"tabular-txid": "0"}).status_code == 200
        assert call("POST", "/exr/s?schema", {"tabular-txid": "0"}).status_code == 409
    with session.transaction() as tx:
        assert tx.bucket(BUCKET).schema("s").name == "s"
        assert len(server.store.transactions) == 1


def test_an_idle_transaction_expires_and_its_rows_are_free(session: Session) -> None:
    """With an idle limit of zero the next request finds the transaction gone, and nothing of it remains."""
    with LocalVast(idle_seconds=0) as strict, raw(strict) as call:
        txid = call("POST", "/?transaction").headers["tabular-txid"]
        assert call("POST", "/exr/s?schema", {"tabular-txid": txid}).status_code == 404
        assert len(strict.store.transactions) == 0


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_client_killed_in_ddl_blocks_the_schema_for_minutes_at_most(clock: Clock) -> None:
    """Its transaction still holds the name after a moment; once it was idle for the default time the name is free."""
    with LocalVast(clock=clock, buckets=(BUCKET,)) as server, raw(server) as call:

        def create(name: str) -> int:
            return int(call("POST", f"/{BUCKET}/{name}?schema", {"tabular-txid": "0"}).status_code)

        txid = call("POST", "/?transaction").headers["tabular-txid"]
        assert call("POST", f"/{BUCKET}/s?schema", {"tabular-txid": txid}).status_code == 200
        clock.now += 60
        assert create("s") == 409
        clock.now += IDLE_SECONDS + 1
        assert create("s") == 200
        assert len(server.store.transactions) == 0
        assert call("PUT", "/?transaction", {"tabular-txid": txid}).status_code == 404


def test_a_transaction_that_is_used_does_not_expire(clock: Clock) -> None:
    """However long it lasts: with statements, or with the keep-alive that VAST's connectors send."""
    with LocalVast(clock=clock, idle_seconds=100, buckets=(BUCKET,)) as server, raw(server) as call:
        txid = {"tabular-txid": call("POST", "/?transaction").headers["tabular-txid"]}
        for number in range(10):
            clock.now += 60
            assert call("POST", f"/{BUCKET}/s{number}?schema", txid).status_code == 200
            clock.now += 60
            assert call("GET", "/?transaction", txid).status_code == 200
        assert call("PUT", "/?transaction", txid).status_code == 200


def test_a_long_request_is_not_idleness(clock: Clock) -> None:
    """The idle time begins when a request ends, and does not end one that others overtake."""
    with LocalVast(clock=clock, idle_seconds=100, buckets=(BUCKET,)) as server:
        transactions = server.store.transactions
        txid = transactions.begin().id
        with server.store.transaction(txid):
            clock.now += 1000
            other = threading.Thread(target=transactions.begin)
            other.start()
            other.join()
        clock.now += 60
        transactions.begin()
        transactions.commit(txid)


def test_idle_transactions_expire_without_being_asked_for(clock: Clock) -> None:
    """A new transaction clears away those that were left."""
    with LocalVast(clock=clock, idle_seconds=100) as server:
        for _ in range(3):
            server.store.transactions.begin()
        clock.now += 101
        server.store.transactions.begin()
        assert len(server.store.transactions) == 1


def test_a_dropped_table_is_removed_when_nobody_can_see_it(server: LocalVast, session: Session) -> None:
    """A reader that began before the drop still reads; afterwards the physical table is gone."""
    fill(session, (1, "a"))

    def physical() -> int:
        return server.store.physical_tables()

    assert physical() == 1
    with session.transaction() as reader:
        with session.transaction() as dropper:
            table(dropper).drop()
        assert rows(table(reader)) == [(1, "a")]
        assert physical() == 1
    assert physical() == 0


def test_many_sessions_work_at_once(server: LocalVast, session: Session) -> None:
    """Open transactions of several sessions are independent of each other."""
    fill(session)
    sessions = [connect(server) for _ in range(3)]
    opened = [one.transaction() for one in sessions]
    for number, tx in enumerate(opened):
        tx.__enter__()
        table(tx).insert(batch((number, "x")))
    for tx in opened:
        tx.__exit__(None, None, None)
    assert sorted(read_committed(session)) == [(0, "x"), (1, "x"), (2, "x")]
