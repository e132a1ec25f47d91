"""What needs attention: the answers of the questions as one list of problems, the gravest first.

A problem is a kind, a place, the frames in it, since when, why, and what to do. Frames of one sequence with the same fault are
one problem. Its `id` is the same on every page while the fault is there, whichever frames have it.
"""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

import duckdb
import pyarrow as pa

from exr_inspector.catalogue import questions
from exr_inspector.catalogue.output import plain, rows_of
from exr_inspector.catalogue.report.answers import Row
from exr_inspector.catalogue.report.kinds import KINDS, OF_PIXELS, SINGLE
from exr_inspector.catalogue.units import duration, number, quantity, size, window
from exr_inspector.payload.names import layer_key, parse_name

Range = tuple[int, int]
STRAY = 2
"""Frames at an end of a sequence that may be stray, at most; the gap beside them is longer than the rest of the sequence."""
LEAST_OTHERS = 3
"""Other sequences of its layer in the show, from which on one that is set up like no other is worth a look."""


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One fault as a question tells it. `key` is a sequence_key or a path, None where the fault is a shot's.

    `topic` tells faults of a kind in one place apart; `seen` are frames that tell since when there is the fault; `question` shows
    it, where that is not the kind's.
    """

    kind: str
    place: Row
    key: str | None
    why: str
    frames: tuple[Range, ...] = ()
    count: int | None = None
    topic: str = ""
    todo: str = ""
    path: str | None = None
    host: str | None = None
    seen: Range | None = None
    question: str | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        """What stays the same while the fault is there."""
        shot = (str(self.place.get(name) or "") for name in ("show_name", "sequence_name", "shot_name"))
        return (self.kind, self.key or "/".join(shot), self.topic)

    @property
    def id(self) -> str:
        """The identity in 16 characters."""
        return hashlib.sha256("\0".join(self.identity).encode()).hexdigest()[:16]


def span(first: int | None, last: int | None) -> tuple[Range, ...]:
    """The range from one frame to another; none where a file has no frame number."""
    return () if first is None or last is None else ((first, last),)


def _of_file(row: Row, kind: str, why: str, topic: str = "") -> FaultRow:
    """A fault of one frame, in its sequence."""
    key = row.get("sequence_key") or parse_name(row["file_path"]).sequence_key or row["file_path"]
    frames = span(row["frame_number"], row["frame_number"])
    return FaultRow(kind, row, key, why, frames, None if frames else 1, topic=topic, path=row["file_path"])


def broken_frames(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From broken_frames."""
    for row in rows:
        yield _of_file(row, row["status"], _why_broken(row), row["error_code"] or row["completeness"] or "")


def _why_broken(row: Row) -> str:
    chunks = f"{row['chunks_present'] or 0:,} of {row['chunks_expected'] or 0:,} chunks"
    if row["status"] == "incomplete" and row["completeness"] == "truncated":
        return f"Cut off: {chunks} are there, {size(row['bytes_missing'] or 0)} are missing at the end"
    if row["status"] == "incomplete":
        return f"Not finished: {chunks} were written"
    code = (row["error_code"] or "").replace("_", " ")
    return "The pixels of a chunk do not decode" if row["status"] == "damaged" else f"The header cannot be read: {code}"


@dataclass(frozen=True, slots=True)
class Gaps:
    """The gaps of a sequence between its first and last frame; `stray` are frames at an end that lie far from the others."""

    missing: tuple[Range, ...]
    stray: tuple[Range, ...] = ()
    beside: tuple[Range, ...] = ()
    """The gaps between stray frames and the others, in which nothing is missing."""


def gaps_of(first: int, last: int, present: int, gaps: Sequence[Range]) -> Gaps:
    """Tell stray frames from gaps.

    >>> gaps_of(1, 1045, 46, [(2, 1000)])
    Gaps(missing=(), stray=((1, 1),), beside=((2, 1000),))
    >>> gaps_of(1001, 1045, 42, [(1013, 1015)])
    Gaps(missing=((1013, 1015),), stray=(), beside=())
    """
    ordered = sorted(gaps)
    stray, beside = [], []
    ends: list[tuple[Range, Range]] = [((first, ordered[0][0] - 1), ordered[0]), ((ordered[-1][1] + 1, last), ordered[-1])]
    for (low, high), gap in ends if present > 2 * STRAY else []:
        if high - low < STRAY and gap[1] - gap[0] + 1 > present and gap not in beside:
            stray.append((low, high))
            beside.append(gap)
    return Gaps(tuple(gap for gap in ordered if gap not in beside), tuple(stray), tuple(beside))


def all_gaps(missing: Sequence[Row], coverage: Sequence[Row]) -> dict[str, Gaps]:
    """The gaps of every sequence that has some, from missing_frames and frame_coverage."""
    extents = {row["sequence_key"]: row for row in coverage}
    by_key = {}
    for key, rows in groupby(missing, key=lambda row: row["sequence_key"]):
        gaps = [(row["first_missing"], row["last_missing"]) for row in rows]
        extent = extents.get(key)
        whole = extent and (extent["first_frame"], extent["last_frame"], extent["frames_present"])
        by_key[key] = gaps_of(*whole, gaps) if whole else Gaps(tuple(gaps))
    return by_key


def gaps(rows: Sequence[Row], known: Mapping[str, Gaps]) -> Iterator[FaultRow]:
    """From missing_frames, with the gaps of each sequence."""
    places = {row["sequence_key"]: row for row in rows}
    for key, gaps in known.items():
        for first, last in gaps.missing:
            # A gap is seen when the frame after it is there.
            yield FaultRow(
                "missing", places[key], key, "The frames before and after are there", ((first, last),), seen=(last + 1,) * 2
            )
        for first, last in gaps.stray:
            gap = max(gap[1] - gap[0] + 1 for gap in gaps.beside)
            why = f"{gap:,} frame numbers lie between it and the rest of the sequence"
            yield FaultRow("stray", places[key], key, why, ((first, last),), topic=str(first))


def duplicates(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From duplicate_frames."""
    for row in rows:
        names = " and ".join(row[name].rpartition("/")[2] for name in ("one_path", "other_path"))
        why = f"{row['file_count']} files are this frame: {names}"
        frames = span(row["frame_number"], row["frame_number"])
        yield FaultRow("duplicate", row, row["sequence_key"], why, frames, path=row["other_path"])


def frozen_frames(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From frozen_frames."""
    for row in rows:
        frames = ((row["frame_number"], row["same_as_frame"]),)
        yield FaultRow("frozen", row, row["sequence_key"], "Neighbouring frames hold the same picture", frames)


def odd(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From frames_unlike_sequence."""
    for row in rows:
        yield _of_file(row, "odd", f"Unlike the frames around it in {row['differs_in']}", row["differs_in"])


DRIFTS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "renderer": ("renderer", str),
    "channel_count": ("number of channels", str),
    "compression": ("compression", str),
    "part_type": ("type of part", str),
    "data_window": ("data window", window),
    "display_window": ("display window", window),
}


def drift(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From drift_within_sequence: one fault for each frame from which on something else is so."""
    for key, runs in groupby(rows, key=lambda row: row["sequence_key"]):
        for before, after in pairwise(runs):
            why = f"From {after['first_frame']} on: {_changes(before, after)}"
            frames = ((after["first_frame"], after["last_frame"]),)
            yield FaultRow("drift", after, key, why, frames, topic=str(after["first_frame"]))


def _changes(before: Row, after: Row) -> str:
    said = [
        f"{words} {show(before[name])} → {show(after[name])}"
        for name, (words, show) in DRIFTS.items()
        if before[name] != after[name] and before[name] is not None and after[name] is not None
    ]
    if before["channel_distance"] != after["channel_distance"] and before["channel_count"] == after["channel_count"]:
        said.append("names or types of channels")
    return ", ".join(said) or "something that the header does not name"


def misnumbered_frames(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From misnumbered_frames."""
    for row in rows:
        whole = row["frame_count"] == row["frames_of_sequence"]
        subject = "All headers of the sequence count" if whole else "The header counts"
        first = row["first_frame"]
        why = f"{subject} {row['difference']:+,}: frame {first} is {first + row['difference']} inside"
        frames = span(first, row["last_frame"])
        yield FaultRow("misnumbered", row, row["sequence_key"], why, frames, row["frame_count"], topic=str(row["difference"]))


def bad_pixels(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From bad_pixels: all channels of a sequence with one fault are one."""
    for (key, fault), of_fault in groupby(rows, key=lambda row: (row["sequence_or_file"], row["fault"])):
        channels = list(of_fault)
        where = [f"first at x {row['first_x']}, y {row['first_y']}" for row in channels if row["first_x"] is not None][:1]
        why = f"{fault} in {_list_names([row['channel_name'] for row in channels])}: "
        why += ", ".join([quantity(sum(row["sample_count"] for row in channels), "sample"), *where])
        kind = "negative" if fault == "negative colour" else "nan"
        yield _of_run(channels, kind, key, why, fault)


def _of_run(rows: Sequence[Row], kind: str, key: str, why: str, topic: str) -> FaultRow:
    """A fault of the frames that these rows span together."""
    first = min((row["first_frame"] for row in rows if row["first_frame"] is not None), default=None)
    last = max((row["last_frame"] for row in rows if row["last_frame"] is not None), default=None)
    count = max(row["frame_count"] for row in rows)
    return FaultRow(kind, rows[0], key, why, span(first, last), count, topic, path=rows[0]["first_path"])


def _list_names(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def black(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From black_or_constant_frames."""
    for row in rows:
        layer = row["layer_name"] or "The picture"
        why = f"{layer} is {'black' if row['kind'] == 'black' else 'of one colour'}"
        if row["frame_count"] == row["frames_of_sequence"]:
            why += " in all frames of the sequence"
        yield _of_run([row], "black", row["sequence_or_file"], why, f"{row['kind']} {row['layer_name']}")


def flicker(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From flicker."""
    ways = {"back": ", and back", "stays": ", and stays there", None: ""}
    for row in rows:
        means = f"mean of {row['channel_name']} {number(row['mean_before'])} → {number(row['mean_value'])}"
        why = f"{quantity(row['channel_count'], 'channel')} at once: {means}{ways[row['returns']]}"
        yield _of_file(row, "flicker", why, f"{row['frame_number']}")


def same_pictures(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From same_picture."""
    for row in rows:
        own = row["same_as"] == row["sequence_or_file"]
        first, last = row["same_as_first_frame"], row["same_as_last_frame"]
        name = "" if own else f"{row['same_as'].rpartition('/')[2]} "
        numbers = "" if first is None else f"{first}" if first == last else f"{first}–{last}"
        why = f"The samples are those of {name}{numbers}; {size(row['repeated_bytes'])} are stored again"
        frames = span(row["first_frame"], row["last_frame"])
        yield FaultRow("repeated", row, row["sequence_or_file"], why, frames, row["file_count"], topic=row["same_as"])


def oversized_files(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From oversized_files."""
    for row in rows:
        why = f"{size(row['size_bytes'])}, {number(row['times_usual'])} times the {size(row['usual_bytes'])} of the other frames"
        yield _of_file(row, "oversized", why, f"{row['frame_number']}")


def failed_rules(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From failed_rules; what is wrong with cryptomattes has a kind of its own."""
    for (key, policy, rule), runs in groupby(rows, key=itemgetter("sequence_or_file", "policy_id", "rule_id")):
        row, *others = runs
        kind = "cryptomatte" if "cryptomatte" in f"{rule} {row['status_code']}" else "delivery"
        why = f"Breaks {rule} of {policy}: {row['example']}"
        frames = tuple(run for one in (row, *others) for run in span(one["first_frame"], one["last_frame"]))
        count = sum(one["file_count"] for one in (row, *others))
        yield FaultRow(kind, row, key, why, frames, count, f"{policy} {rule}", row["suggested_fix"] or "", row["first_path"])


MATTES = {
    "cryptomatte_without_metadata": "No metadata name its layers, so nothing can be selected from them",
    "cryptomatte_key_mismatch": "The key of a layer is not the hash of its name",
    "cryptomatte_id_mismatch": "Names in a manifest have ids that are not their hash",
    "cryptomatte_manifest_damaged": "A manifest is not JSON of names and ids",
}
"""What an inspection found wrong with cryptomattes, by its code."""


def mattes(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From findings: of what inspections found, what is wrong with cryptomattes."""
    for row in rows:
        for code in row["finding_codes"].split():
            if code in MATTES:
                frames = span(row["first_frame"], row["last_frame"])
                why, path = MATTES[code], row["first_path"]
                key, count = row["sequence_or_file"], row["file_count"]
                yield FaultRow("cryptomatte", row, key, why, frames, count, code, path=path, question="findings")


def setups(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From sequences_unlike_family."""
    for row in rows:
        yield FaultRow("setup", row, row["sequence_key"], f"Unlike every other sequence of its show in {row['differs_in']}")


_SEQUENCES = """
SELECT DISTINCT ON (sequence_key) show_name, sequence_key, layer_name, version_token, sequence_name, shot_name
FROM present WHERE sequence_key IS NOT NULL
"""


def without_rare_layers(sql: duckdb.DuckDBPyConnection, faults: Sequence[FaultRow]) -> list[FaultRow]:
    """All but setups of layers of which their show has too few for a usual one; `sql` has the table `present`."""
    if not any(fault.kind == "setup" for fault in faults):
        return list(faults)
    layers = {key: (show, layer) for show, key, layer in _layers(sql)}
    counts = Counter(layers.values())
    return [fault for fault in faults if fault.kind != "setup" or counts[layers.get(fault.key or "", ("", ""))] > LEAST_OTHERS]


def _layers(sql: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, str]]:
    """(show, sequence_key, layer) of every sequence."""
    for show, key, layer, version, sequence, shot in sql.sql(_SEQUENCES).fetchall():
        yield show, key, layer or layer_of(layer_key(key, version), sequence, shot)


def slow_hosts(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From slow_hosts: one fault for each machine in a shot, whatever it rendered there."""
    machines: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        machines.setdefault(tuple(row[name] for name in ("show_name", "sequence_name", "shot_name", "host")), []).append(row)
    for (*_, host), of_host in machines.items():
        why = f"{host} takes " + "; ".join(map(_how_slow, of_host))
        yield FaultRow("slow", of_host[0], None, why, count=sum(row["frame_count"] for row in of_host), topic=host, host=host)


def _how_slow(row: Row) -> str:
    times = f"{duration(row['seconds_a_frame'])} a frame, elsewhere {duration(row['usual_seconds'])}"
    return f"{number(row['times_usual'])} times as long with {row['render_product'] or 'its renders'} ({times})"


def mixed_builds(rows: Sequence[Row]) -> Iterator[FaultRow]:
    """From mixed_builds: one fault for each renderer of a shot; the frames are those of the builds that fewer files have."""
    shot = ("show_name", "sequence_name", "shot_name", "render_product")
    for key, of_renderer in groupby(rows, key=lambda row: tuple(row[name] for name in shot)):
        builds = sorted(of_renderer, key=lambda row: -row["file_count"])
        why = f"{key[3]} " + ", ".join(f"{row['build']} in {quantity(row['file_count'], 'file')}" for row in builds)
        fewer = builds[1:]
        frames = tuple(run for row in fewer for run in span(row["first_frame"], row["last_frame"]))
        yield FaultRow("mixed", builds[0], None, why, frames, sum(row["file_count"] for row in fewer), topic=str(key[3]))


READERS: dict[str, Callable[[Sequence[Row]], Iterable[FaultRow]]] = {
    "broken_frames": broken_frames,
    "duplicate_frames": duplicates,
    "frozen_frames": frozen_frames,
    "frames_unlike_sequence": odd,
    "drift_within_sequence": drift,
    "misnumbered_frames": misnumbered_frames,
    "bad_pixels": bad_pixels,
    "black_or_constant_frames": black,
    "flicker": flicker,
    "same_picture": same_pictures,
    "oversized_files": oversized_files,
    "failed_rules": failed_rules,
    "findings": mattes,
    "sequences_unlike_family": setups,
    "slow_hosts": slow_hosts,
    "mixed_builds": mixed_builds,
}
"""Question -> what turns its rows into faults. missing_frames needs the extents of the sequences as well."""


def without_repeats(faults: Sequence[FaultRow]) -> list[FaultRow]:
    """All but what an inspection found of cryptomattes where a policy has judged them: its rule says it with the remedy."""
    judged = {fault.key for fault in faults if fault.kind == "cryptomatte" and fault.topic not in MATTES}
    return [fault for fault in faults if fault.topic not in MATTES or fault.key not in judged]


def merge(faults: Iterable[FaultRow]) -> list[FaultRow]:
    """Faults of one identity as one, the gravest kinds first."""
    merged: dict[tuple[str, ...], FaultRow] = {}
    for fault in faults:
        known = merged.get(fault.identity)
        merged[fault.identity] = fault if known is None else replace(known, frames=join((*known.frames, *fault.frames)))
    order = list(KINDS)
    return sorted(merged.values(), key=lambda fault: (KINDS[fault.kind].gravity, order.index(fault.kind), fault.identity))


def join(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Ranges in order, those that touch or overlap as one.

    >>> join([(1021, 1022), (1020, 1021), (1040, 1040)])
    ((1020, 1022), (1040, 1040))
    """
    joined: list[Range] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


@dataclass(frozen=True, slots=True)
class Where:
    """What the tables say of a fault's place, and since when the files are there that show it (ISO 8601, UTC)."""

    sequence: str | None = None
    layer: str | None = None
    version: str | None = None
    layer_key: str | None = None
    since: str | None = None
    place: Row = field(default_factory=dict)


def as_rows(sql: duckdb.DuckDBPyConnection, faults: Sequence[FaultRow]) -> list[Row]:
    """The faults as the page lists them; `sql` has the table `present`."""
    return [_as_row(fault, where) for fault, where in zip(faults, locate(sql, faults), strict=True)]


def _as_row(fault: FaultRow, where: Where) -> Row:
    kind = KINDS[fault.kind]
    frames = join(fault.frames)
    place = {name: fault.place.get(f"{name}_name") or where.place.get(name) for name in ("show", "sequence", "shot")}
    count = fault.count if fault.count is not None else sum(last - first + 1 for first, last in frames)
    path = fault.path if fault.path and count == 1 else fault.key or fault.path
    return {
        "id": fault.id, "kind": fault.kind, **place, "layer": where.layer, "version": where.version, "key": fault.key,
        "layer_key": where.layer_key, "frames": [list(run) for run in frames], "count": count, "since": where.since,
        "why": fault.why, "todo": fault.todo or kind.todo, "path": path, "command": _command(fault, place),
    }  # fmt: skip


def _command(fault: FaultRow, place: Mapping[str, str | None]) -> str:
    """What to type to see more of it."""
    if fault.kind in SINGLE and fault.path and "://" not in fault.path:
        return f"exr-inspector inspect {shlex.quote(fault.path)}" + (" --stats" if fault.kind in OF_PIXELS else "")
    question = fault.question or KINDS[fault.kind].question
    named = [
        f"--{name} {shlex.quote(place[name] or '')}" for name in ("show", "shot") if place[name] and name in _parameters(question)
    ]
    return " ".join(["exr-inspector ask", question, *named])


@cache
def _parameters(question: str) -> frozenset[str]:
    """The parameters that a question can be asked with."""
    return frozenset(parameter.name for parameter in questions.load(question).parameters)


_TEXTS, _NUMBERS = ("key", "show", "sequence", "shot", "host"), ("at", "first", "last")
_ASKED = pa.schema([*((name, pa.string()) for name in _TEXTS), *((name, pa.int64()) for name in _NUMBERS)])
_LOCATE = """
SELECT asked.at, min(show_name) AS "show", min(sequence_name) AS sequence, min(shot_name) AS shot, min(layer_name) AS layer,
    min(version_token) AS version, min(coalesce(mtime, first_seen)) AS since
FROM asked JOIN present ON {where}
    AND (asked.first IS NULL OR present.frame_number IS NULL OR present.frame_number BETWEEN asked.first AND asked.last)
    AND (asked.host IS NULL OR present.host = asked.host)
GROUP BY asked.at
"""
_PLACES = (
    "present.sequence_key = asked.key",
    "present.sequence_key IS NULL AND present.file_path = asked.key",
    "asked.key IS NULL AND present.show_name = asked.show AND present.shot_name = asked.shot"
    " AND present.sequence_name IS NOT DISTINCT FROM asked.sequence",
)


def locate(sql: duckdb.DuckDBPyConnection, faults: Sequence[FaultRow]) -> list[Where]:
    """Show, sequence, shot, layer, version and time of each fault, from the files that show it."""
    sql.register("asked", pa.Table.from_pylist([_row_to_locate(at, fault) for at, fault in enumerate(faults)], schema=_ASKED))
    placed: dict[int, Row] = {}
    for where in _PLACES:
        placed |= {row["at"]: row for row in rows_of(sql.sql(_LOCATE.format(where=where)).to_arrow_table())}
    sql.unregister("asked")
    return [_where(fault, placed.get(at, {})) for at, fault in enumerate(faults)]


def _row_to_locate(at: int, fault: FaultRow) -> Row:
    seen = fault.seen or ((fault.frames[0][0], fault.frames[-1][1]) if fault.frames else (None, None))
    names = {name: fault.place.get(f"{name}_name") for name in ("show", "sequence", "shot")}
    return {"at": at, "key": fault.key, **names, "first": seen[0], "last": seen[1], "host": fault.host}


def _where(fault: FaultRow, row: Row) -> Where:
    if fault.key is None:
        return Where(since=row.get("since"), place=row)
    if fault.kind == "unreadable" and fault.key == fault.path:  # no frame of anything: its name is all that is known
        name = fault.key.rpartition("/")[2]
        return Where(row.get("sequence"), name, since=plain(row.get("since")), place=row)
    version = row.get("version")
    stands = layer_key(fault.key, version)
    layer = row.get("layer") or layer_of(stands, row.get("sequence"), row.get("shot"))
    return Where(row.get("sequence"), layer, version, stands, plain(row.get("since")), row)


def layer_of(key: str, sequence: str | None, shot: str | None) -> str:
    """The name of a layer that no path template tells: what its file name has beside sequence, shot, version and frame.

    >>> layer_of("s3://r/apollo/sq010/sh010/fx/v#/sq010_sh010_fx_v#.#.exr", "sq010", "sh010")
    'fx'
    >>> layer_of("/shows/a/sh010/beauty/v#/sh010_v#.#.exr", None, "sh010")
    'beauty'
    """
    *folders, name = key.removesuffix(".exr").split("/")
    for word in (".#", "v#", sequence, shot):
        name = name.replace(word, "") if word else name
    left = name.strip("._-# ")
    return left or next((folder for folder in reversed(folders) if "v#" not in folder and folder not in (sequence, shot)), key)
