"""What may become of a public name: the records of docs/deprecations.toml, and the judgement of a change by them.

A record announces a removal, or a change of shape:

    [[deprecated]]
    name = "settings/TLS_VERIFY"
    since = "1.2.0"             # the version of the family that says so first
    announced = 2027-01-31      # the day that version came out
    removal = "2.0.0"           # the first version that may do without
    replacement = "VAST_TLS_VERIFY"

It covers the name and everything below it: that of a table covers its columns. A record stays when the name is gone.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from pathlib import Path

from exr_errors import Reject
from scripts.generated import ROOT
from scripts.surface import Entry

RECORDS = ROOT / "docs/deprecations.toml"
NOTICE = timedelta(days=180)
"""Between the day that a deprecation is announced and the day that the name may be gone."""

Surface = Mapping[str, Mapping[str, Entry]]
Shapes = Mapping[str, Mapping[str, str]]


class BadRecord(Reject):
    """A record of docs/deprecations.toml that lacks something, or promises less than the notice period."""

    code = "bad_record"


@dataclass(frozen=True, slots=True)
class Record:
    """`name` is FAMILY/NAME; `since` and `removal` are versions of that family."""

    name: str
    since: str
    announced: date
    removal: str
    replacement: str

    @property
    def family(self) -> str:
        """The family of the name."""
        return self.name.partition("/")[0]

    def covers(self, family: str, name: str) -> bool:
        """Whether the record is about this name, or about what it belongs to."""
        own = self.name.partition("/")[2]
        return family == self.family and (name == own or (name.startswith(own) and name[len(own)] in ".[( "))


def read(path: Path | None = None) -> list[Record]:
    """The records of a file, by default RECORDS.

    Raises BadRecord where one is incomplete, or its removal is not the first version of a later major one.
    """
    entries = tomllib.loads((path or RECORDS).read_text(encoding="utf-8")).get("deprecated", [])
    return [_record(entry, number) for number, entry in enumerate(entries, start=1)]


def _record(entry: Mapping[str, object], number: int) -> Record:
    wanted = {field.name: date if field.name == "announced" else str for field in fields(Record)}
    if set(entry) != set(wanted) or not all(isinstance(entry[name], kind) for name, kind in wanted.items()):
        raise BadRecord(f"record {number}: it needs {', '.join(wanted)}, all texts but the date `announced`")
    record = Record(**entry)  # type: ignore[arg-type]
    if _version(record.removal)[0] <= _version(record.since)[0] or _version(record.removal)[1:] != (0, 0):
        remedy = "A removal is announced for the first version of a later major one, such as 2.0.0"
        raise BadRecord(f"record {number}, {record.name}: since {record.since}, removal {record.removal}", remedy=remedy)
    return record


def _version(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d+\.\d+\.\d+", text):
        raise BadRecord(f"{text!r} is no version such as 2.0.0")
    return tuple(map(int, text.split(".")))


def added(before: Shapes, now: Surface) -> list[str]:
    """Names that are public now and were not."""
    return [f"{family}/{name}" for family, entries in now.items() for name in entries if name not in before.get(family, {})]


def violations(before: Shapes, now: Surface, records: Sequence[Record], versions: Mapping[str, str], today: date) -> list[str]:
    """What breaks a promise, in words; an empty list when nothing does.

    `before`: the committed shapes; `versions`: that of each family in the code. A pure function.
    """
    return [*_changes(before, now, records, versions, today), *_demands(before, now), *_marks(before, now, records, versions)]


def _changes(
    before: Shapes, now: Surface, records: Sequence[Record], versions: Mapping[str, str], today: date
) -> Iterator[str]:
    """Names that are gone, or have another shape, without a record that allows it by now."""
    for family, shapes in before.items():
        for name, shape in shapes.items():
            found = now.get(family, {}).get(name)
            if found is not None and found.shape == shape:
                continue
            what = f"{family}/{name}: {shape!r} is {repr(found.shape) if found else 'gone'}"
            covering = [record for record in records if record.covers(family, name)]
            if not covering:
                yield f"{what}; keep it, or announce it in docs/deprecations.toml first"
            elif early := _too_early(covering[0], versions[family], today):
                yield f"{what}; {early}"


def _too_early(record: Record, version: str, today: date) -> str | None:
    if _version(version) < _version(record.removal):
        return f"it was promised until {record.removal}, and this is {version}"
    if today < record.announced + NOTICE:
        return f"it was promised until {record.announced + NOTICE}, {NOTICE.days} days after it was announced"
    return None


def _demands(before: Shapes, now: Surface) -> Iterator[str]:
    """New things that users of something old have to give: no record makes up for that."""
    for family, entries in now.items():
        known = before.get(family, {})
        for name, entry in entries.items():
            owner = re.split(r"[ (]", name, maxsplit=1)[0]
            if entry.demanded and name not in known and owner in known:
                yield f"{family}/{name}: {owner} did without; give it a default"


def _marks(before: Shapes, now: Surface, records: Sequence[Record], versions: Mapping[str, str]) -> Iterator[str]:
    """The code and the records have to say the same."""
    for record in records:
        name = record.name.partition("/")[2]
        entry = now.get(record.family, {}).get(name)
        if entry is not None and entry.deprecated is False:
            yield f"{record.name}: the record says deprecated, and the code does not"
        if entry is None and name not in before.get(record.family, {}):
            version = versions.get(record.family)
            if version is None or _version(version) < _version(record.removal):
                yield f"{record.name}: the record is about nothing that is public"
    for family, entries in now.items():
        for name, entry in entries.items():
            if entry.deprecated and not any(record.covers(family, name) for record in records):
                yield f"{family}/{name}: the code says deprecated, and docs/deprecations.toml has no record"
