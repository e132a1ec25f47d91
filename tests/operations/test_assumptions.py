"""What is assumed of VAST holds on the local endpoint, and a trial notices where the endpoint deviates."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from exr_inspector.cli import doctor
from exr_inspector.operations import assumptions
from exr_inspector.operations.assumptions import bench, transactions
from exr_inspector.settings import Settings
from local_vast import LocalVast
from local_vast.deviations import IGNORED_HEADERS, REWRITES

NOTICES = {
    "autocommit": "rollback-leaves-nothing",
    "half-vectors": "vectors-are-kept-bit-for-bit",
    "latest-reads": "reads-are-snapshots",
    "milliseconds": "times-have-microseconds-and-no-zone",
    "nan-is-null": "doubles-may-be-nan-or-infinite",
    "no-if-match": "if-match-guards-a-range",
    "no-range": "ranges-are-answered",
    "rollback-commits": "making-tables-can-be-rolled-back",
}
"""Deviation -> a trial that notices it."""
TOGETHER = [
    ("autocommit", "no-if-match"),
    ("latest-reads", "no-range"),
    ("half-vectors", "milliseconds", "nan-is-null", "rollback-commits"),
]
"""Deviations that no trial meets two of."""
EVENT = {
    "specversion": "1.0",
    "type": "vastdata.com:Element.ElementCreated",
    "id": "105849469009922",
    "elementpath": "renders/a b.exr",
    "data": {"Records": [{"s3": {"bucket": {"name": "renders"}, "object": {"key": "a%20b.exr", "eTag": "0"}}}]},
}


def tried(server: LocalVast, event: Path | None = None) -> dict[str, dict[str, str]]:
    """Every verdict, by the assumption's name."""
    return {one["name"]: one for one in assumptions.try_all(settings_of(server), "objects/trials", event)}


def settings_of(server: LocalVast) -> Settings:
    """Database and objects at this endpoint."""
    return Settings(
        db_endpoint=server.url,
        db_access_key=server.access_key,
        db_secret_key=server.secret_key,
        db_bucket="renders",
        s3_endpoint=server.url,
        s3_access_key=server.access_key,
        s3_secret_key=server.secret_key,
    )


def broken(verdicts: dict[str, dict[str, str]]) -> set[str]:
    """The names of those that do not hold."""
    return {name for name, one in verdicts.items() if one["verdict"] == "broken"}


@pytest.mark.filterwarnings("ignore:Cannot disable autocommit")
def test_all_hold_on_the_local_endpoint_and_nothing_stays(tmp_path: Path) -> None:
    """But what needs an object that the event names; schema and objects are gone afterwards."""
    (tmp_path / "event.json").write_text(json.dumps(EVENT))
    with LocalVast(buckets=("renders", "objects")) as server:
        verdicts = tried(server, tmp_path / "event.json")
        left = [*server.store.catalogue.buckets_in_use()]
    assert len(verdicts) >= 50
    assert broken(verdicts) == {"an-event-tells-the-etag-of-its-object"}
    assert {one["verdict"] for one in verdicts.values()} == {"holds", "broken"}
    assert left == []


def test_each_deviation_has_a_trial() -> None:
    """That it is tried is below."""
    assert NOTICES.keys() == {*REWRITES, *IGNORED_HEADERS} == {one for group in TOGETHER for one in group}


@pytest.mark.parametrize("deviations", TOGETHER, ids=", ".join)
def test_deviations_are_noticed(deviations: tuple[str, ...]) -> None:
    """By the trials that are about them, whose answers say what depends on it; what no event tells is not tried."""
    with LocalVast(buckets=("renders", "objects"), deviates=deviations) as server:
        verdicts = tried(server)
    noticing = {NOTICES[one] for one in deviations}
    assert noticing <= broken(verdicts)
    assert all(verdicts[name]["depends"] for name in noticing)
    assert verdicts["an-event-names-its-object"]["verdict"] == "not tried"


def test_an_older_server_and_small_cells_are_noticed() -> None:
    """The index is not tried before 5.5; a cell of 126 KB is refused where less fits."""
    with LocalVast(buckets=("renders", "objects"), version="5.4.0.0", cell_limit=50_000) as server:
        verdicts = tried(server)
    assert verdicts["a-vector-index-can-be-had"]["verdict"] == "not tried"
    assert broken(verdicts) == {"cells-hold-126-kb"}


def test_a_transaction_that_expires_sooner_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left idle for as long as is asked for, by the endpoint's clock, which goes while the trial waits and stands else."""
    moments = [0.0]
    monkeypatch.setattr(transactions, "time", SimpleNamespace(sleep=lambda seconds: moments.append(moments[-1] + seconds)))
    (trial,) = (one for one in assumptions.ASSUMPTIONS if one.name == "idle-transactions-live-for-seconds")
    with (
        LocalVast(buckets=("renders",), idle_seconds=1.0, clock=lambda: moments[-1]) as server,
        bench.open_bench(settings_of(server), idle=1.5) as opened,
    ):
        with pytest.raises(bench.Broken, match=r"after 1\.5 s: "):
            trial.trial(opened)
        opened.idle = 0.5
        assert trial.trial(opened) == "committed after 0.5 s."


def test_the_command_says_what_depends_on_what_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 3, and beneath the verdict the part of the product that rests on it."""
    with LocalVast(buckets=("renders",), deviates=("nan-is-null",)) as server:
        for name, value in (("ENDPOINT", server.url), ("ACCESS_KEY", server.access_key), ("SECRET_KEY", server.secret_key)):
            monkeypatch.setenv(f"VAST_DB_{name}", value)
        monkeypatch.setenv("VAST_DB_BUCKET", "renders")
        assert doctor.main(["--assumptions"]) == 3
    lines = capsys.readouterr().out.splitlines()
    place = next(number for number, line in enumerate(lines) if "doubles-may-be-nan" in line)
    assert lines[place].startswith("BROKEN")
    assert "Pixel statistics" in lines[place + 1]


def test_names_differ_and_each_says_its_source() -> None:
    """So that the page has one row for each."""
    names = [one.name for one in assumptions.ASSUMPTIONS]
    assert len(set(names)) == len(names)
    assert all(one.statement.endswith(".") and one.source and one.depends for one in assumptions.ASSUMPTIONS)
