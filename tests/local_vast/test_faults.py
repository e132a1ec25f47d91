"""Faults: each does what it says, as often as it says, and can be switched while the server runs."""

from __future__ import annotations

import contextlib
import time

import boto3
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from vastdb import errors
from vastdb.session import Session

from local_vast import LocalVast
from local_vast.faults import PLACES, BadFault, Fault, Faults
from tabular_support import BUCKET, batch, connect, fill, raw, read_committed, table


def insert(session: Session, *values: int) -> None:
    """One transaction that inserts rows into `s.t`."""
    with session.transaction() as tx:
        table(tx).insert(batch(*((value, "x") for value in values)))


def test_a_conflict_at_the_commit_rolls_back(server: LocalVast, session: Session) -> None:
    """`409@commit` strikes once: nothing of the transaction is stored, and the next one commits."""
    fill(session)
    server.faults.add("409@commit")
    with pytest.raises(errors.Conflict):
        insert(session, 1)
    assert len(server.store.transactions) == 0
    insert(session, 2)
    assert read_committed(session) == [(2, "x")]


def test_a_lost_commit_answer_is_a_commit(server: LocalVast, session: Session) -> None:
    """`lost@commit` commits, then cuts the connection: the client cannot know, the rows are there."""
    fill(session)
    server.faults.add("lost@commit")
    with pytest.raises(errors.ConnectionError) as caught:
        insert(session, 1)
    assert not caught.value.may_retry
    assert read_committed(session) == [(1, "x")]


def test_a_reset_comes_before_the_work(server: LocalVast, session: Session) -> None:
    """`reset@commit` leaves the rows uncommitted; the transaction can still be rolled back."""
    fill(session)
    server.faults.add("reset@commit")
    with pytest.raises(errors.ConnectionError):
        insert(session, 1)
    assert read_committed(session) == []


def test_slow_down_is_retried_by_the_sdk(server: LocalVast, session: Session) -> None:
    """`503@insert*2` is passed over by the SDK's own retries; more than it tries reaches the caller."""
    fill(session)
    server.faults.add("503@insert*2")
    insert(session, 1)
    server.faults.add("503@insert**")
    with pytest.raises(errors.Slowdown):
        insert(session, 2)
    assert server.faults.specifications() == ["503@insert**"]
    server.faults.clear()
    assert read_committed(session) == [(1, "x")]


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("409@statement", errors.Conflict),
        ("409@insert", errors.Conflict),
        ("500@insert", errors.InternalServerError),
        ("507@insert", errors.InsufficientCapacity),
        ("403@statement", errors.Forbidden),
        ("404@stats", errors.NotFound),
        ("408@any+6", errors.RequestTimeout),
    ],
)
def test_statuses_arrive_as_the_sdks_errors(server: LocalVast, session: Session, spec: str, error: type[Exception]) -> None:
    """At the place that the specification names."""
    fill(session)
    server.faults.add(spec)
    with pytest.raises(error):
        insert(session, 1)
    assert read_committed(session) == []


def test_an_expired_transaction_is_gone(server: LocalVast, session: Session) -> None:
    """`expire@insert` ends the transaction as an idle timeout does: the statement and the rollback find nothing."""
    fill(session)
    server.faults.add("expire@insert")
    with pytest.raises(errors.NotFound):
        insert(session, 1)
    assert read_committed(session) == []


def test_the_seventh_request_is_cut(server: LocalVast) -> None:
    """`reset@any+6` lets six requests pass."""
    server.faults.add("reset@any+6")
    with raw(server) as call:
        for _ in range(6):
            assert call("GET", "/?transaction", {"tabular-get-vast-version": "true"}).status_code == 200
        with pytest.raises(requests.ConnectionError):
            call("GET", "/?transaction", {"tabular-get-vast-version": "true"})
        assert call("GET", "/?transaction", {"tabular-get-vast-version": "true"}).status_code == 200


def test_a_dead_query_engine_fails_every_transaction(server: LocalVast, session: Session) -> None:
    """`503@engine**`: the SDK opens the transaction, then its ADBC connection, and leaves the transaction open."""
    fill(session)
    server.faults.add("501@engine**")
    with pytest.raises(Exception, match=r"(?i)not.?implemented|injected"), session.transaction():
        pytest.fail("the transaction must not open")
    assert len(server.store.transactions) == 1


def test_latency_is_added(server: LocalVast) -> None:
    """A request takes at least as long as was asked for, whether by fault or by option."""
    with raw(server) as call:
        server.faults.add("latency=30@version")
        started = time.perf_counter()
        call("GET", "/?transaction", {"tabular-get-vast-version": "true"})
        assert time.perf_counter() - started >= 0.03


def test_objects_have_faults_too(server: LocalVast) -> None:
    """`404@object` strikes a put; the next one is stored."""
    server.faults.add("404@object")
    client = boto3.client(
        "s3", endpoint_url=server.url, aws_access_key_id="local", aws_secret_access_key="local-secret", region_name="us-east-1"
    )
    with contextlib.closing(client):
        with pytest.raises(client.exceptions.ClientError, match=r"404|InjectedFault"):
            client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
        client.put_object(Bucket=BUCKET, Key="k", Body=b"2")
        assert client.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"2"


def test_another_process_switches_faults_over_http(server: LocalVast, session: Session) -> None:
    """The control paths add, list and clear faults, count requests and reset; mistakes are named."""
    control = server.url + "/_local_vast/"
    fill(session)
    with requests.Session() as http:
        answer = http.post(control + "faults", json=["409@commit*2", "lost@insert+1"])
        assert answer.json()["faults"] == ["409@commit*2", "lost@insert+1"]
        bad = http.post(control + "faults", json=["409@nowhere"])
        assert (bad.status_code, "'nowhere' is not a place" in bad.json()["error"]) == (400, True)
        assert http.delete(control + "faults").json()["faults"] == []
        assert http.delete(control + "requests").json()["requests"] == []
        insert(session, 1)
        assert ["POST", "/exr/s/t", "rows"] in [served[:3] for served in http.get(control + "requests").json()["requests"]]
        assert http.get(control + "other").status_code == 404
        assert http.post(control + "reset").status_code == 200
    with session.transaction() as tx:
        assert tx.bucket(BUCKET).schemas() == []


def test_faults_can_be_given_at_the_start() -> None:
    """And announced versions are older ones: the SDK then refuses what they lack."""
    with LocalVast(version="5.3.1.0", faults=["409@begin"]) as old:
        session = connect(old)
        assert session.api.vast_version == (5, 3, 1, 0)
        with pytest.raises(errors.Conflict):
            session.api.begin_transaction()
        with pytest.raises(errors.NotSupportedVersion):
            session.features.check_vector()


@pytest.mark.parametrize("spec", ["", "409", "commit@409", "lost@nowhere", "200@any", "600@any", "409@commit*", "latency@any"])
def test_wrong_specifications_are_refused(spec: str) -> None:
    """With a message that names the specification; nothing is switched on."""
    faults = Faults()
    with pytest.raises(BadFault, match="fault"):
        faults.add("409@commit", spec)
    assert faults.specifications() == []


@given(
    what=st.sampled_from(["409", "503", "lost", "reset", "expire", "latency=5"]),
    where=st.sampled_from(sorted(PLACES)),
    skip=st.integers(0, 9),
    times=st.integers(1, 9) | st.just("*"),
)
def test_a_specification_reads_as_it_prints(what: str, where: str, skip: int, times: int | str) -> None:
    """Parsing and printing are inverse."""
    spec = f"{what}@{where}" + (f"+{skip}" if skip else "") + (f"*{times}" if times != 1 else "")
    assert str(Fault.parse(spec)) == spec


@given(skip=st.integers(0, 4), times=st.integers(1, 4))
def test_a_fault_strikes_as_often_as_it_says(skip: int, times: int) -> None:
    """After `skip` requests it strikes `times` of them, and only those at its place."""
    faults = Faults([f"409@insert+{skip}*{times}"])
    struck = []
    for _ in range(12):
        assert faults.take_due("query") == []
        struck.append(bool(faults.take_due("insert")))
    assert struck == [False] * skip + [True] * times + [False] * (12 - skip - times)
    assert faults.specifications() == []
