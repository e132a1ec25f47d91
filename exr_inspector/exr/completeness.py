"""What is missing from a file, from its chunk offset table and its true size alone.

The table is written last: zero offsets mean that rendering stopped, offsets beyond the object's end that a copy was cut short,
anything else that contradicts itself that the table is damaged. No pixel is read; at most the leader of the last chunk is,
because only it says where that chunk ends. Tables above two megabytes are judged by evenly spread samples.

A reader for which every read beyond its first range costs a request says how many bytes it holds. The leader of a last chunk
beyond them is then read only when the chunk is less than half, or many times, as long as the chunks before it lead to expect.
Where offsets are zero, the chunks are looked for in the file (`exr.recovery`): other readers do so, too.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from typing import Any

from exr_inspector.exr.chunks import ENTRY_BYTES, chunk_place, leader_bytes, read_leader, read_offsets, table_end
from exr_inspector.exr.header import Finding, Header, Reader
from exr_inspector.exr.layout import Layout, NoLayout, Window, tile_area
from exr_inspector.exr.limits import MAX_RANGES
from exr_inspector.exr.recovery import find_unlisted

# 262,144 chunks: an 8K frame of single scanlines in thirty parts, or a 16K texture of 32-pixel tiles, is judged entry by entry.
TABLE_BUDGET = 2 * 2**20
# How many chunks before the last one say what to expect of it.
NEIGHBOURS = 8
SAMPLE_WINDOWS = 32
PROFILE_BINS = 32


@dataclass(frozen=True, slots=True)
class MissingRange:
    """Chunks that the file does not hold: whole lines, or a block of tiles of one level; `area` in that level's pixels."""

    part: int
    area: Window
    level: tuple[int, int] | None = None
    tiles: Window | None = None

    def as_dict(self) -> dict[str, Any]:
        """The range in the payload's form."""
        place: dict[str, Any] = {"part": self.part, "area": self.area.as_dict()}
        if self.level is not None and self.tiles is not None:
            place |= {"level": {"x": self.level[0], "y": self.level[1]}, "tiles": self.tiles.as_dict()}
        return place


@dataclass(frozen=True, slots=True)
class Profile:
    """How a compressed part's bytes are spread over its chunks, from the top line or first tile to the last."""

    part: int
    bins: tuple[float, ...]
    """32 shares of the bytes, in image order, with sum 1 (up to rounding to 6 digits); tiled parts: the first level alone."""
    total_bytes: int
    sizes_sha256: str
    """Digest of the exact sizes in table order: equal in neighbouring frames, it shows a frozen frame."""

    def as_dict(self) -> dict[str, Any]:
        """The profile in the payload's form."""
        return {
            "bins": list(self.bins),
            "total_bytes": self.total_bytes,
            "sizes_sha256": self.sizes_sha256,
        }


@dataclass(frozen=True, slots=True)
class Completeness:
    """The verdict on a file's chunks.

    `exact` is False when the table was judged by samples, whose numbers `chunks_present` and `missing` are then, or when the
    search for chunks that it does not list cost too much, so that more of them may be present.
    """

    verdict: str
    chunks_expected: int | None
    chunks_present: int | None
    chunks_checked: int
    missing: tuple[MissingRange, ...] = ()
    ranges_omitted: int = 0
    bytes_missing: int = 0
    """Bytes cut off the tail: exact where the last chunk's leader is there, else the least possible number."""
    trailing_bytes: int = 0
    """Bytes after the last chunk."""
    exact: bool = True
    tail_checked: bool = True
    """False where the last chunk was judged by the length of its neighbours: a cut through its second half is not seen."""
    profiles: tuple[Profile, ...] = ()
    findings: tuple[Finding, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The verdict as it stands in `payload["file"]["completeness"]`."""
        return {
            "verdict": self.verdict,
            "chunks_expected": self.chunks_expected,
            "chunks_present": self.chunks_present,
            "chunks_checked": self.chunks_checked,
            "missing": [span.as_dict() for span in self.missing],
            "missing_ranges_omitted": self.ranges_omitted,
            "bytes_missing": self.bytes_missing,
            "trailing_bytes": self.trailing_bytes,
            "exact": self.exact,
            "tail_checked": self.tail_checked,
        }


def assess(header: Header, reader: Reader, *, held: int | None = None, exact_tail: bool = False) -> Completeness:
    """The completeness of the file that `header` came from; reads the offset table (at most 2 MiB of it) and one chunk leader.

    More leaders are read where the table does not list all chunks. `held`: how many bytes from the start of the file are there
    without another request; None: reading costs nothing. `exact_tail`: the last chunk's leader is read whatever it costs.
    """
    try:
        layouts = header.layouts()
    except NoLayout as fault:
        message = f"{fault}, so the chunks of the file cannot be counted"
        finding = Finding("error", "chunks_uncountable", message, fault.part, offset=header.header_bytes)
        return Completeness("unknown", None, None, 0, findings=(finding,))
    if table_end(header, layouts) > reader.size:
        return _cut_table(header, layouts, reader.size)
    return _Assessment(header, reader, layouts, reader.size if held is None else held, exact_tail).completeness()


def _cut_table(header: Header, layouts: tuple[Layout, ...], size: int) -> Completeness:
    """The file ends inside its offset table, so no chunk can be there: chunks follow the tables of all parts."""
    expected, end = sum(part.chunks for part in layouts), table_end(header, layouts)
    missing, omitted = _ranges((part, [(0, part.chunks)]) for part in layouts)
    message = f"the file ends at byte {size}, before the end of its chunk offset table at byte {end}"
    finding = Finding("error", "offset_table_truncated", message, offset=size)
    return Completeness("truncated", expected, 0, 0, missing, omitted, end - size, findings=(finding,))


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of a part's table: the offsets of its chunks from `first` on."""

    layout: Layout
    first: int
    offsets: list[int]


class _Assessment:
    """One look at one offset table whose end lies inside the object."""

    def __init__(self, header: Header, reader: Reader, layouts: tuple[Layout, ...], held: int, exact_tail: bool) -> None:
        self.header = header
        self.reader = reader
        self.layouts = layouts
        self.expected = sum(part.chunks for part in layouts)
        self.table_end = table_end(header, layouts)
        self.held = held
        self.exact_tail = exact_tail
        self.exact = ENTRY_BYTES * self.expected <= TABLE_BUDGET
        self.tail_checked = True
        self.findings: list[Finding] = []
        self.runs = self._read_runs()
        self._recover()
        self.farthest = self.table_end + _most_bytes(layouts)

    def completeness(self) -> Completeness:
        ordered, zeros, beyond, bad = self._sort_out()
        end = self._end(ordered, beyond)
        size, present = self.reader.size, set(ordered)
        if ordered and end is not None and end > size:
            present.discard(ordered[-1])
        verdict = self._verdict(zeros, bool(beyond) or (end or 0) > size, bad)
        missing, omitted = _ranges((run.layout, _gaps(run, present)) for run in self.runs)
        checked = sum(len(run.offsets) for run in self.runs)
        return Completeness(
            verdict=verdict,
            chunks_expected=self.expected,
            chunks_present=len(present),
            chunks_checked=checked,
            missing=missing,
            ranges_omitted=omitted,
            bytes_missing=self._bytes_missing(end, beyond),
            trailing_bytes=self._trailing_bytes(verdict, ordered, end),
            exact=self.exact,
            tail_checked=self.tail_checked,
            profiles=self._profiles(ordered, min(end or size, size)),
            findings=tuple(self.findings),
        )

    def _read_runs(self) -> list[_Run]:
        spans = [(0, self.expected)] if self.exact else _sample_spans(self.expected)
        runs: list[_Run] = []
        for first, last in spans:
            offsets = read_offsets(self.reader, self.header, first, last)
            runs.extend(_cut_by_part(self.layouts, first, offsets.tolist()))
        return runs

    def _recover(self) -> None:
        """Put chunks that the table does not list into its runs, where it was read whole; without them it is incomplete."""
        if not self.exact or not any(0 in run.offsets for run in self.runs):
            return
        offsets = [offset for run in self.runs for offset in run.offsets]
        recovery = find_unlisted(self.reader, self.header, self.layouts, offsets, self.held)
        self.exact = recovery.exhaustive
        if not recovery.offsets:
            return
        self._report_unlisted(len(recovery.offsets), any(offsets))
        base = 0
        for run in self.runs:
            for at in range(len(run.offsets)):
                run.offsets[at] = recovery.offsets.get(base + at, run.offsets[at])
            base += len(run.offsets)

    def _report_unlisted(self, count: int, some_listed: bool) -> None:
        """A warning: some readers look for these chunks, others do not."""
        counted = f"{count} of {self.expected} chunks"
        if some_listed:
            code, fault = "offset_table_incomplete", f"the chunk offset table does not list {counted} that are in the file"
        else:
            code, fault = "offset_table_empty", f"the chunk offset table is empty, although {counted} follow it"
        message = f"{fault}; readers that look for the chunks, such as OpenEXR's own, show the picture and can write it again"
        self.findings.append(Finding("warning", code, message, offset=self.header.header_bytes))

    def _sort_out(self) -> tuple[list[int], int, list[int], int]:
        """The valid offsets in ascending order, the number of zeros, the offsets past the end, the number of senseless ones."""
        size, table_end, farthest = self.reader.size, self.table_end, self.farthest
        every = sorted(chain.from_iterable(run.offsets for run in self.runs))
        zeros = bisect_right(every, 0)
        low, high = bisect_left(every, table_end), bisect_left(every, size)
        plausible = bisect_left(every, farthest)
        inside = every[low:high]
        ordered = inside if len(set(inside)) == len(inside) else sorted(set(inside))
        self._report_bad("offset_before_chunks", low - zeros, f"point before byte {table_end}, where the table ends")
        self._report_bad("offset_duplicated", len(inside) - len(ordered), "repeat another chunk's")
        senseless = len(every) - max(plausible, high)
        self._report_bad("offset_senseless", senseless, f"point beyond byte {farthest}, which no chunk reaches")
        bad = (low - zeros) + (len(inside) - len(ordered)) + senseless
        return ordered, zeros, every[high : max(plausible, high)], bad

    def _report_bad(self, code: str, count: int, what: str) -> None:
        if count:
            message = f"{count} of {self.expected} chunk offsets {what}"
            self.findings.append(Finding("error", code, message, offset=self.header.header_bytes))

    def _end(self, ordered: list[int], beyond: list[int]) -> int | None:
        """Where the last chunk inside the object ends; None when that is not to be known."""
        if not ordered:
            return None
        if beyond:
            return beyond[0]
        last = ordered[-1]
        part, chunk = self._owner(last)
        leader = leader_bytes(self.header, part)
        if not part.compressed and (unpacked := part.unpacked_bytes(chunk)) is not None:
            return last + leader + unpacked
        if not self.exact_tail and self.held < last + leader <= self.reader.size and self._is_plausible(part, chunk, ordered):
            self.tail_checked = False
            return None
        return self._end_by_leader(part, chunk, last)

    def _owner(self, offset: int) -> tuple[Layout, int]:
        """The part and the number of the chunk at `offset`."""
        run = next(run for run in self.runs if offset in run.offsets)
        return run.layout, run.first + run.offsets.index(offset)

    def _is_plausible(self, part: Layout, chunk: int, ordered: list[int]) -> bool:
        """Whether the bytes after the last offset are as many, for its pixels, as those of the part's chunks just before it."""
        sizes = {chunk: self.reader.size - ordered[-1]}
        for begin, end in pairwise(ordered[-NEIGHBOURS - 1 :]):
            owner, number = self._owner(begin)
            if owner is part:
                sizes[number] = end - begin
        tail, *shares = [size / pixels for size, pixels in zip(sizes.values(), part.pixels(sizes), strict=True)]
        return bool(shares) and min(shares) / 2 <= tail <= 4 * max(shares)

    def _end_by_leader(self, part: Layout, chunk: int, offset: int) -> int | None:
        length = leader_bytes(self.header, part)
        data = self.reader.read(offset, length)
        if len(data) < length:
            return offset + length + 1
        leader = read_leader(self.header, part, data)
        number = part.part if leader.part is None else leader.part
        if number != part.part or leader.place != chunk_place(part, chunk) or min(leader.packed_sizes) < 0:
            stated = f"part {number}, place {list(leader.place)}, sizes {list(leader.packed_sizes)}"
            message = f"the chunk at byte {offset} is not the one in the table: {stated}"
            self.findings.append(Finding("error", "chunk_leader_mismatch", message, part.part, offset=offset))
            return None
        return offset + length + sum(leader.packed_sizes)

    def _verdict(self, zeros: int, cut: bool, bad: int) -> str:
        if cut:
            message = f"the file ends at byte {self.reader.size}, before the end of its last chunk"
            self.findings.append(Finding("error", "chunks_truncated", message, offset=self.reader.size))
        if zeros:
            message = f"{zeros} of {self.expected} chunk offsets are zero: {self._why_missing()}"
            self.findings.append(Finding("error", "chunks_missing", message, offset=self.header.header_bytes))
        if bad or any(finding.code == "chunk_leader_mismatch" for finding in self.findings):
            return "damaged"
        if cut:
            return "truncated"
        return "incomplete" if zeros else "complete"

    def _why_missing(self) -> str:
        if self.exact:
            return "these chunks were never written"
        if ENTRY_BYTES * self.expected > TABLE_BUDGET:
            return "these chunks were never written, or the table was not; it is too long to look for them"
        return "the search for these chunks took too many reads; a copy on disk is searched to its end"

    def _bytes_missing(self, end: int | None, beyond: list[int]) -> int:
        least = beyond[-1] + 1 if beyond else end or 0
        return max(0, least - self.reader.size)

    def _trailing_bytes(self, verdict: str, ordered: list[int], end: int | None) -> int:
        """Bytes after the last chunk; a gap before the first one is reported as well."""
        if verdict != "complete" or not self.exact or end is None:
            return 0
        if ordered[0] > self.table_end:
            message = f"{ordered[0] - self.table_end} bytes lie between the chunk offset table and the first chunk"
            self.findings.append(Finding("warning", "bytes_before_chunks", message, offset=self.table_end))
        trailing = self.reader.size - end
        if trailing:
            message = f"{trailing} bytes follow the last chunk"
            self.findings.append(Finding("warning", "trailing_bytes", message, offset=end))
        return trailing

    def _profiles(self, ordered: list[int], end: int) -> tuple[Profile, ...]:
        if not self.exact or not ordered:
            return ()
        sizes = dict(zip(ordered, [*ordered[1:], max(end, ordered[-1])], strict=True))
        return tuple(
            _profile(run.layout, [sizes.get(offset, offset) - offset for offset in run.offsets])
            for run in self.runs
            if run.layout.compressed
        )


def _most_bytes(layouts: tuple[Layout, ...]) -> int:
    """More bytes than the chunks can take: twice the unpacked size, as what does not shrink is stored; deep data has no bound."""
    total = 2**20
    for part in layouts:
        if part.deep or part.samples is None:
            return 2**63
        pixels = part.window.width * part.window.height * (4 if part.tile else 1)
        total += 2 * pixels * sum(size for size, _, _ in part.samples) + 64 * part.chunks
    return total


def _sample_spans(expected: int) -> list[tuple[int, int]]:
    """Evenly spread runs of table entries, the first and the last entries among them, of two megabytes in all."""
    length = TABLE_BUDGET // 8 // SAMPLE_WINDOWS
    starts = [(expected - length) * step // (SAMPLE_WINDOWS - 1) for step in range(SAMPLE_WINDOWS)]
    spans: list[tuple[int, int]] = []
    for start in starts:
        begin = max(start, spans[-1][1]) if spans else start
        spans.append((begin, start + length))
    return spans


def _cut_by_part(layouts: tuple[Layout, ...], first: int, offsets: list[int]) -> list[_Run]:
    """Splits a run of entries, counted over all parts' tables, into runs of one part each."""
    runs, base, last = [], 0, first + len(offsets)
    for part in layouts:
        begin, end = max(first, base), min(last, base + part.chunks)
        if begin < end:
            runs.append(_Run(part, begin - base, offsets[begin - first : end - first]))
        base += part.chunks
    return runs


def _gaps(run: _Run, present: set[int]) -> list[tuple[int, int]]:
    """Where chunks of a run are not present, as [first, last)."""
    gaps: list[tuple[int, int]] = []
    if present.issuperset(run.offsets):
        return gaps
    for chunk, offset in enumerate(run.offsets, run.first):
        if offset in present:
            continue
        if gaps and gaps[-1][1] == chunk:
            gaps[-1] = (gaps[-1][0], chunk + 1)
        else:
            gaps.append((chunk, chunk + 1))
    return gaps


def _ranges(gaps: Iterable[tuple[Layout, list[tuple[int, int]]]]) -> tuple[tuple[MissingRange, ...], int]:
    """Runs of chunks in image coordinates: at most 256 of them, and how many more there are; a run of tiles may make several."""
    listed: list[MissingRange] = []
    omitted = 0
    for part, runs in gaps:
        for first, last in runs:
            if len(listed) == MAX_RANGES:
                omitted += 1
                continue
            ranges = list(_tile_ranges(part, first, last)) if part.tile else [_line_range(part, first, last)]
            room = MAX_RANGES - len(listed)
            listed += ranges[:room]
            omitted += len(ranges[room:])
    return tuple(listed), omitted


def _line_range(part: Layout, first: int, last: int) -> MissingRange:
    top, bottom = part.area(first), part.area(last - 1)
    return MissingRange(part.part, Window(top.x_min, top.y_min, bottom.x_max, bottom.y_max))


def _tile_ranges(part: Layout, first: int, last: int) -> Iterator[MissingRange]:
    """A run of tiles as blocks: per level the rest of a row, whole rows, the start of a row."""
    for level in part.levels:
        begin, end = max(first, level.first) - level.first, min(last, level.first + level.columns * level.rows) - level.first
        while begin < end:
            row, column = divmod(begin, level.columns)
            rows = (end - begin) // level.columns if column == 0 else 0
            last_column = level.columns - 1 if rows else min(level.columns, column + end - begin) - 1
            last_row = row + max(rows, 1) - 1
            area = tile_area(part, level, column, row, last_column, last_row)
            yield MissingRange(part.part, area, (level.x, level.y), Window(column, row, last_column, last_row))
            begin += (last_column - column + 1) * max(rows, 1)


def _profile(part: Layout, sizes: list[int]) -> Profile:
    digest = hashlib.sha256(",".join(map(str, sizes)).encode()).hexdigest()
    image = sizes[: part.levels[0].columns * part.levels[0].rows] if part.levels else sizes
    return Profile(part.part, _bins(image), sum(sizes), digest)


def _bins(sizes: list[int]) -> tuple[float, ...]:
    """The sizes spread over 32 bins in proportion, in integers until the last division."""
    running = [0, *accumulate(sizes)]
    scale = PROFILE_BINS * running[-1]
    if not scale:
        return (0.0,) * PROFILE_BINS
    sizes = [*sizes, 0]
    marks = [PROFILE_BINS * running[whole] + part * sizes[whole] for whole, part in _edges(len(running) - 1)]
    return tuple([round((after - before) / scale, 6) for before, after in pairwise(marks)])


@lru_cache(maxsize=256)
def _edges(count: int) -> list[tuple[int, int]]:
    """Where the bins of so many sizes begin and end: whole sizes before it, and parts of the next one."""
    return [divmod(edge * count, PROFILE_BINS) for edge in range(PROFILE_BINS + 1)]
