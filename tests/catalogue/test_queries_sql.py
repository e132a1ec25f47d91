"""What a question may be, what its parameters may hold, and that no value is ever read as SQL."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
import vastdb
from hypothesis import given, settings
from hypothesis import strategies as st

import query_cases
from exr_inspector.catalogue import connection, engine, output, questions, sql_check
from exr_inspector.catalogue.scans import Scan, scans_of
from exr_inspector.cli import ask
from exr_inspector.errors import BadSettings
from local_vast import LocalVast
from project import ROOT
from vast_schemas import TABLES, schema_for, wire_schema

HOSTILE = ["'; DROP TABLE files; --", "' OR '1'='1", "\\' OR 1=1 --", "a'); SELECT 1", '"', "%", "$show", "--", "é\N{BOM}", "\n"]
FORBIDDEN = {
    "SELECT DISTINCT file_id FROM files": "SELECT DISTINCT",
    "SELECT count(DISTINCT file_id) FROM files": "DISTINCT inside an aggregate",
    "SELECT sum(size_bytes ORDER BY mtime) FROM files": "ORDER inside an aggregate",
    "SELECT list(file_id) FROM files": "construct List",
    "SELECT string_agg(file_id, ',') FROM files": "construct GroupConcat",
    "SELECT approx_count_distinct(file_id) FROM files": "construct ApproxDistinct",
    "SELECT row_number() OVER () FROM files": "construct Window",
    "SELECT unnest(metadata_embedding) FROM files": "construct Explode",
    "SELECT a FROM files UNION SELECT a FROM parts": "UNION without ALL",
    "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a) SELECT n FROM a": "WITH RECURSIVE",
    "SELECT * FROM files, parts": "a join without ON",
    "SELECT * FROM files FULL JOIN parts ON files.file_id = parts.file_id": "FULL JOIN",
    "SELECT max(size_bytes) FILTER (WHERE is_deep) FROM files": "construct Filter",
    "SELECT regexp_matches(file_path, 'x') FROM files": "construct RegexpLike",
    "SELECT raw_output->>'file' FROM files": "construct JSONExtractScalar",
    "SELECT $show FROM files": "construct Placeholder",
    "SELECT show_name FROM files GROUP BY ALL": "GROUP BY other than a list of expressions",
    "SELECT * FROM read_csv('/etc/passwd')": "construct ReadCSV",
    "SELECT my_function(file_id) FROM files": "function my_function",
    "SELECT file_id::UUID FROM files": "type UUID",
    "SELECT file_id FROM elsewhere": "'elsewhere' is not a table",
}


@pytest.mark.parametrize("name", questions.names())
def test_a_question_uses_only_what_the_engine_is_known_to_run(name: str) -> None:
    """What passes here runs on a cluster, as far as anyone outside can know."""
    assert sql_check.violations(query_cases.statement(name)) == []


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_what_the_engine_is_not_known_to_run_is_named(sql: str) -> None:
    """Each construct by itself."""
    assert FORBIDDEN[sql] in sql_check.violations(questions.parse(sql))


@pytest.mark.parametrize("name", questions.names())
def test_a_question_says_who_asks_it_and_orders_its_rows(name: str) -> None:
    """Every file has its comments, a limit, and an order."""
    question = questions.load(name)
    assert question.question.endswith("?")
    assert question.asked_by
    assert "limit" in {parameter.name for parameter in question.parameters}
    assert query_cases.statement(name).args["order"]


def test_every_question_can_be_written_for_trino(tmp_path: Path) -> None:
    """Each is one statement that Trino's grammar accepts, without the functions that only VAST's engine has."""
    assert ask.main(["--all", str(tmp_path)]) == 0
    texts = {path.stem: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.sql")}
    assert set(texts) == set(questions.names())
    for text in texts.values():
        assert len(sqlglot.parse(text, read="trino")) == 1
        assert "array_distance" not in text.lower()


def one_file(show: str) -> dict[str, pa.Table]:
    """Tables with one current file of this show."""
    row = {"file_id": "1", "file_path": "a.exr", "show_name": show, "status": "incomplete", "is_current": True}
    return {name: pa.Table.from_pylist([row] if name == "files" else [], schema=schema_for(name)) for name in TABLES}


@pytest.mark.parametrize("show", HOSTILE)
def test_a_hostile_value_is_a_value(show: str) -> None:
    """It matches the row that has it, and nothing else."""
    question = questions.load("broken_frames")
    with query_cases.over(one_file(show)) as sql:
        assert engine.run(sql, question.bind({"show": show})).num_rows == 1
        assert engine.run(sql, question.bind({"show": show + "x"})).num_rows == 0


@pytest.mark.parametrize(
    ("asked", "bound"),
    [
        ("x FROM files WHERE a AND ($show IS NULL OR show_name = $show) AND (b OR c)", "x FROM files WHERE a AND (b OR c)"),
        ("x FROM files WHERE ($show IS NULL OR show_name = $show)", "x FROM files"),
        ("COUNT(*) FILTER(WHERE ($show IS NULL OR show_name = $show)) FROM files", "COUNT(*) FILTER(WHERE TRUE) FROM files"),
        ("TRUE AND channel_count FROM files", "TRUE AND channel_count FROM files"),
    ],
)
def test_only_a_condition_of_a_select_is_left_out(asked: str, bound: str) -> None:
    """An aggregate's filter needs one, and a value is not a condition."""
    question = questions.read("q", f"-- Question: q?\n-- Asked by: a\n-- $show text = null: s\nSELECT {asked}")
    assert question.bind().sql("duckdb") == f"SELECT {bound}"


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_survives_the_statement(text: str) -> None:
    """Written for the engine and read back by it, a value is what it was, and the statement still is one SELECT."""
    question = questions.read("q", "-- Question: q?\n-- Asked by: a\n-- $show text: s\nSELECT $show AS show FROM files")
    written = questions.for_vast(question.bind({"show": text}), "b", "s")
    assert len(sqlglot.parse(written, read="duckdb")) == 1
    literal = written.rpartition(" AS show")[0].partition("SELECT")[2]
    with duckdb.connect() as sql:
        assert sql.execute(f"SELECT {literal}").fetchall() == [(text,)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", "1; DROP"), ("integer", "1.5"), ("integer", str(2**63)), ("number", "nan"), ("number", "1e999"),
        ("number", "x"), ("time", "yesterday"), ("time", "now-1y"), ("time", "2026-13-01"), ("text", "a\0b"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(kind: str, value: str) -> None:
    """The message names the parameter and says what to give."""
    with pytest.raises(questions.BadQuestion, match=r"'p': .* is not an? \w+\. Give "):
        questions.BoundParameter("p", kind, None, False, "").literal(value)


def test_times_are_utc_and_may_be_relative() -> None:
    """A zone is converted; `now-12h` is twelve hours ago."""
    parameter = questions.BoundParameter("p", "time", None, False, "")
    assert "'2026-01-31 11:00:00.000000'" in parameter.literal("2026-01-31T12:00:00+01:00").sql("duckdb")
    ago = datetime.fromisoformat(parameter.literal("now-12h").this.name).replace(tzinfo=UTC)
    assert 11.9 < (datetime.now(UTC) - ago).total_seconds() / 3600 < 12.1


def test_parameters_that_are_unknown_or_missing_are_named() -> None:
    """With those that there are."""
    with pytest.raises(questions.BadQuestion, match=r"no parameter 'shw'.*It has: show, shot, limit"):
        questions.load("broken_frames").bind({"shw": "a"})
    with pytest.raises(questions.BadQuestion, match=r"needs the parameter 'file_id'.*--file-id"):
        questions.load("similar_renders").bind()
    with pytest.raises(questions.BadQuestion, match=r"no question '\.\./x'.*exr-inspector ask lists them"):
        questions.load("../x")


@pytest.mark.parametrize("sql", ["DROP TABLE files", "SELECT 1; SELECT 2", "SELECT FROM WHERE", ""])
def test_a_text_that_is_not_one_select_is_refused(sql: str) -> None:
    """Nothing but a question is ever sent."""
    with pytest.raises(questions.BadQuestion):
        questions.parse(sql)


def scans(sql: str) -> dict[str, tuple[tuple[str, ...], list[str]]]:
    """Table -> the columns that are read, and the conditions that VAST applies."""
    return {
        scan.table: (scan.columns, [condition.sql("duckdb") for condition in scan.conditions])
        for scan in scans_of(questions.parse(sql))
    }


def test_only_the_columns_that_are_used_are_read() -> None:
    """Wherever in the statement they are used, and one where only rows are counted."""
    sql = "WITH a AS (SELECT file_id, status FROM files) SELECT max(parts.width) FROM parts JOIN a ON a.file_id = parts.file_id"
    assert scans(sql)["parts"][0] == ("file_id", "width")
    assert scans("SELECT count(*) FROM channels")["channels"][0] == ("file_id",)


def test_conditions_that_every_use_of_a_table_implies_are_pushed_down() -> None:
    """Of two uses, what both say; of an outer join's nullable side nothing."""
    current = "SELECT file_id FROM files WHERE is_current AND size_bytes > 5 AND show_name IN ('a', 'b')"
    assert scans(current)["files"][1] == ["is_current", "show_name IN ('a', 'b')", "size_bytes > 5"]
    twice = f"WITH a AS ({current}) SELECT a.file_id FROM a JOIN files ON files.file_id = a.file_id WHERE files.is_current"
    assert scans(twice)["files"][1] == ["is_current"]
    outer = "SELECT parts.width FROM files LEFT JOIN parts ON parts.file_id = files.file_id WHERE parts.width IS NULL"
    assert scans(outer)["parts"][1] == []
    either = "SELECT file_id FROM files WHERE is_current OR is_deep"
    assert scans(either)["files"][1] == []


def test_what_is_asked_of_the_files_of_a_with_is_read_of_these_alone() -> None:
    """Where every use of the table says so; a use without the condition needs all rows."""
    few = "WITH few AS (SELECT file_id FROM files WHERE is_deep) SELECT parts.width FROM parts"
    bounded = f"{few} WHERE file_id IN (SELECT file_id FROM few)"
    within = {scan.table: scan.within for scan in scans_of(questions.parse(bounded))}
    assert within == {"files": None, "parts": "few"}
    both = f"{bounded} UNION ALL SELECT parts.width FROM parts"
    assert {scan.within for scan in scans_of(questions.parse(both))} == {None}


@pytest.mark.parametrize("most", [0, 1, 20_000])
def test_few_files_or_many_give_the_same_rows(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit all rows are read, and the statement itself chooses among them."""
    monkeypatch.setattr(engine, "MOST_FILE_IDS", most)
    few = "WITH few AS (SELECT file_id FROM files)"
    sql_text = f"{few} SELECT parts.width FROM parts WHERE parts.file_id IN (SELECT file_id FROM few)"
    tables = one_file("apollo") | {"parts": pa.table({"file_id": ["1", "2"], "width": [10, 20]})}
    requests: list[Any] = []

    def read(scan: Scan, file_ids: Any) -> pa.RecordBatchReader:
        requests.append((scan.table, file_ids))
        return tables[scan.table].select(list(scan.columns)).to_reader()

    with engine.open_engine() as sql:
        rest = engine.load_tables(sql, questions.parse(sql_text), read)
        assert engine.run(sql, rest).to_pylist() == [{"width": 10}]
    assert requests == [("files", None), ("parts", ["1"] if most else None)]


def test_a_column_that_is_not_there_is_named() -> None:
    """Before anything is asked of an endpoint."""
    with pytest.raises(engine.QueryFailed, match="nowhere"):
        scans("SELECT nowhere FROM files")


@pytest.fixture(scope="module")
def endpoint() -> Any:
    """An endpoint with one file that is incomplete."""
    with LocalVast(buckets=("renders",)) as server:
        session = vastdb.connect(endpoint=server.url, access=server.access_key, secret=server.secret_key)
        with session.transaction() as transaction:
            place = transaction.bucket("renders").create_schema("exr")
            for name, rows in one_file("apollo").items():
                schema = wire_schema(rows.schema)
                table = place.create_table(name, schema)
                if rows.num_rows:
                    table.insert(pa.Table.from_arrays(rows.columns, schema=schema))
        yield server


@pytest.fixture
def arguments(endpoint: LocalVast, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments that name the endpoint; the keys are in the environment."""
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", endpoint.access_key)
    monkeypatch.setenv("VAST_DB_SECRET_KEY", endpoint.secret_key)
    return ["broken_frames", "--endpoint", endpoint.url, "--schema", "renders/exr"]


def test_an_answer_comes_in_every_format(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people and for programs; all of them name the file."""
    assert ask.main([*arguments, "--format", "json"]) == 0
    assert [row["file_path"] for row in json.loads(capsys.readouterr().out)] == ["a.exr"]
    assert ask.main([*arguments, "--format", "csv", "--engine", "client", "--output", str(tmp_path / "a.csv")]) == 0
    lines = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()
    assert [row["file_path"] for row in csv.DictReader(lines)] == ["a.exr"]
    assert ask.main([*arguments, "--format", "parquet", "--output", str(tmp_path / "a.parquet")]) == 0
    assert pq.read_table(tmp_path / "a.parquet")["file_path"].to_pylist() == ["a.exr"]
    assert ask.main(arguments) == 0
    assert "a.exr" in capsys.readouterr().out


def test_the_client_answers_where_the_query_engine_does_not(
    arguments: list[str], endpoint: LocalVast, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says so; asked of the server alone, it fails with the status for an endpoint that did not answer."""
    endpoint.faults.clear()
    endpoint.faults.add("501@engine**")
    try:
        assert ask.main([*arguments, "--format", "json", "--engine", "server"]) == 1
        assert ask.main([*arguments, "--format", "json"]) == 0
    finally:
        endpoint.faults.clear()
    printed = capsys.readouterr()
    assert json.loads(printed.out)[0]["file_path"] == "a.exr"
    assert "answering here" in printed.err


def test_mistakes_end_in_a_message_and_a_status(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown question, a parameter without a value, Parquet for a terminal."""
    assert ask.main(["nothing", *arguments[1:]]) == 2
    assert ask.main([*arguments, "--param", "show"]) == 2
    assert ask.main([*arguments, "--format", "parquet"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_without_keys_the_missing_names_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never their values."""
    for name in ("VAST_DB_ENDPOINT", "VAST_DB_ACCESS_KEY", "VAST_DB_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadSettings, match="VAST_DB_ACCESS_KEY"):
        connection.open_target(connection.settings_of("http://127.0.0.1:1", "renders/exr"))


def test_the_command_runs_as_typed() -> None:
    """Without a question it lists the questions, with the interpreter that it was given."""
    listed = subprocess.run([sys.executable, "-m", "exr_inspector", "ask"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(name in listed.stdout for name in questions.names())


def test_a_name_cannot_command_the_terminal(tmp_path: Path) -> None:
    """Control characters of a stored path are shown as a mark."""
    path = tmp_path / "table.txt"
    output.write(pa.table({"file_path": ["a\x1b[31m.exr"]}), output.Destination(path=path))
    assert "\x1b" not in path.read_text(encoding="utf-8")
