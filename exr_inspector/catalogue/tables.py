"""An answer as a table that fits its terminal.

What all rows share is said once above them; paths are shown below the folder that they share; rows that differ in their frame
alone become one with a range. What still does not fit is left out by name, the last columns first; a single row becomes a record.
`--wide` shows every column in full, and programs get the answer itself.
"""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, TextIO

from exr_inspector.catalogue import places, units
from exr_inspector.terminal import on_one_line

if TYPE_CHECKING:
    from rich.text import Text

UNSEEN_WIDTH = 110
"""Columns where there is no terminal and COLUMNS is not set: a pipe, a page."""
GAP = 2
INDENT = "  "
NARROWEST_TEXT = 24
"""Columns that sentences may be wrapped to."""
NARROWEST_PATH = 34
"""Columns that paths may be shortened to, so that what was asked for has room."""
STYLES = {
    "ok": "green", "PASS": "green", "complete": "green",
    "incomplete": "yellow", "truncated": "yellow", "WARN": "yellow",
    "unreadable": "red", "damaged": "red", "FAIL": "red",
}  # fmt: skip
Row = Mapping[str, Any]
_PAIRS = (("first_", "last_"), ("min_", "max_"), ("fewest_", "most_"))
_SAME_AS = "same_as_frame"
_EXTREME = "worst_"
"""Before the name of what is one of many that a row counts: its path is not what the row is about."""
_SUFFIXES = {"_name": "", "_number": "", "_count": "s", "_bytes": "", "_mb": "", "_seconds": " time", "_hours": " time"}
_TITLES = {
    "file_path": "file", "sequence_key": "sequence", "multipart_count": "parts", "value_text": "value",
    "missing_count": "how many", "seconds_a_frame": "time a frame", "measured_count": "measured", "sampled_count": "sampled",
    "nan_count": "NaN", "sample_bytes": "uncompressed",
}  # fmt: skip

_DIGEST = re.compile(r"[0-9a-f]{32,}")
_PLACES = ("show_name", "sequence_name", "shot_name")


@dataclass(frozen=True, slots=True)
class Look:
    """How an answer is to look: every column in full, or these alone."""

    wide: bool = False
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """A column as it is shown."""

    name: str
    title: str
    cells: tuple[str, ...]
    is_numeric: bool = False
    is_kept: bool = False
    """Whether other columns go before it."""

    @property
    def is_prose(self) -> bool:
        """Whether its cells may be wrapped between words."""
        return not self.is_numeric and any(cell.count(" ") > 2 for cell in self.cells)

    @property
    def is_path(self) -> bool:
        """Whether its cells are paths, which may be shortened in the middle."""
        return not self.is_numeric and any(cell.count("/") > 1 for cell in self.cells) and not self.is_prose

    @property
    def least_width(self) -> int:
        """What it needs at least."""
        narrowest = NARROWEST_TEXT if self.is_prose else NARROWEST_PATH if self.is_path else self.width
        return min(self.width, narrowest)

    @property
    def is_digest(self) -> bool:
        """Whether its cells are hashes or ids, which say nothing to a reader."""
        return bool(self.cells) and all(_DIGEST.fullmatch(cell) for cell in self.cells)

    @property
    def width(self) -> int:
        """Of the longest cell, and of the title's longest word."""
        return max(map(_width, (*self.cells, *self.title.split())), default=0)


@dataclass(frozen=True, slots=True)
class Table:
    """What is shown: the folder of all paths and what else all rows share, the columns, the names of those that did not fit."""

    folder: str
    heading: str
    columns: tuple[ShownColumn, ...]
    left_out: tuple[str, ...] = ()
    rows: int = 0
    groups: tuple[str, ...] = ()
    """Of each row, what stands on a line of its own above the rows that share it."""

    @property
    def is_grouped(self) -> bool:
        """Whether several rows one after the other are about the same thing, which the first column says."""
        return len(self.columns) > 2 and 3 * sum(1 for _ in groupby(self.columns[0].cells)) <= 2 * self.rows

    def without(self, column: ShownColumn) -> Table:
        """The table without a column."""
        kept = tuple(one for one in self.columns if one is not column)
        return replace(self, columns=kept, left_out=(column.name, *self.left_out))


def show(rows: Sequence[Row], file: TextIO, title: str = "", look: Look | None = None) -> None:
    """Write an answer for people."""
    from rich.console import Console
    from rich.text import Text

    width = width_of(file)
    console = Console(file=file, width=max(width, 10_000), highlight=False, soft_wrap=True)
    if title:
        console.print(
            "\n".join(textwrap.wrap(on_one_line(title), width, break_long_words=False, break_on_hyphens=False)),
            style="bold",
            markup=False,
        )
    for line in lines(rows, width, look or Look()):
        console.print(line if isinstance(line, Text) else Text(line))


def width_of(file: TextIO) -> int:
    """The columns of a terminal; of what is none, those of COLUMNS, or UNSEEN_WIDTH."""
    return shutil.get_terminal_size((UNSEEN_WIDTH, 24)).columns if file.isatty() else _unseen_width()


def _unseen_width() -> int:
    import os

    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and int(columns) else UNSEEN_WIDTH


def lines(rows: Sequence[Row], width: int, look: Look) -> Iterator[Text | str]:
    """The answer in lines of at most `width` columns, unless it is to be wide."""
    if not rows:
        return
    chosen = [_choose(row, look.columns) for row in rows] if look.columns else list(rows)
    if look.wide:
        yield from _lay_out(_plain(chosen), None)
        return
    table = table_of(chosen, shorten=not look.columns)
    if table.folder:
        yield f"in {places.shorten(places.from_here(table.folder), width - len('in '))}"
    if table.heading:
        yield from textwrap.wrap(table.heading, width, break_long_words=False, break_on_hyphens=False)
    fitting = fit(table, width)
    if fitting.left_out and table.rows == 1:
        yield from _record(table, width)
        return
    if fitting.left_out and table.is_grouped:
        fitting = fit(replace(table, columns=table.columns[1:], groups=table.columns[0].cells), width - len(INDENT))
    yield from _lay_out(fitting, width)
    if fitting.left_out:
        yield from textwrap.wrap(f"not shown: {', '.join(fitting.left_out)} (--wide, --columns)", width)


def _choose(row: Row, names: Sequence[str]) -> Row:
    return {name: row[name] for name in names}


def _plain(rows: Sequence[Row]) -> Table:
    """Every column with its values as they are stored."""
    columns = tuple(
        ShownColumn(name, name, tuple(_cell(row[name]) for row in rows), _is_numeric(row[name] for row in rows))
        for name in rows[0]
    )
    return Table("", "", columns, rows=len(rows))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else on_one_line(units.as_read("", value) if hasattr(value, "isoformat") else str(value))


def _is_numeric(values: Any) -> bool:
    return all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values)


def table_of(rows: Sequence[Row], *, shorten: bool = True) -> Table:
    """The rows as a table without what they share."""
    state = _Reading([dict(row) for row in rows])
    state.unite_pairs()
    state.shorten_paths()
    if shorten:
        state.say_constants()
    return state.table()


@dataclass(slots=True)
class _Reading:
    """Rows on their way to a table; each step takes out what need not be said in every row."""

    rows: list[dict[str, Any]]
    heading: list[str] = field(default_factory=list)
    folder: str = ""
    frames: list[set[int]] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)

    def unite_pairs(self) -> None:
        """The first and the last of something are a range; a frame and the one it equals are two frames."""
        for first, last in _PAIRS:
            for name in [name for name in self.rows[0] if name.startswith(first)]:
                what = name.removeprefix(first)
                if last + what in self.rows[0]:
                    self._unite(name, last + what, what)
        for name in [name for name in self.rows[0] if name.endswith("_present")]:
            self._unite_share(name, f"{name.removesuffix('_present')}_expected")
        if "frame_number" in self.rows[0]:
            for row in self.rows:
                numbers = {row.pop("frame_number"), row.pop(_SAME_AS, None)} - {None}
                self.frames.append(numbers)

    def _unite(self, first: str, last: str, what: str) -> None:
        plural = "" if what.endswith("s") or what == "missing" else "s"
        title = (what + plural).replace("_", " ")
        self.titles[first] = "range" if title in map(_title, self.rows[0]) else title
        for row in self.rows:
            low, high = row[first], row.pop(last)
            shown = [units.as_read(first, value) for value in dict.fromkeys((low, high))]
            row[first] = None if low is None else "-".join(shown)

    def _unite_share(self, present: str, expected: str) -> None:
        """`45 of 68`, where both are known."""
        if expected in self.rows[0]:
            self.titles[present] = present.removesuffix("_present").replace("_", " ")
            for row in self.rows:
                there, whole = row[present], row.pop(expected)
                row[present] = None if there is None and whole is None else f"{_or_unknown(there)} of {_or_unknown(whole)}"

    def shorten_paths(self) -> None:
        """Paths below the folder that they share; without columns that the first path says already."""
        names = [name for name in self.rows[0] if self._are_paths(name) and not name.startswith(_EXTREME)]
        if not names:
            return
        self._take_frames(names)
        subject, *others = names
        common = places.common_folder(path for name in names for row in self.rows if (path := row[name]))
        self._drop_said(subject, others)
        below = {row[subject] and places.file(row[subject]).below(common) for row in self.rows}
        if "." in below and len(below) > 1:
            common = common.rpartition("/")[0]  # a file is called by its folder where its name says no more
        if any(
            places.is_version(places.file(path).below(common)) for name in names for row in self.rows if (path := row.get(name))
        ):
            common = common.rpartition("/")[0]  # v003 alone does not say of what
        self.folder = common
        for name in names:
            for row in self.rows:
                if row.get(name):
                    row[name] = places.file(row[name]).below(common)
        self._put_first(subject)

    def _are_paths(self, name: str) -> bool:
        values = [row[name] for row in self.rows if row[name] is not None]
        return bool(values) and all(map(places.is_path, values))

    def _take_frames(self, names: Sequence[str]) -> None:
        """The frames of the files, where no column has them."""
        if self.frames or "first_frame" in self.rows[0]:
            return
        numbers = [places.file(row[name]).frame if row[name] else None for row in self.rows for name in names[:1]]
        if any(number is not None for number in numbers):
            self.frames = [set() if number is None else {number} for number in numbers]

    def _drop_said(self, subject: str, others: Sequence[str]) -> None:
        paths = [row[subject] for row in self.rows]
        if None in paths:
            return
        said = [name for name in _PLACES if name in self.rows[0] and places.said_by(paths, [row[name] for row in self.rows])]
        keys = [places.file(path).below("") for path in paths]
        said += [name for name in others if keys == [row[name] and places.file(row[name]).below("") for row in self.rows]]
        for row in self.rows:
            for name in said:
                row.pop(name)

    def _put_first(self, name: str) -> None:
        self.rows = [{name: row[name], **row} for row in self.rows]

    def say_constants(self) -> None:
        """What is the same in all rows, or in none, does not get a column."""
        for name in list(self.rows[0]):
            values = [row[name] for row in self.rows]
            is_place = name in self.rows[0] and values[0] == "."
            if all(value is None for value in values) or (is_place and len(set(values)) == 1):
                self._take_out(name)
            elif len(self.rows) > 1 and (self.frames or len(self.rows[0]) > 1) and all(value == values[0] for value in values):
                cell = units.as_read(name, values[0])
                if len(cell) <= 60:
                    self._take_out(name)
                    title = self.titles.get(name) or _title(name)
                    self.heading.append(f"{title} {cell}" if cell else f"no {title}")

    def _take_out(self, name: str) -> None:
        for row in self.rows:
            del row[name]

    def table(self) -> Table:
        """The columns, rows that differ in their frame alone made one."""
        names = list(self.rows[0])
        cells = [tuple(on_one_line(units.as_read(name, row[name])) for name in names) for row in self.rows]
        if self.frames:
            cells, merged = _merge(cells, self.frames)
        columns = [
            ShownColumn(
                name, self.titles.get(name) or _title(name), tuple(row[at] for row in cells),
                _is_numeric(row[name] for row in self.rows), at == 0 or name == "status",
            )
            for at, name in enumerate(names)
        ]  # fmt: skip
        if self.frames:
            frames = tuple(units.frames(numbers) if numbers else "" for numbers in merged)
            where = 1 if names and names[0] in self._subjects(names) else 0
            columns.insert(where, ShownColumn("frame_number", "frames", frames, is_numeric=False, is_kept=True))
        heading = ", ".join(map(on_one_line, self.heading))
        return Table(on_one_line(self.folder), heading, tuple(columns), rows=len(cells))

    def _subjects(self, names: Sequence[str]) -> Sequence[str]:
        return [name for name in names if name.endswith(("path", "key", "sequence_or_file", "_file"))]


def _or_unknown(value: Any) -> str:
    return "?" if value is None else str(value)


def _merge(cells: Sequence[tuple[str, ...]], frames: Sequence[set[int]]) -> tuple[list[tuple[str, ...]], list[set[int]]]:
    """Rows that are equal but for their frames, made one in the place of the first."""
    merged: dict[tuple[str, ...], set[int]] = {}
    for row, numbers in zip(cells, frames, strict=True):
        merged.setdefault(row, set()).update(numbers)
    return list(merged), list(merged.values())


def _title(name: str) -> str:
    if name in _TITLES:
        return _TITLES[name]
    ending = next((ending for ending in _SUFFIXES if name.endswith(ending)), "")
    return (name.removesuffix(ending) + _SUFFIXES.get(ending, "")).replace("_", " ")


def fit(table: Table, width: int) -> Table:
    """The table without what does not fit: hashes go first, then the last columns. Prose may be wrapped."""
    while _least_width(table.columns) > width:
        digests = [column for column in table.columns if column.is_digest]
        droppable = digests or [column for column in table.columns if not column.is_kept] or table.columns[1:]
        if not droppable:
            break
        table = table.without(droppable[-1])
    return table


def _least_width(columns: Sequence[ShownColumn]) -> int:
    return sum(column.least_width for column in columns) + GAP * max(0, len(columns) - 1)


def _widths(columns: Sequence[ShownColumn], width: int | None) -> list[int]:
    """Of each column; those of sentences share what the others leave."""
    widths = [column.width for column in columns]
    if width is None:
        return [max(own, _width(column.title)) for own, column in zip(widths, columns, strict=True)]
    over = sum(widths) + GAP * (len(widths) - 1) - width
    for at in sorted(range(len(columns)), key=lambda at: -widths[at]):
        if over > 0:
            taken = min(over, widths[at] - columns[at].least_width)
            widths[at], over = widths[at] - taken, over - taken
    if len(columns) == 1:
        widths[0] = min(widths[0], width)
    return widths


def _lay_out(table: Table, width: int | None) -> Iterator[Text]:
    from rich.text import Text

    indent = INDENT if table.groups else ""
    widths = _widths(table.columns, width and width - len(indent))
    titles = [textwrap.wrap(column.title, own) or [""] for column, own in zip(table.columns, widths, strict=True)]
    yield Text()
    for parts in _lines_of(titles, at_bottom=True):
        yield Text(indent) + _join(parts, table.columns, widths, "bold")
    yield Text(indent + (" " * GAP).join("─" * own for own in widths))
    for at in range(table.rows):
        if table.groups and (not at or table.groups[at] != table.groups[at - 1]):
            yield Text(table.groups[at])
        cells = [_wrap(column.cells[at], own) for column, own in zip(table.columns, widths, strict=True)]
        for parts in _lines_of(cells):
            yield Text(indent) + _join(parts, table.columns, widths)


def _wrap(cell: str, width: int) -> list[str]:
    if _width(cell) <= width:
        return [cell]
    if " " in cell:
        return textwrap.wrap(cell, width, break_on_hyphens=False, break_long_words=False)
    return [places.shorten(cell, width)]


def _lines_of(cells: Sequence[Sequence[str]], *, at_bottom: bool = False) -> Iterator[list[str]]:
    """The lines of a row whose cells have several."""
    height = max(map(len, cells), default=0)
    filled = [[*[""] * (height - len(one)), *one] if at_bottom else [*one, *[""] * (height - len(one))] for one in cells]
    for at in range(height):
        yield [one[at] for one in filled]


def _join(parts: Sequence[str], columns: Sequence[ShownColumn], widths: Sequence[int], style: str = "") -> Text:
    from rich.text import Text

    line = Text()
    for at, (part, column, width) in enumerate(zip(parts, columns, widths, strict=True)):
        blanks = " " * (width - _width(part))
        line.append(" " * GAP * (at > 0))
        line.append(blanks + part if column.is_numeric else part + blanks, style or STYLES.get(part.strip(), ""))
    line.rstrip()
    return line


def _record(table: Table, width: int) -> Iterator[Text]:
    """One row, a line for each column."""
    from rich.text import Text

    yield Text()
    margin = max(len(column.title) for column in table.columns) + GAP
    for column in table.columns:
        first, *more = textwrap.wrap(column.cells[0], max(NARROWEST_TEXT, width - margin), break_on_hyphens=False) or [""]
        yield Text(column.title.ljust(margin)) + Text(first, STYLES.get(first, ""))
        yield from (Text(" " * margin + line) for line in more)


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)
