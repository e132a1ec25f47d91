"""Damage of pixels in the rows: it outlives inspections of the same bytes that do not look for it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest
from test_upsert_races import held_at_first_insert

import vast_db_persistence as persistence
from databases import Database, assert_sound, prepared
from exr_inspector.catalogue import connection
from exr_inspector.database.versions import OTHERS_DAMAGE
from exr_inspector.operations.validation import stored_payloads
from sample_payloads import payload

MESSAGE = "part 0: chunk 1 of lines 16 to 31, columns 0 to 63 gives no pixels: OpenEXR does not decode it"


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    """One endpoint, with its tables made."""
    with prepared() as running:
        yield running


def seen(path: str, kind: str, **file: Any) -> dict[str, Any]:
    """The payload of an inspection: of the header alone, of some chunks, of all, or of one that does not decode."""
    document = payload(path, **file)
    read = {"header": None, "sample": 7, "all": 68, "damage": 67}[kind]
    if read is not None:
        document["stats"] = {"parts": [{"part_index": 0, "chunks": 68, "chunks_read": read}], "channels": []}
    if kind == "damage":
        document["file"]["status"] = "damaged"
        document["errors"] = [{"code": "chunk_not_decodable", "message": MESSAGE, "part": 0}]
    return document


def verdict(db: Database, path: str) -> tuple[str, str | None, str | None]:
    """Status and error of the current row."""
    row = db.current(path)
    return row["status"], row["error_code"], row["error_message"]


@pytest.mark.parametrize("order", list(permutations(["damage", "header", "sample"])))
def test_damage_is_kept_in_every_order_and_the_row_says_why(db: Database, order: tuple[str, ...]) -> None:
    """What asks for it finds it; and the rest of the row is that of the latest inspection."""
    path, store = f"/{'-'.join(order)}.exr", db.store()
    for kind in order:
        persistence.persist_to_vast_database(seen(path, kind), session=store)
    note = "" if order[-1] == "damage" else OTHERS_DAMAGE
    assert verdict(db, path) == ("damaged", "chunk_not_decodable", MESSAGE + note)
    assert db.current(path)["inspection_count"] == 3
    assert_sound(db.contents())


def test_a_batch_keeps_it_as_well(db: Database) -> None:
    """Several files in one transaction, of which one was damaged."""
    store, paths = db.store(), ["/batch/a.exr", "/batch/b.exr"]
    persistence.persist_batch([seen(paths[0], "damage"), seen(paths[1], "all")], session=store)
    persistence.persist_batch([seen(path, "header") for path in paths], session=store)
    assert [verdict(db, path)[0] for path in paths] == ["damaged", "ok"]


def test_a_reading_of_every_chunk_ends_it(db: Database) -> None:
    """The same bytes decode after all; and so do other bytes at the path, of which nothing is known."""
    store = db.store()
    for path, later in (("/read.exr", seen("/read.exr", "all")), ("/again.exr", seen("/again.exr", "header", etag="other"))):
        persistence.persist_to_vast_database(seen(path, "damage"), session=store)
        persistence.persist_to_vast_database(later, session=store)
        assert verdict(db, path) == ("ok", None, None)


@pytest.mark.parametrize("late", ["damage", "header"])
def test_of_two_functions_that_race_the_damage_is_kept(db: Database, late: str) -> None:
    """Neither saw the other's row; the one that stays has what was found."""
    path, early = f"/race-{late}.exr", "header" if late == "damage" else "damage"
    first, second = db.warm(), db.warm()
    with held_at_first_insert(db, lambda: persistence.persist_to_vast_database(seen(path, late), session=first)):
        persistence.persist_to_vast_database(seen(path, early), session=second)
    status, code, message = verdict(db, path)
    assert (status, code, str(message).removesuffix(OTHERS_DAMAGE)) == ("damaged", "chunk_not_decodable", MESSAGE)
    assert_sound(db.contents())


def test_policies_judge_what_is_stored_by_the_row(db: Database) -> None:
    """The latest payload knows nothing of the damage."""
    store = db.store()
    for kind in ("damage", "header"):
        persistence.persist_to_vast_database(seen("/stored.exr", kind), session=store)
    environ = {"VAST_DB_ACCESS_KEY": db.server.access_key, "VAST_DB_SECRET_KEY": db.server.secret_key}
    target = connection.open_target(connection.settings_of(db.server.url, "renders/exr", environ))
    (found,) = stored_payloads(target, None, "/stored.exr")
    assert found["file"]["status"] == "damaged"
