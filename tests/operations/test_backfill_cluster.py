"""A backfill on a Dask cluster: the same tables as on one machine, also when a worker is killed on the way."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster
from test_backfill import COUNT, counts, write_tree
from test_backfill import empty as empty  # a fixture

from databases import Database, assert_sound, without_audit
from exr_inspector.operations import backfill, clusters
from exr_inspector.operations.backfill import Item, Outcome
from exr_inspector.settings import Settings
from old_schema import run

_INGEST = backfill.ingest


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A scheduler and two worker processes on loopback, as a studio has them on many machines."""
    quiet = {"silence_logs": logging.CRITICAL, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", **quiet) as running:
        yield running


def tree(tmp_path: Path) -> Path:
    write_tree(tmp_path / "tree")
    return tmp_path / "tree"


def spread(running: Database, cluster: LocalCluster, *arguments: str) -> tuple[int, dict[str, Any]]:
    return run(running, "backfill", *arguments, "--batch", "2", "--cluster", cluster.scheduler_address)


def _die(items: Sequence[Item], when: str) -> None:
    """End this process as a machine ends that loses its power, once in a tree."""
    mark = Path(items[0].path).parents[1] / when
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def die_twice(settings: Settings, items: Sequence[Item], force: bool) -> Outcome:
    """Nothing came of one batch, and of another one all is in the database but its answer is lost."""
    _die(items, "before")
    outcome = _INGEST(settings, items, force)
    _die(items, "after")
    return outcome


def die(settings: Settings, items: Sequence[Item], force: bool) -> Outcome:
    """A batch that ends every worker."""
    os.kill(os.getpid(), signal.SIGKILL)
    return Outcome()


def test_workers_that_are_killed_change_nothing(
    empty: Database,
    cluster: LocalCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every file is stored once, with one current row, and the tables are those of a run in one undisturbed process."""
    root = tree(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(backfill, "ingest", die_twice)
        status, answer = spread(empty, cluster, str(root))
    assert (root / "before").exists()
    assert (root / "after").exists()
    assert (status, answer["stored"] + answer["skipped"], answer["failed"]) == (0, COUNT + 1, 0)
    assert_sound(empty.contents())
    assert len(empty.rows("files")) == COUNT + 1
    alone = empty.at("alone")
    run(alone, "backfill", str(root), "--workers", "1")
    assert without_audit(empty.contents()) == without_audit(alone.contents())


def test_a_cluster_reports_as_processes_do(empty: Database, cluster: LocalCluster, tmp_path: Path) -> None:
    """Stored, then skipped, with the same figures; failures are in the report, with the same words."""
    root, report = tree(tmp_path), tmp_path / "report.jsonl"
    (root / "sh0/broken.exr").symlink_to(root / "nowhere")
    assert counts(spread(empty, cluster, str(root), "--report", str(report))[1]) == (COUNT + 1, 0, 1)
    again = spread(empty, cluster, str(root))[1]
    alone = run(empty, "backfill", str(root), "--batch", "2", "--workers", "1")[1]
    assert counts(again) == counts(alone) == (0, COUNT + 1, 1)
    assert {**again, "seconds": 0, "files_per_second": 0} == {**alone, "seconds": 0, "files_per_second": 0}
    assert "broken.exr" in report.read_text(encoding="utf-8")


def nothing(settings: Settings, items: Sequence[Item], force: bool) -> Outcome:
    return Outcome(skipped=len(items))


def test_listing_never_runs_far_ahead(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the list, only some batches for each thread of the cluster are in memory."""
    monkeypatch.setattr(backfill, "ingest", nothing)
    taken, ahead = 0, []

    def listing() -> Iterator[backfill.Batch]:
        nonlocal taken
        for number in range(30):
            taken += 1
            yield (Item(f"/{number}.exr"),)

    for done, _ in enumerate(clusters.run(cluster.scheduler_address, Settings(), listing(), 1)):
        ahead.append(taken - done)
    assert len(ahead) == 30
    assert max(ahead) <= backfill.AHEAD * 2


def refuse(settings: Settings, items: Sequence[Item], force: bool) -> Outcome:
    raise RuntimeError("this batch cannot be done")


def test_secrets_stay_out_of_what_dask_shows(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the names of tasks, nor the logs of workers and scheduler, nor what the scheduler would print of a task."""
    monkeypatch.setattr(backfill, "ingest", refuse)
    keys: list[str] = []
    submit = Client.submit

    def noted(client: Client, *arguments: Any, key: str, **more: Any) -> Any:
        keys.append(key)
        return submit(client, *arguments, key=key, **more)

    monkeypatch.setattr(Client, "submit", noted)
    given = Settings(db_access_key="AKEY-hush", db_secret_key="SKEY-hush", s3_access_key="AKEY-hush", s3_secret_key="SKEY-hush")
    with pytest.raises(RuntimeError, match="cannot be done"):
        list(clusters.run(cluster.scheduler_address, given, [(Item("/secret.exr"),)], 1))
    with Client(cluster, set_as_default=False) as client:
        logs = str(client.get_worker_logs()) + str(client.get_scheduler_logs()) + str(client.get_events())
    assert "Compute Failed" in logs
    assert keys
    assert "hush" not in logs + str(keys)


def test_a_batch_that_kills_every_worker_ends_the_run(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not tried for ever, and the message says what to look for."""
    monkeypatch.setattr(backfill, "ingest", die)
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    with pytest.raises(backfill.WorkersDied, match="memory"):
        list(clusters.run(cluster.scheduler_address, Settings(), [(Item("/x.exr"),)], 1))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [("tcp://127.0.0.1:{}", 1, "cluster_unreachable"), ("what is this", 2, "bad_settings"), ("nfs://host:1", 2, "bad_settings")],
)
def test_a_scheduler_that_is_not_there_is_named(
    empty: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    status: int,
    code: str,
) -> None:
    """An address that does not answer is worth another try, one that is none is a mistake."""
    monkeypatch.setattr(clusters, "SECONDS", 1)
    place = address.format(free_port())
    result, answer = run(empty, "backfill", str(tree(tmp_path)), "--cluster", place)
    assert (result, answer["error"]["code"]) == (status, code)
    assert place in answer["error"]["message"]
    assert "--cluster" in str(answer["error"])


def test_without_the_engine_the_remedy_is_the_installation(
    empty: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Everything else works without it."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "distributed" else real(name, *more))
    status, answer = run(empty, "backfill", str(tree(tmp_path)), "--cluster", "local")
    assert (status, answer["error"]["code"]) == (2, "no_engine")
    assert "pip install 'exr-inspector[cluster]'" in answer["error"]["remedy"]
    assert run(empty, "backfill", str(tmp_path / "tree"), "--workers", "1")[0] == 0
