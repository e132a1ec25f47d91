"""Rows and values: row ids, and what comes back of what was stored."""

from __future__ import annotations

import math
import struct
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from exr_inspector.database.session import ROW_ID
from exr_inspector.operations.assumptions.bench import (
    INDEXED,
    PLAIN,
    SAID,
    TESTED,
    UNKNOWN,
    Bench,
    area,
    expect,
    numbers,
    set_number,
)

TRIALS, assumption = area("Rows and values")
CELL = 126_000
INSERT = 4_500_000
# Smallest denormal, largest finite, negative zero, a third.
FLOATS = [math.ldexp(1.0, -149), 3.4028234663852886e38, -0.0, struct.unpack("<f", struct.pack("<f", 1 / 3))[0]]
TIMES = [datetime(2026, 5, 7, 16, 2, 44, 219831), datetime(1969, 12, 31, 23, 59, 59, 999999)]  # noqa: DTZ001 - stored without zone
TEXTS = ["", "it's", 'a "b"', "back\\slash", "100%_", "größe", "日本語", "🎬", "two\nlines", " blank "]


def back(bench: Bench, column: str, values: list[Any], table: str = PLAIN) -> list[Any]:
    """What a column holds of values that were stored in rows of their own."""
    keys = [bench.key() for _ in values]
    bench.put(*({"id": key, column: value} for key, value in zip(keys, values, strict=True)), table=table)
    rows = {row["id"]: row[column] for row in bench.get(*keys, table=table)}
    return [rows.get(key) for key in keys]


def bits(values: list[float]) -> list[bytes]:
    """The bytes of doubles, which tell -0.0 from 0.0 and one NaN from a number."""
    return [struct.pack("<d", value) for value in values]


@assumption("vastdb's docs: `$row_id` is the row's", TESTED, "Repairs after races would remove the wrong row.")
def row_ids_stay(bench: Bench) -> str:
    """The `$row_id` of a row is its own, and the same in every transaction, after an update as well."""
    key, other = bench.key(), bench.key()
    bench.put({"id": key, "number": 1}, {"id": other, "number": 2})
    first = [row[ROW_ID] for row in bench.get(key, other)]
    with bench.transaction() as one:
        set_number(one.work, bench.get(key)[0], 7)
        one.commit()
    again = [row[ROW_ID] for row in bench.get(key, other, second=True)]
    expect(len(set(first)) == 2 and first == again, f"{first}, then {again}.")
    return f"{first} before and after an update."


@assumption("vastdb's Table.update", TESTED, "Audit fields of a file that is inspected again.")
def updates_set_what_they_name(bench: Bench) -> str:
    """An update by `$row_id` sets the columns that it names, of that row alone."""
    key, other = bench.key(), bench.key()
    bench.put({"id": key, "number": 1, "real": 0.5}, {"id": other, "number": 2, "real": 0.25})
    with bench.transaction() as one:
        set_number(one.work, bench.get(key)[0], 7)
        one.commit()
    seen = [(row["id"], row["number"], row["real"]) for row in bench.get(key, other)]
    expect(sorted(seen) == sorted([(key, 7, 0.5), (other, 2, 0.25)]), f"the rows are {seen}.")
    return "that column of that row."


@assumption("vastdb's Table.delete", TESTED, "Rows of parts and statistics that are replaced.")
def deletes_take_what_they_name(bench: Bench) -> str:
    """A delete by `$row_id` takes that row alone."""
    key = bench.key()
    bench.put({"id": key, "number": 1}, {"id": key, "number": 2})
    first, second = bench.get(key)
    with bench.transaction() as one:
        one.work.delete(PLAIN, [first[ROW_ID]])
        one.commit()
    seen = numbers(bench.get(key))
    expect(seen == [second["number"]], f"left are {seen}.")
    return "that row."


@assumption("Table._is_vector_indexed of vastdb 2.1", TESTED, "Every update and delete in `files`.")
def row_ids_have_the_types_of_the_client(bench: Bench) -> str:
    """`$row_id` is decimal128 in a table with a vector index and uint64 in others."""
    key = bench.key()
    bench.put({"id": key})
    bench.put({"id": key, "vector": [0.0] * 4}, table=INDEXED)
    plain, indexed = bench.get(key)[0][ROW_ID], bench.get(key, table=INDEXED)[0][ROW_ID]
    wanted = Decimal if bench.version >= (5, 5) else int
    expect(isinstance(plain, int) and isinstance(indexed, wanted), f"{type(plain).__name__} and {type(indexed).__name__}.")
    return f"{type(plain).__name__} and {type(indexed).__name__}."


@assumption("The 5.5 release notes: 126 KB before, 5 MB from 5.5 on", SAID, "Payloads of large headers would be refused.")
def cells_hold_126_kb(bench: Bench) -> str:
    """A cell of 126,000 bytes is stored and comes back."""
    text = bench.key() + "x" * (CELL - 10)
    bench.put({"id": text})
    seen = len(bench.get(text))
    expect(seen == 1, f"{seen} rows with that text.")
    return f"{len(text):,} bytes."


@assumption("5 MiB less 2 % in vastdb", TESTED, "Batches of backfill.")
def inserts_hold_five_megabytes(bench: Bench) -> str:
    """One insert of 4.5 MB is accepted."""
    many = INSERT // 10_000
    key = bench.key()
    bench.put(*({"id": f"{key}-{number}-" + "y" * 9_990, "number": number} for number in range(many)))
    last = bench.get(f"{key}-{many - 1}-" + "y" * 9_990)
    expect(numbers(last) == [many - 1], f"the last row is {numbers(last)}.")
    return f"{many} rows of 10,000 bytes."


@assumption("vastdb's test_fixed_list", TESTED, "Distances, and the check that vectors are what the payload gives.")
def vectors_are_kept_bit_for_bit(bench: Bench) -> str:
    """float32 elements of a fixed_size_list come back with the same bits, denormals and the sign of zero included."""
    (seen,) = back(bench, "vector", [FLOATS])
    expect(seen is not None and bits(seen) == bits(FLOATS), f"{FLOATS} came back as {seen}.")
    return "the same bits."


@assumption("vastdb's test_fixed_list: the column may be null", TESTED, "Files that cannot be read have no vector.")
def vectors_may_be_null(bench: Bench) -> str:
    """A vector column takes NULL, with an index as well."""
    seen = [*back(bench, "vector", [None]), *back(bench, "vector", [None], table=INDEXED)]
    expect(seen == [None, None], f"{seen}.")
    return "NULL in both tables."


@assumption("Not public", UNKNOWN, "Pixel statistics of images with NaN or infinity.")
def doubles_may_be_nan_or_infinite(bench: Bench) -> str:
    """NaN, both infinities and -0.0 in doubles come back."""
    wanted = [math.nan, math.inf, -math.inf, -0.0]
    seen = back(bench, "real", wanted)
    same = None not in seen and bits(seen[1:]) == bits(wanted[1:]) and math.isnan(seen[0])
    expect(same, f"{wanted} came back as {seen}.")
    return "all four."


@assumption("docs/types.md of vastdb", TESTED, "Times of files, and with them which version is current.")
def times_have_microseconds_and_no_zone(bench: Bench) -> str:
    """Timestamps without a zone come back with their microseconds, before 1970 as well."""
    seen = back(bench, "at", list(TIMES))
    expect(seen == TIMES, f"{TIMES} came back as {seen}.")
    return "the same times."


@assumption("docs/types.md of vastdb", TESTED, "Sizes, counts and numbers of frames.")
def whole_numbers_have_63_bits(bench: Bench) -> str:
    """The smallest and the largest int64 come back."""
    wanted = [-(2**63), 2**63 - 1, 0]
    seen = back(bench, "number", list(wanted))
    expect(seen == wanted, f"{wanted} came back as {seen}.")
    return "both, and 0."


@assumption("SQL's NULL in vastdb's tests of predicates", TESTED, "Absent stays unknown: reports would count 0 and false.")
def null_is_neither_zero_nor_empty(bench: Bench) -> str:
    """NULL, false, 0 and the empty text stay apart."""
    key = bench.key()
    bench.put({"id": key}, {"id": key, "number": 0, "real": 0.0, "flag": False})
    seen = [[row[name] for name in ("number", "real", "flag")] for row in bench.get(key)]
    expect(seen == [[None] * 3, [0, 0.0, False]], f"{seen}.")
    return "NULL beside 0 and false."


@assumption("docs/types.md of vastdb: utf8", TESTED, "Names of files and layers, and look-ups by them.")
def texts_come_back_and_are_found(bench: Bench) -> str:
    """Texts with quotes, backslashes, line breaks, and of any script come back and are found by equality."""
    mark = bench.key()
    bench.put(*({"id": f"{mark}{text}", "number": number} for number, text in enumerate(TEXTS)))
    ids = [numbers(bench.get(f"{mark}{text}")) for text in TEXTS]
    wrong = [text for number, text in enumerate(TEXTS) if ids[number] != [number]]
    expect(not wrong, f"not ids, or others: {wrong}.")
    return f"{len(TEXTS)} texts, each by itself."


@assumption("vastdb's splitting of record batches", TESTED, "Every insert.")
def columns_keep_their_types(bench: Bench) -> str:
    """A new table has the types that it was made with."""
    stored: pa.Schema = bench.loaded[PLAIN].arrow_schema
    seen = {field.name: str(field.type) for field in stored}
    wanted = {"id": "string", "number": "int64", "real": "double", "flag": "bool", "at": "timestamp[us]"}
    expect({name: seen.get(name) for name in wanted} == wanted, f"{seen}.")
    return ", ".join(f"{name} {kind}" for name, kind in seen.items()) + "."
