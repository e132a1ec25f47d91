"""Every question of docs/queries gives the golden rows, from the query engine and from the client, and finds what was planted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlglot

import query_cases
import seeded_catalogue
from local_vast import LocalVast
from scripts import catalogue, connection, questions
from seeded_catalogue import PLANTED, sequence_key

QUESTIONS = questions.names()


@pytest.fixture(scope="module")
def target() -> Iterator[connection.Target]:
    """The seeded catalogue behind an endpoint that speaks VAST's protocols."""
    with LocalVast(buckets=("renders",)) as server:
        seeded_catalogue.load(server, "renders", "exr")
        environ = {"VAST_DB_ACCESS_KEY": server.access_key, "VAST_DB_SECRET_KEY": server.secret_key}
        yield connection.open_target(connection.settings_of(server.url, "renders/exr", environ))


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_query_engine_gives_the_golden_rows(target: connection.Target, name: str) -> None:
    """Through the ADBC driver, on the server."""
    answer = catalogue.ask_server(target, query_cases.statement(name))
    assert query_cases.comparable(answer) == query_cases.golden(name)


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_client_gives_the_golden_rows(target: connection.Target, name: str) -> None:
    """DuckDB over what the SDK streams, which works where there is no query engine."""
    answer = catalogue.ask_client(target, query_cases.statement(name))
    assert query_cases.comparable(answer) == query_cases.golden(name)


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_statement_for_trino_parses_and_names_its_tables(name: str) -> None:
    """One statement, of Trino's dialect, over vast."bucket|schema"."table"."""
    (parsed,) = sqlglot.parse(questions.for_trino(query_cases.statement(name), "renders", "exr"), read="trino")
    assert parsed is not None
    tables = questions.tables_of(parsed)
    assert tables
    assert {(table.catalog, table.db) for table in tables} == {("vast", "renders|exr")}


def keys(name: str, column: str) -> set[str]:
    """The values of a column of the golden rows."""
    return {row[column] for row in query_cases.golden(name)}


def test_the_planted_gap_and_no_other_is_missing() -> None:
    """Three frames of one sequence."""
    ((key, (first, last)),) = PLANTED["missing"].items()
    assert [(row["sequence_key"], row["first_missing"], row["last_missing"]) for row in query_cases.golden("missing_frames")] == [
        (key, first, last)
    ]


def test_the_planted_duplicate_and_no_other_is_found() -> None:
    """One frame under two paddings."""
    ((key, number),) = PLANTED["duplicate"].items()
    assert [(row["sequence_key"], row["frame_number"]) for row in query_cases.golden("duplicate_frames")] == [(key, number)]


def test_the_broken_files_are_those_that_were_planted() -> None:
    """One truncated, one incomplete, one unreadable."""
    rows = query_cases.golden("broken_frames")
    found = {(row["completeness"] or row["status"], row["shot_name"], row["frame_number"]) for row in rows}
    assert found == {(what, PLANTED[what][2], PLANTED[what][4]) for what in ("truncated", "incomplete", "unreadable")}


def test_similar_renders_are_first_those_of_the_same_setup() -> None:
    """The nearest are the same pass of other shots, at distance zero; the drifted and the other passes come after them."""
    rows = query_cases.golden("similar_renders")
    alike = [row for row in rows if row["distance"] < 1e-6]
    assert {row["file_path"].split("/")[7] for row in alike} == {"beauty"}
    assert {row["show_name"] for row in alike} == {"borealis"}
    assert len(alike) == len(seeded_catalogue.SEQUENCES) * len(seeded_catalogue.SHOTS) - 2
    assert rows[-1]["distance"] > 0.05


def test_a_channel_composition_lists_whole_passes() -> None:
    """Normals, depth and position together are in the utility passes alone."""
    expected = {
        sequence_key(show, sequence, shot, "utility")
        for show in ("borealis", "caldera")
        for sequence in seeded_catalogue.SEQUENCES
        for shot in seeded_catalogue.SHOTS
    }
    assert keys("channel_composition", "sequence_or_file") == expected
