"""Existing renders, found, shared out, read in parallel and stored in batches; interrupted and gone on with."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from databases import BUCKET, Database, assert_sound, database, without_audit
from exr_bytes import image, text
from exr_inspector.cli import backfill
from exr_inspector.function import objects
from exr_inspector.operations import backfill as backfilling
from exr_inspector.operations import samples
from exr_inspector.operations.backfill import Item, Outcome
from exr_inspector.operations.pulse import Beat, Pulse
from exr_inspector.settings import Settings
from local_vast import LocalVast
from old_schema import interrupted_at, run

COUNT = 12


def write_tree(root: Path, count: int = COUNT) -> list[Path]:
    """Renders in two folders, beside what is none."""
    paths = [root / f"sh{at % 2}" / f"beauty.{1001 + at}.exr" for at in range(count)]
    for at, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image(text("owner", f"artist {at}")))
    (root / "sh0/notes.txt").write_text("no render", encoding="utf-8")
    (root / "sh1/UPPER.EXR").write_bytes(image())
    return [*paths, root / "sh1/UPPER.EXR"]


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """An endpoint without tables, whose object store the environment names."""
    with database() as running:
        monkeypatch.setenv("S3_ENDPOINT", running.server.url)
        monkeypatch.setenv("S3_ACCESS_KEY", running.server.access_key)
        monkeypatch.setenv("S3_SECRET_KEY", running.server.secret_key)
        yield running


def go(running: Database, *arguments: str) -> tuple[int, dict[str, Any]]:
    return run(running, "backfill", *arguments, "--workers", "1", "--batch", "5")


def counts(answer: dict[str, Any]) -> tuple[int, int, int]:
    return answer["stored"], answer["skipped"], answer["failed"]


def test_a_tree_is_stored_and_then_skipped(empty: Database, tmp_path: Path) -> None:
    """Every EXR once, whatever the case of its suffix; a second run reads none, a changed file is read again."""
    paths = write_tree(tmp_path)
    assert go(empty, str(tmp_path), "--dry-run")[1]["files"] == COUNT + 1
    status, first = go(empty, str(tmp_path))
    assert (status, counts(first)) == (0, (COUNT + 1, 0, 0))
    assert {row["file_path"] for row in empty.rows("files")} == set(map(str, paths))
    assert_sound(empty.contents())
    again = go(empty, str(tmp_path))[1]
    assert (counts(again), again["requests"], again["bytes_read"]) == ((0, COUNT + 1, 0), 0, 0)
    paths[3].write_bytes(image(text("owner", "somebody else")))
    assert counts(go(empty, str(tmp_path))[1]) == (1, COUNT, 0)
    assert counts(go(empty, str(tmp_path), "--force")[1]) == (COUNT + 1, 0, 0)


def test_a_batch_costs_the_requests_of_one_file(empty: Database, tmp_path: Path) -> None:
    """Looking up, storing and reading back are shared by all files of a batch."""
    write_tree(tmp_path, 40)
    run(empty, "init")
    answer = run(empty, "backfill", str(tmp_path), "--workers", "1")[1]
    assert answer["database_requests"] <= 15


TEMPLATE = "{root}/{shot}/beauty.{frame}.exr"


def places(running: Database) -> set[tuple[str | None, str | None]]:
    return {(row["show_name"], row["shot_name"]) for row in running.rows("files")}


def test_files_without_a_shot_are_counted_and_the_same_command_finds_it(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before anything is read; once a template tells their shot, exactly those are inspected again."""
    write_tree(tmp_path)
    assert go(empty, str(tmp_path), "--dry-run")[1]["without_shot"] == COUNT + 1
    assert go(empty, str(tmp_path))[1]["without_shot"] == COUNT + 1
    assert places(empty) == {(None, None)}
    monkeypatch.setenv("EXR_PATH_TEMPLATE", TEMPLATE)
    assert go(empty, str(tmp_path), "--dry-run")[1]["without_shot"] == 1
    answer = go(empty, str(tmp_path))[1]
    assert (counts(answer), answer["without_shot"]) == ((COUNT, 1, 0), 1)
    assert places(empty) == {(None, None), (None, "sh0"), (None, "sh1")}
    assert_sound(empty.contents())
    assert counts(go(empty, str(tmp_path))[1]) == (0, COUNT + 1, 0)


def test_the_summary_names_a_file_without_a_shot_and_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says nothing of it where every file has one."""
    paths = write_tree(tmp_path, 2)
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"VAST_DB_{name}", "http://127.0.0.1:9")
    for template, said in (("/nowhere/{shot}", True), ("{root}/{shot}/*", False)):
        monkeypatch.setenv("EXR_PATH_TEMPLATE", template)
        assert backfill.main([str(tmp_path), "--dry-run"]) == 0
        told = capsys.readouterr().out
        assert told.startswith("3 files would be looked at\n")
        assert (f"3 of 3 files have no shot, such as {paths[0]}" in told) is said
        assert ("set EXR_PATH_TEMPLATE" in told) is said


def client(running: Database) -> Any:
    keys = {"aws_access_key_id": running.server.access_key, "aws_secret_access_key": running.server.secret_key}
    return boto3.client("s3", endpoint_url=running.server.url, region_name="us-east-1", **keys)


def test_a_prefix_is_stored_with_one_read_per_file(empty: Database) -> None:
    """Objects are skipped by ETag; those of other prefixes and suffixes are not looked at."""
    s3 = client(empty)
    for at in range(6):
        s3.put_object(Bucket=BUCKET, Key=f"show/a b.{1001 + at}.exr", Body=image(text("owner", str(at))))
    s3.put_object(Bucket=BUCKET, Key="other/x.1001.exr", Body=image())
    s3.put_object(Bucket=BUCKET, Key="show/readme.md", Body=b"no render")
    first = go(empty, f"s3://{BUCKET}/show/")[1]
    assert (counts(first), first["requests"]) == ((6, 0, 0), 6)
    assert counts(go(empty, f"s3://{BUCKET}/show/")[1]) == (0, 6, 0)
    s3.put_object(Bucket=BUCKET, Key="show/a b.1003.exr", Body=image(text("owner", "new")))
    assert counts(go(empty, f"s3://{BUCKET}/show/")[1]) == (1, 5, 0)
    assert counts(go(empty, "--from-catalog")[1]) == (0, 6, 0)
    assert go(empty, "s3://nobody/")[0] == 2


@pytest.mark.parametrize(("code", "failed"), [("403", 0), ("503", 1)])
@pytest.mark.parametrize("source", ["catalogue", "list"])
def test_an_object_that_does_not_say_its_etag_fails_alone(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, failed: int, source: str
) -> None:
    """Objects that no listing described are asked one by one; the others of the batch are skipped as before.

    A HEAD that is forbidden once is not the object's last word: the GET of one byte that follows it is answered.
    """
    monkeypatch.setenv("S3_MAX_ATTEMPTS", "1")
    s3, listed = client(empty), tmp_path / "list.txt"
    keys = [f"show/a.{1001 + at}.exr" for at in range(6)]
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=image(text("owner", key)))
    listed.write_text("".join(f"s3://{BUCKET}/{key}\n" for key in keys), encoding="utf-8")
    given = ("--from-catalog",) if source == "catalogue" else ("--from-list", str(listed))
    assert counts(go(empty, f"s3://{BUCKET}/show/")[1]) == (6, 0, 0)
    # Where the catalogue is read, the client asks for the bucket first.
    empty.server.faults.add(f"{code}@object+1" if source == "catalogue" else f"{code}@object")
    status, answer = go(empty, *given)
    assert (status, counts(answer), answer["requests"]) == (3 if failed else 0, (0, 6 - failed, failed), 6)
    assert [failure["verdict"] for failure in answer["failures"]] == ["retry"] * failed
    assert "event" not in "".join(failure["message"] for failure in answer["failures"])
    assert empty.server.faults.specifications() == []
    assert counts(go(empty, *given)[1]) == (0, 6, 0)


def test_objects_are_asked_for_their_etags_side_by_side(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there are readers: each waits here until all others of the batch have asked."""
    s3, count = client(empty), backfilling.READERS
    for at in range(count):
        s3.put_object(Bucket=BUCKET, Key=f"show/a.{1001 + at}.exr", Body=image(text("owner", str(at))))
    assert run(empty, "backfill", f"s3://{BUCKET}/show/", "--workers", "1")[0] == 0
    together, ask = threading.Barrier(count), objects.current_etag

    def meet(*arguments: Any) -> str | None:
        together.wait(60)
        return ask(*arguments)

    monkeypatch.setattr(objects, "current_etag", meet)
    assert counts(run(empty, "backfill", "--from-catalog", "--workers", "1")[1]) == (0, count, 0)


def test_a_name_that_no_file_can_have_fails_alone(empty: Database, tmp_path: Path) -> None:
    """A list may hold anything."""
    paths = write_tree(tmp_path / "tree", 2)
    (tmp_path / "list").write_text(f"a\0b.exr\n{'x' * 300}.exr\n{paths[0]}\n", encoding="utf-8")
    status, answer = go(empty, "--from-list", str(tmp_path / "list"))
    assert (status, counts(answer)) == (3, (1, 0, 2))


def test_failures_are_reported_and_can_be_fed_back(empty: Database, tmp_path: Path) -> None:
    """What cannot be read is named with its reason; mended, the report's files are the only ones that are read again."""
    paths = write_tree(tmp_path / "tree", 4)
    paths[0].unlink()
    paths[0].mkdir()
    listed, report = tmp_path / "list.txt", tmp_path / "report.jsonl"
    listed.write_text("\n".join(map(str, [*paths, tmp_path / "gone.exr"])) + "\n\n", encoding="utf-8")
    status, answer = go(empty, "--from-list", str(listed), "--report", str(report))
    assert (status, counts(answer)) == (3, (4, 0, 2))
    lines = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    assert [one["path"] for one in lines] == [str(paths[0]), str(tmp_path / "gone.exr")]
    assert all(one["code"] == "object_unavailable" and one["message"] for one in lines)
    paths[0].rmdir()
    for path in (paths[0], tmp_path / "gone.exr"):
        path.write_bytes(image())
    assert counts(go(empty, "--from-list", str(report))[1]) == (2, 0, 0)


def test_a_damaged_file_is_a_row_and_no_failure(empty: Database, tmp_path: Path) -> None:
    """It is what people look for."""
    (tmp_path / "broken.exr").write_bytes(b"not an EXR")
    assert counts(go(empty, str(tmp_path))[1]) == (1, 0, 0)
    assert empty.rows("files")[0]["status"] == "unreadable"


def test_shards_share_a_tree_without_overlap(tmp_path: Path) -> None:
    """Each file is in exactly one of n shards, and in the same one wherever it is listed."""
    items = [Item(str(path)) for path in write_tree(tmp_path, 30)]
    shards = [set(backfilling.of_shard(items, (part, 4))) for part in (1, 2, 3, 4)]
    assert set().union(*shards) == set(items)
    assert sum(map(len, shards)) == len(items)
    assert all(shards)


def test_shards_end_in_the_same_tables(empty: Database, tmp_path: Path) -> None:
    """Two machines, a share each, or one alone: the same rows."""
    write_tree(tmp_path)
    for shard in ("1/2", "2/2"):
        assert go(empty, str(tmp_path), "--shard", shard)[0] == 0
    assert go(empty.at("alone"), str(tmp_path))[0] == 0
    assert without_audit(empty.contents()) == without_audit(empty.at("alone").contents())


def test_an_interrupted_run_goes_on(empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole batches stay; the next run does the rest, and the tables are those of a run without interruption."""
    write_tree(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(backfilling, "ingest", interrupted_at(2, backfilling.ingest))
        with pytest.raises(ValueError, match="Expecting value"):
            go(empty, str(tmp_path))
    assert counts(go(empty, str(tmp_path))[1]) == (COUNT + 1 - 5, 5, 0)
    go(empty.at("alone"), str(tmp_path))
    assert without_audit(empty.contents()) == without_audit(empty.at("alone").contents())


def die_once(settings: Any, items: Any, force: bool) -> Outcome:
    """A worker that is killed in the middle of its first batch, after the batch was stored."""
    mark = Path(os.environ["DIE_ONCE"])
    outcome = _INGEST(settings, items, force)
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return outcome


_INGEST = backfilling.ingest


def test_a_worker_that_is_killed_is_replaced(empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its batches are run again by others, and nothing is stored twice."""
    write_tree(tmp_path / "tree")
    run(empty, "init")
    monkeypatch.setenv("DIE_ONCE", str(tmp_path / "died"))
    monkeypatch.setattr(backfilling, "ingest", die_once)
    given = [str(tmp_path / "tree"), "--workers", "2", "--batch", "4"]
    status, answer = run(empty, "backfill", *given)
    assert (tmp_path / "died").exists()
    assert (status, answer["stored"] + answer["skipped"], answer["failed"]) == (0, COUNT + 1, 0)
    assert_sound(empty.contents())
    assert len(empty.rows("files")) == COUNT + 1


def test_a_busy_database_is_a_failure_of_each_file(empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches that could not be stored are in the report, and the next run stores them."""
    from exr_inspector.database import upsert

    monkeypatch.setattr(upsert, "_LONGEST_WAIT", 0.001)
    write_tree(tmp_path, 4)
    run(empty, "init")
    empty.server.faults.add("409@insert**")
    status, answer = go(empty, str(tmp_path))
    assert (status, answer["failed"], {one["verdict"] for one in answer["failures"]}) == (3, 5, {"retry"})
    empty.server.faults.clear()
    assert counts(go(empty, str(tmp_path))[1]) == (5, 0, 0)


def test_a_terminal_sees_count_total_and_rate(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The total is counted beside the work, of this shard alone; a file that is no terminal sees nothing."""
    write_tree(tmp_path)
    run(empty, "init")
    shares = [len(list(backfilling.of_shard(backfilling.from_folder(tmp_path, described=False), (n, 2)))) for n in (1, 2)]
    share = max(shares)  # which files a shard has, follows from the folder; a rate takes two batches
    place = ["--endpoint", str(empty.settings.db_endpoint), "--schema", f"{BUCKET}/{empty.settings.db_schema}"]
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", str(empty.settings.db_access_key))
    monkeypatch.setenv("VAST_DB_SECRET_KEY", str(empty.settings.db_secret_key))
    given = [str(tmp_path), "--workers", "1", "--batch", "2", "--shard", f"{1 + shares.index(share)}/2", *place]
    assert backfill.main([*given, "--dry-run"]) == 0
    assert str(share) in capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert backfill.main(given) == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    assert f"backfill: {share} of {share} files, " in shown
    assert re.search(r"files, [\d.]+/s, ", shown)
    monkeypatch.delenv("FORCE_COLOR")
    assert backfill.main(given) == 0
    assert capsys.readouterr().err == ""


def test_a_folder_that_cannot_be_listed_is_a_failure(empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its renders are missing from the catalogue, so the run must not end as if all were well."""
    write_tree(tmp_path)
    closed, real = str(tmp_path / "sh1"), os.scandir

    def scandir(path: str) -> Any:
        if path == closed:
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)  # whoever runs the tests as root may list every folder
    status, answer = go(empty, str(tmp_path))
    assert (status, counts(answer)) == (3, (COUNT // 2, 0, 1))
    assert [one["path"] for one in answer["failures"]] == [closed]


@pytest.mark.parametrize("arguments", [("/no/such/folder",), ("--from-list", "/no/such/list")])
def test_what_cannot_be_listed_is_said(empty: Database, arguments: tuple[str, ...]) -> None:
    """The message names it, and the remedy what it should be."""
    status, answer = go(empty, *arguments)
    assert (status, answer["error"]["code"]) == (2, "nothing_to_read")


@pytest.mark.parametrize("shard", ["0/2", "3/2", "x", "1/0"])
def test_a_shard_is_i_of_n(shard: str) -> None:
    """Anything else is a mistake on the command line."""
    assert backfill.main(["/tmp", "--shard", shard]) == 2


def test_statistics_and_findings_are_added_to_files_that_lack_them(empty: Database, tmp_path: Path) -> None:
    """What is stored and unchanged is read again once for each of them, and then left alone."""
    samples.beauty(tmp_path / "beauty.1001.exr", frame=1001)
    assert counts(go(empty, str(tmp_path))[1]) == (1, 0, 0)
    assert empty.rows("pixel_stats") == []
    assert counts(go(empty, str(tmp_path), "--stats", "sampled")[1]) == (1, 0, 0)
    assert len(empty.rows("pixel_stats")) == empty.rows("files")[0]["channel_count"]
    assert counts(go(empty, str(tmp_path), "--stats")[1]) == (0, 1, 0)
    assert counts(go(empty, str(tmp_path), "--policy", "netflix_vfx")[1]) == (1, 0, 0)
    assert {row["policy_id"] for row in empty.rows("validation_results")} == {"netflix_vfx"}
    assert counts(go(empty, str(tmp_path), "--policy", "netflix_vfx", "--stats")[1]) == (0, 1, 0)
    assert go(empty, str(tmp_path), "--policy", "no_such")[0] == 2


def test_a_file_that_cannot_be_read_gets_results_of_a_policy_as_well(empty: Database, tmp_path: Path) -> None:
    """It fails, also where it was stored before anybody asked; and then it is left alone."""
    (tmp_path / "notes.exr").write_bytes(b"dear diary, no header")
    given = [counts(go(empty, str(tmp_path), *way)[1]) for way in ((), ("--policy", "netflix_vfx"), ("--policy", "netflix_vfx"))]
    assert given == [(1, 0, 0), (1, 0, 0), (0, 1, 0)]
    assert "FAIL" in {row["status"] for row in empty.rows("validation_results")}


def test_deep_files_lack_no_statistics_that_nobody_asked_for(empty: Database, tmp_path: Path) -> None:
    """They are left alone every night, until deep statistics are wanted, and then once more."""
    samples.deep(tmp_path / "smoke.1001.exr")
    given = [counts(go(empty, str(tmp_path), *way)[1]) for way in ((), ("--stats",), ("--deep-stats",), ("--stats",))]
    assert given == [(1, 0, 0), (0, 1, 0), (1, 0, 0), (0, 1, 0)]
    assert len(empty.rows("pixel_stats")) == empty.rows("files")[0]["channel_count"]


def test_hidden_and_temporary_files_are_left_out_and_counted(empty: Database, tmp_path: Path) -> None:
    """What NFS, macOS, editors and writers leave beside a render; they are no failures."""
    paths = write_tree(tmp_path, 2)
    for name in (".nfs00000000012", "._beauty.1001.exr", ".~beauty.1001.exr", "beauty.1002.exr.tmp", "beauty.1002.tmp.exr"):
        (tmp_path / "sh0" / name).write_bytes(b"none")
    status, answer = go(empty, str(tmp_path))
    assert (status, counts(answer), answer["left_out"]) == (0, (len(paths), 0, 0), 5)


def test_hidden_and_temporary_objects_are_counted_as_files_are() -> None:
    """By the folder of their keys, in a bucket that really lists them."""
    with LocalVast(buckets=("renders",)) as server:
        client = boto3.client(
            "s3",
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
        )
        for key in ("sh0/a.1001.exr", "sh0/._a.1001.exr", "sh0/.nfs0001", "sh1/a.tmp.exr", "sh1/notes.txt"):
            client.put_object(Bucket="renders", Key=key, Body=b"none")
        settings = Settings(s3_endpoint=server.url, s3_access_key=server.access_key, s3_secret_key=server.secret_key)
        left_out: Counter[str] = Counter()
        items = list(backfilling.from_bucket("s3://renders", settings, left_out))
    assert [item.path for item in items] == ["s3://renders/sh0/a.1001.exr"]
    assert left_out == {"sh0": 2, "sh1": 1}


def test_the_end_says_what_is_broken_of_what_was_stored(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A frame that was cut short and a text file are stored, and told."""
    samples.beauty(tmp_path / "beauty.1001.exr", frame=1001)
    whole = (tmp_path / "beauty.1001.exr").read_bytes()
    (tmp_path / "beauty.1002.exr").write_bytes(whole[: 2 * len(whole) // 3])
    (tmp_path / "notes.exr").write_text("no render", encoding="utf-8")
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", str(empty.settings.db_access_key))
    monkeypatch.setenv("VAST_DB_SECRET_KEY", str(empty.settings.db_secret_key))
    place = ["--endpoint", str(empty.settings.db_endpoint), "--schema", f"{BUCKET}/{empty.settings.db_schema}"]
    assert backfill.main([str(tmp_path), "--workers", "1", *place]) == 0
    told = capsys.readouterr().out
    assert told.startswith("3 stored, of which 1 incomplete, 1 unreadable; 0 failed; ")


def test_workers_count_their_files_for_the_process_that_started_them() -> None:
    """File by file, with the bytes and the folder of the last one."""
    for context in (None, multiprocessing.get_context("spawn")):
        pulse = Pulse(context)
        pulse.beat("/shows/apollo/a.1001.exr", 10)
        pulse.beat("/shows/borealis/a.1001.exr", None)
        assert pulse.read() == Beat(2, 10, "/shows/borealis")
