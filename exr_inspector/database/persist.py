"""Connect, and store one payload or a batch: `vast_db_persistence` is the public face of this module."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, proxy

from exr_inspector.database.group import Group, Settled, store_apart
from exr_inspector.database.rows import FileRows, rows_of, utc_now
from exr_inspector.database.session import Ledger, Store, connect
from exr_inspector.database.upsert import Change, Removal, StoredFile
from exr_inspector.errors import InspectorError, Reject, Retry
from exr_inspector.payload.document import normalize_path
from exr_inspector.settings import Settings, load, with_event_credentials

BATCH_FILES = 1000
"""Files in one transaction: the paths fit into one select, and a conflict costs no more than this to repeat."""

_KEPT_STORES = 8
_stores: dict[Settings, Store] = {}
# Of `vastdb` sessions that callers made, by bucket and schema, as long as the session lives: a store holds it by a weak proxy.
_stores_of_sessions: WeakKeyDictionary[Any, dict[tuple[str, str], Store]] = WeakKeyDictionary()
_groups: WeakKeyDictionary[Store, Group] = WeakKeyDictionary()
_stores_guard = threading.Lock()

Result = dict[str, Any]
K = TypeVar("K")


def persist_to_vast_database(
    payload: Mapping[str, Any],
    event: Any = None,
    *,
    session: Any = None,
    settings: Settings | None = None,
    embedding: Sequence[float] | None = None,
    read_back: bool = True,
) -> Result:
    """Store one payload in one transaction, with others that wait for one in this process, and return the result.

    `session`: a Store (`open_store`), shared by all threads, or a `vastdb` session, with which the tables' metadata are kept as
    long as it lives. Without it one is opened for `settings` (from the environment when None; with the event's credentials where
    the settings allow them) and kept for later calls.
    `embedding`: 384 floats, computed when None. `read_back`: whether races between processes are looked for after the commit
    (3 requests). `requests` and `attempts` are those of the transaction, shared by its files. Raises VASTDatabaseError where the
    database is unreachable or busy after bounded attempts.
    """
    try:
        store = _store_of(session, settings, event)
        return store if isinstance(store, dict) else _persist_one(payload, store, embedding, read_back)
    except Reject as error:
        return error_result(error)


def persist_batch(
    payloads: Iterable[Mapping[str, Any]],
    event: Any = None,
    *,
    session: Any = None,
    settings: Settings | None = None,
    read_back: bool = True,
) -> list[Result]:
    """Store many payloads, up to BATCH_FILES in one transaction, and return a result for each, in their order.

    A bad payload has the status `error` and does not keep the others back. Files of a transaction that failed after bounded
    attempts have the status `retry`. `requests` and `attempts` are those of the file's transaction, shared by its files. Raises
    BadSettings or VASTDatabaseError only where no session can be opened.
    """
    documents = list(payloads)
    store = _store_of(session, settings, event)
    if isinstance(store, dict):
        return [dict(store) for _ in documents]
    results: dict[int, Result] = {}
    files: dict[int, FileRows] = {}
    for index, document in enumerate(documents):
        try:
            files[index] = rows_of(document, templates=store.templates)
        except Reject as error:
            results[index] = error_result(error)
    for chunk in _chunks(files):
        results |= _store_chunk(store, chunk, read_back)
    return [results[index] for index in range(len(documents))]


def mark_removed(
    path: str,
    removed_at: datetime | None = None,
    event: Any = None,
    *,
    session: Any = None,
    settings: Settings | None = None,
    read_back: bool = True,
) -> Result:
    """Record that the object at `path` (a path, or s3://bucket/key) was removed at `removed_at`: default now; naive means UTC.

    The status is `stored` where the current version is now marked, and `skipped` where nothing is stored of the path or its
    current version was modified later. Raises as `persist_to_vast_database`.
    """
    moment = removed_at or utc_now()
    moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    try:
        store = _store_of(session, settings, event)
        return store if isinstance(store, dict) else _remove_one(normalize_path(path), moment, store, read_back)
    except Reject as error:
        return error_result(error)


def open_store(settings: Settings | None = None, event: Any = None) -> Store:
    """A store for these settings: one session for all threads of a process. Costs one request; tables are loaded on first use.

    Raises BadSettings where endpoint or keys are missing, VASTDatabaseError where the endpoint does not answer.
    """
    settings = _settings_for(settings, event)
    return _wrap(connect(settings), settings)


def _create_vastdb_session(event: Any = None, *, settings: Settings | None = None) -> Any:
    """A `vastdb` session for the event's credentials where the settings allow them, else for those of the settings."""
    return connect(_settings_for(settings, event))


def _shared_store(settings: Settings) -> Store:
    """One store per settings, so that all threads share its locks: of two that are opened at once the first one stays."""
    store = _stores.get(settings)
    if store is None:
        opened = open_store(settings)
        with _stores_guard:
            store = _remember(_stores, settings, opened)
    return store


def _store_of_session(session: Any, settings: Settings) -> Store:
    """The store of a session that the caller made: the same one as long as the session lives, with its tables and locks."""
    place = settings.db_bucket, settings.db_schema
    with _stores_guard:
        stores = _stores_of_sessions.setdefault(session, {})
        return stores.get(place) or _remember(stores, place, _wrap(proxy(session), settings))


def _remember(stores: dict[K, Store], key: K, opened: Store) -> Store:
    """The store that is remembered under this key, from now on `opened` where there is none; the oldest ones go."""
    store = stores.setdefault(key, opened)
    while len(stores) > _KEPT_STORES:
        del stores[next(iter(stores))]
    return store


def _settings_for(settings: Settings | None, event: Any) -> Settings:
    settings = load() if settings is None else settings
    data = event.get("data", event) if isinstance(event, Mapping) else None
    return with_event_credentials(settings, data)[0] if isinstance(data, Mapping) else settings


def _store_of(session: Any, settings: Settings | None, event: Any) -> Store | Result:
    """The store to use; a `skipped` result where no endpoint is configured."""
    if isinstance(session, Store):
        return session
    settings = _settings_for(settings, event)
    if session is not None:
        return _store_of_session(session, settings)
    missing = settings.missing_for_database()
    if missing:
        return _result("skipped", message=f"{missing} is not set, so nothing was stored") | {"missing_setting": missing}
    return _shared_store(settings)


def _wrap(session: Any, settings: Settings) -> Store:
    place = settings.db_bucket, settings.db_schema
    return Store(session, str(session.api.endpoints[0]), *place, settings.path_templates, settings.db_group)


def _persist_one(payload: Any, store: Store, embedding: Sequence[float] | None, read_back: bool) -> Result:
    return _settled_result(_store_grouped(store, rows_of(payload, embedding, store.templates), read_back))


def _remove_one(path: str, removed_at: datetime, store: Store, read_back: bool) -> Result:
    return _settled_result(_store_grouped(store, Removal(path, removed_at), read_back))


def known_store(settings: Settings) -> Store | None:
    """The store that calls without a session share for these settings, where one was opened."""
    return _stores.get(settings)


def group_of(store: Store) -> Group:
    """The changes that wait for a transaction of this store."""
    with _stores_guard:
        return _groups.get(store) or _groups.setdefault(store, Group(store.group_files))


def _store_grouped(store: Store, change: Change, read_back: bool) -> Settled:
    """Store a change with those of this process that wait beside it. What the surroundings cause is raised."""
    settled = group_of(store).store(store, change, read_back=read_back)
    if isinstance(settled.outcome, InspectorError) and not isinstance(settled.outcome, Reject):
        raise settled.outcome
    return settled


def _chunks(files: Mapping[int, FileRows]) -> Iterator[dict[int, FileRows]]:
    """Files by position, cut so that no chunk has a path twice: a later payload of a path is stored after the earlier one."""
    rounds: list[dict[int, FileRows]] = []
    seen: dict[str, int] = {}
    for index, file in files.items():
        turn = seen.get(file.path, 0)
        seen[file.path] = turn + 1
        if turn == len(rounds):
            rounds.append({})
        rounds[turn][index] = file
    for one in rounds:
        items = list(one.items())
        for start in range(0, len(items), BATCH_FILES):
            yield dict(items[start : start + BATCH_FILES])


def _store_chunk(store: Store, chunk: Mapping[int, FileRows], read_back: bool) -> dict[int, Result]:
    answers = store_apart(store, list(chunk.values()), read_back=read_back)
    return {index: _settled_result(settled) for index, settled in zip(chunk, answers, strict=True)}


def _settled_result(settled: Settled) -> Result:
    outcome, ledger = settled
    if isinstance(outcome, InspectorError):
        return error_result(outcome, "retry" if isinstance(outcome, Retry) else "error", ledger)
    if isinstance(outcome, StoredFile):
        return _outcome_result(outcome, ledger)
    status, message = "stored", "the current version is marked as removed"
    if outcome.file_id is None:
        status, message = "skipped", "nothing is stored of this path that is older than the removal"
    return _result(status, file_id=outcome.file_id, attempts=ledger.attempts, requests=ledger.requests, message=message)


def _outcome_result(outcome: StoredFile, ledger: Ledger) -> Result:
    if outcome.inserted:
        message = "a new version was stored" if outcome.superseded else "the file was stored"
        message = message if outcome.is_current else "an older version was stored"
    else:
        message = "this version was stored before; the inspection was counted"
    return _result(
        "stored",
        file_id=outcome.file_id,
        inserted=outcome.inserted,
        superseded=outcome.superseded,
        inspection_count=outcome.inspection_count,
        is_current=outcome.is_current,
        attempts=ledger.attempts,
        requests=ledger.requests,
        message=message,
    )


def error_result(error: InspectorError, status: str = "error", ledger: Ledger | None = None) -> Result:
    """The result of a payload that was not stored: `error`, or `retry` where it may be later."""
    spent = ledger or Ledger()
    return _result(status, attempts=spent.attempts, requests=spent.requests, message=str(error), error=error.as_dict())


def _result(status: str, **known: Any) -> Result:
    empty: Result = {
        "file_id": None,
        "inserted": False,
        "superseded": 0,
        "inspection_count": None,
        "is_current": None,
        "attempts": 0,
        "requests": 0,
        "message": "",
        "error": None,
    }
    return {"status": status} | empty | known
