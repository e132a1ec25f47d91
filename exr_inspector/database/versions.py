"""What becomes of a path's rows in `files` when a version is inspected or the object is removed. Pure: rows in, changes out.

A path has versions, told apart by file_id. Exactly one is current: the newest by mtime, and among equals the one inspected last.
`deleted_at` stands on the current version alone. Two rows with one file_id come from two processes that stored the same file at
the same time; the lower `$row_id` stays, and takes over what the other counted.

Applied in any order, the same inspections and removals end in the same state as long as their times differ (by a second or more
between a removal and a modification, because S3 gives times of modification in whole seconds).

Rows of other tables that were *measured* (statistics of pixels, findings of a policy) describe the bytes that the row of
`files` describes now. An inspection of the same bytes replaces the sections that it measured, whether rows came of them or not,
and leaves the others; an inspection of other bytes replaces or removes all of them; one of older bytes changes none. Bytes are
taken to be the same only where an ETag or a time of modification says so: no statistics are better than those of other bytes.

Damage of pixels is measured as well, and stands in the row of `files`: a file that is `damaged` stays so, with an error that says
why, until an inspection of the same bytes reads every chunk of theirs, or other bytes come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Version:
    """A row of `files` as far as the upsert needs it; field names are column names, times are naive UTC."""

    row_id: Any
    file_id: str
    mtime: datetime | None
    is_current: bool | None
    deleted_at: datetime | None
    first_seen: datetime | None
    last_inspected: datetime | None
    inspection_count: int | None
    inspection_id: str
    last_inspection_id: str | None
    etag: str | None = None
    size_bytes: int | None = None
    status: str | None = None
    error_code: str | None = None
    error_message: str | None = None


class Standing(NamedTuple):
    """What of a row of `files` tells whether it stands well beside the others of its path; names are column names."""

    file_id: str
    is_current: bool | None
    deleted_at: datetime | None


COLUMNS = tuple(field.name for field in fields(Version) if field.name != "row_id")
"""The columns of `files` that the upsert reads."""

DAMAGED = "damaged"
OTHERS_DAMAGE = " (found by another inspection of the same bytes than the latest)"
"""What the message of an error ends with that the latest inspection did not make."""
_NEVER = datetime(1, 1, 1)  # noqa: DTZ001 - stored times are UTC without zone


Section = tuple[str, str | None]
"""What is measured at once, and so replaced at once: a table, and of findings the policy."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """An inspection: which version was found, its bytes, by which inspection and when, and the sections that it measured.

    `every_chunk_read`: statistics were computed of all pixels of all parts, and every chunk decoded.
    """

    file_id: str
    mtime: datetime | None
    inspection_id: str
    now: datetime
    etag: str | None = None
    size_bytes: int | None = None
    measured: frozenset[Section] = frozenset()
    status: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    every_chunk_read: bool = False


@dataclass(frozen=True, slots=True)
class Merge:
    """Two rows of one file_id: `loser` goes; `adopt` when `keeper` takes its observed columns.

    The loser's rows in other tables go as well, but for measurements that a `Review` keeps.
    """

    keeper: Version
    loser: Version
    adopt: bool


@dataclass(frozen=True, slots=True)
class StoredMeasurement:
    """A stored row of a section."""

    row_id: Any
    section: Section
    file_id: str
    inspection_id: str


@dataclass(frozen=True, slots=True)
class Review:
    """What becomes of the measurements of one file_id; those that stay carry `owner` as their inspection.

    `sources`: the inspections of the bytes that `files` describes from now on, the latest first. Measurements of `others` go, and
    so do the sections in `replaced`. Rows of inspections that are in neither are not known to this plan, and are left alone.
    """

    file_id: str
    owner: str
    sources: tuple[str, ...]
    others: tuple[str, ...]
    replaced: frozenset[Section] = frozenset()

    def concerns(self, table: str) -> bool:
        """Whether rows of this table have to be looked at."""
        return bool(self.others) or len(self.sources) > 1 or any(name == table for name, _ in self.replaced)

    def settle(self, rows: Sequence[StoredMeasurement], claims: Mapping[str, frozenset[Section]]) -> Settlement:
        """Sort the file's stored rows: of each section those of the latest source stay.

        `claims`: what each source measured, as far as it is known; a source whose measurement came to no row still displaces
        the rows of earlier ones.
        """
        stored = {source: {row.section for row in rows if row.inspection_id == source} for source in self.sources}
        holders: dict[Section, str] = {}
        for source in self.sources:
            for section in stored[source] | claims.get(source, frozenset()):
                holders.setdefault(section, source)
        gone, adopted = [], []
        for row in rows:
            if row.inspection_id not in (*self.sources, *self.others):
                continue
            if row.section in self.replaced or holders.get(row.section) != row.inspection_id:
                gone.append(row)
            elif row.inspection_id != self.owner:
                adopted.append(row)
        return Settlement(tuple(gone), tuple(adopted))


@dataclass(frozen=True, slots=True)
class Settlement:
    """Measurements to delete, and those that are to carry the owner's inspection."""

    gone: tuple[StoredMeasurement, ...]
    adopted: tuple[StoredMeasurement, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write for one path.

    `changes`: rows that differ from the stored ones, as they are to be. `existing`: the row of the inspected version, None where
    it is new and goes in with `is_current` and `deleted_at`; `refresh`: its observed columns take the payload's values.
    `superseded`: how many versions were current before and are not any more. `reviews`: the versions whose stored measurements
    have to be looked at; with `refresh`, those of this inspection go in afterwards.
    """

    changes: tuple[Version, ...] = ()
    merges: tuple[Merge, ...] = ()
    reviews: tuple[Review, ...] = ()
    existing: Version | None = None
    is_current: bool = False
    deleted_at: datetime | None = None
    refresh: bool = False
    superseded: int = 0
    inspection_count: int = 0


def inspect(stored: Sequence[Version], seen: Inspection) -> Plan:
    """A version was inspected: it is new, or counted and refreshed; then it is settled which version is current."""
    kept, merges = _merge_duplicates(stored)
    current = _current_of(kept)
    existing = next((version for version in kept if version.file_id == seen.file_id), None)
    newer = current is None or current is existing or not _is_newer(current.mtime, seen.mtime)
    fresh = existing is None or not _is_newer(existing.mtime, seen.mtime)
    deleted_at = current.deleted_at if current and not (fresh and _outlives(seen.mtime, current.deleted_at)) else None
    wanted = {version.row_id: _set_current(version, None if newer else current) for version in kept}
    if existing is not None:
        counted = _count_inspection(wanted[existing.row_id], seen, fresh)
        wanted[existing.row_id] = replace(counted, is_current=True, deleted_at=deleted_at) if newer else counted
    return Plan(
        changes=_changes(stored, wanted),
        merges=merges,
        reviews=_reviews(stored, seen if fresh else None),
        existing=existing,
        is_current=newer,
        deleted_at=deleted_at if newer else None,
        refresh=fresh and existing is not None,
        superseded=sum(1 for version in kept if newer and version.is_current and version is not existing),
        inspection_count=(existing.inspection_count or 0) + 1 if existing else 1,
    )


def remove(stored: Sequence[Version], removed_at: datetime) -> Plan:
    """The object was removed at `removed_at`: say so on the current version (`existing`), unless that one was modified later."""
    kept, merges = _merge_duplicates(stored)
    current = _current_of(kept)
    wanted = {version.row_id: _set_current(version, current) for version in kept}
    if current is not None and not _is_after(current.mtime, removed_at):
        latest = max(filter(None, (current.deleted_at, removed_at)))
        wanted[current.row_id] = replace(wanted[current.row_id], deleted_at=latest)
        return Plan(changes=_changes(stored, wanted), merges=merges, reviews=_reviews(stored), existing=current)
    return Plan(changes=_changes(stored, wanted), merges=merges, reviews=_reviews(stored))


def heal(stored: Sequence[Version]) -> Plan:
    """Nothing happened to the file; only mend what racing processes left: duplicates, several current versions, or none."""
    kept, merges = _merge_duplicates(stored)
    current = _current_of(kept)
    wanted = {version.row_id: _set_current(version, current) for version in kept}
    return Plan(changes=_changes(stored, wanted), merges=merges, reviews=_reviews(stored))


def is_sound(standings: Sequence[Standing]) -> bool:
    """Whether `heal` would leave a path's rows as they are."""
    current = sum(one.is_current is True for one in standings)
    marked = all(one.is_current is True or (one.is_current is False and one.deleted_at is None) for one in standings)
    return marked and current == min(1, len(standings)) and len({one.file_id for one in standings}) == len(standings)


def _set_current(version: Version, current: Version | None) -> Version:
    """The version as it stands when `current` is the current one; None: when another one becomes current."""
    if current is not None and version.row_id == current.row_id:
        return replace(version, is_current=True)
    return replace(version, is_current=False, deleted_at=None)


def _count_inspection(version: Version, seen: Inspection, fresh: bool) -> Version:
    if fresh:
        keeps = version.status == DAMAGED and not seen.every_chunk_read and _has_bytes_of(version, seen)
        version = _set_status(version, seen, version if keeps else None)
        version = replace(version, mtime=seen.mtime or version.mtime, etag=seen.etag, size_bytes=seen.size_bytes)
    return replace(
        version,
        last_inspected=_latest_of((version.last_inspected, seen.now)),
        inspection_count=(version.inspection_count or 0) + 1,
        last_inspection_id=seen.inspection_id,
    )


def _set_status(version: Version, observed: Version | Inspection, damaged: Version | None) -> Version:
    """The version with the status and error that were observed; instead of `ok`, those of `damaged`, a row of the same bytes."""
    if damaged is None or observed.status != "ok":
        return replace(version, status=observed.status, error_code=observed.error_code, error_message=observed.error_message)
    message = (damaged.error_message or "").removesuffix(OTHERS_DAMAGE) + OTHERS_DAMAGE
    return replace(version, status=DAMAGED, error_code=damaged.error_code, error_message=message)


def _group_by_file(stored: Sequence[Version]) -> list[list[Version]]:
    """The rows of each file_id, the one with the lowest `$row_id` first."""
    groups: dict[str, list[Version]] = {}
    for version in sorted(stored, key=attrgetter("row_id")):
        groups.setdefault(version.file_id, []).append(version)
    return list(groups.values())


def _reviews(stored: Sequence[Version], seen: Inspection | None = None) -> tuple[Review, ...]:
    """Where measurements have to be looked at: rows are merged, or an inspection (`seen`) refreshes what is stored."""
    reviews = []
    for rows in _group_by_file(stored):
        newest, *earlier = sorted(rows, key=_age, reverse=True)
        same = [newest, *(row for row in earlier if _has_bytes_of(row, newest))]
        replaced: frozenset[Section] = frozenset()
        if seen is not None and seen.file_id == newest.file_id:
            same, replaced = (same if _has_bytes_of(newest, seen) else []), seen.measured
        sources = tuple(dict.fromkeys(row.inspection_id for row in same))
        others = tuple(dict.fromkeys(row.inspection_id for row in rows if row.inspection_id not in sources))
        if others or len(sources) > 1 or replaced:
            reviews.append(Review(newest.file_id, rows[0].inspection_id, sources, others, replaced))
    return tuple(reviews)


def _has_bytes_of(version: Version, other: Version | Inspection) -> bool:
    """Whether two observations are of the same bytes, for all that is known. An equal size alone does not say so."""
    etags, times, sizes = (version.etag, other.etag), (version.mtime, other.mtime), (version.size_bytes, other.size_bytes)
    if None in etags and None in times:
        return False
    return all(one == two for one, two in (etags, times, sizes) if one is not None and two is not None)


def _merge_duplicates(stored: Sequence[Version]) -> tuple[list[Version], tuple[Merge, ...]]:
    """One version per file_id, in the row with the lowest `$row_id`, and what has to go for that."""
    kept, merges = [], []
    for keeper, *losers in _group_by_file(stored):
        newest = max([keeper, *losers], key=_age)
        kept.append(_unite(keeper, losers) if losers else keeper)
        merges += [Merge(keeper, loser, adopt=loser is newest) for loser in losers]
    return kept, tuple(merges)


def _unite(keeper: Version, losers: list[Version]) -> Version:
    rows = [keeper, *losers]
    latest = max(rows, key=_inspected_at)
    newest = max(rows, key=_age)
    current = [row for row in rows if row.is_current]
    damaged = next((row for row in rows if row.status == DAMAGED and _has_bytes_of(row, newest)), None)
    return replace(
        _set_status(keeper, newest, damaged),
        mtime=newest.mtime,
        etag=newest.etag,
        size_bytes=newest.size_bytes,
        is_current=bool(current),
        deleted_at=max(current, key=_age).deleted_at if current else None,
        first_seen=min((row.first_seen for row in rows if row.first_seen), default=None),
        last_inspected=latest.last_inspected,
        inspection_count=sum(row.inspection_count or 0 for row in rows),
        last_inspection_id=latest.last_inspection_id,
    )


def _current_of(versions: list[Version]) -> Version | None:
    """The current version. Of several, or where none is marked, the newest."""
    marked = [version for version in versions if version.is_current]
    return max(marked or versions, key=_age, default=None)


def _inspected_at(version: Version) -> datetime:
    return version.last_inspected or _NEVER


def _age(version: Version) -> tuple[datetime, datetime, str]:
    return (version.mtime or _NEVER, version.last_inspected or _NEVER, version.file_id)


def _is_newer(stored: datetime | None, seen: datetime | None) -> bool:
    """Whether the stored version is certainly newer; with an unknown time the one seen now wins."""
    return stored is not None and seen is not None and stored > seen


def _is_after(mtime: datetime | None, removed_at: datetime) -> bool:
    """Whether a modification came after a removal, by whole seconds; within one, the event that arrives last is believed."""
    return mtime is not None and mtime.replace(microsecond=0) > removed_at.replace(microsecond=0)


def _outlives(mtime: datetime | None, deleted_at: datetime | None) -> bool:
    """Whether a file with this mtime was made after the removal that is on record."""
    return deleted_at is None or mtime is None or mtime.replace(microsecond=0) >= deleted_at.replace(microsecond=0)


def _latest_of(times: Iterable[datetime | None]) -> datetime | None:
    return max((time for time in times if time), default=None)


def _changes(stored: Sequence[Version], wanted: dict[Any, Version]) -> tuple[Version, ...]:
    """The wanted rows that differ from the stored ones."""
    return tuple(wanted[version.row_id] for version in stored if wanted.get(version.row_id, version) != version)
