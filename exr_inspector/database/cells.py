"""Values of a payload, checked and converted to what a column holds; refusals name the field, what was expected and what came."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from types import NoneType
from typing import Any, NamedTuple

import vast_schemas
from exr_inspector.errors import BadPayload
from vast_schemas import MAX_CELL_BYTES, TABLES, Column

NOT_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_HEAD_CHARACTERS = 200
_SEARCHED_DEPTH = 17
# At most four bytes of UTF-8 per character, six where a lone surrogate is spelled out.
_SURELY_FITS = MAX_CELL_BYTES // 6
# Parts of a payload that differ between two inspections of the same bytes.
_VOLATILE = ("persistence", "timings_ms")


class _Unfit(ValueError):
    """The value does not fit; the argument says what was expected."""


# Made once: `json.dumps` makes an encoder for every call with options. A circle ends as too many levels do.
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False).encode


def columns_from(table: str, entries: Sequence[Mapping[str, Any]], place: str) -> list[dict[str, Any]]:
    """The columns of a table that have their values in payload entries as they are, each checked; `place` names the list."""
    if len(entries) > 1:
        names, keys = _NAMES[table]
        with suppress(_Unfit):  # which entry is the first, and why, is found one by one
            values = zip(*[map(entry.get, keys) for entry in entries], strict=True)
            columns = map(_convert_column, _SOURCED[table], values)
            return [dict(zip(names, row)) for row in zip(*columns)]  # noqa: B905 - of one length; asking costs a third more
    return [columns_of(table, entry, f"{place}[{index}]") for index, entry in enumerate(entries)]


def columns_of(table: str, entry: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The same of one entry, which `place` names."""
    row: dict[str, Any] = {}
    get = entry.get
    for name, source, convert, required, blank in _SOURCED[table]:
        value = get(source)
        if value is None and not required:
            row[name] = None
            continue
        try:
            if required and (value is None or (value == "" and not blank)):
                raise _Unfit(required)
            row[name] = convert(value)
        except _Unfit as unfit:
            raise BadPayload(f"{place}.{source}", str(unfit), value) from None
    return row


def _convert_column(source: _Source, values: Sequence[Any]) -> Sequence[Any]:
    """The same of one column: at once where all values can stay as they are, which is nearly always."""
    _, _, convert, required, blank = source
    kinds = set(map(type, values))
    present = values if NoneType not in kinds else [value for value in values if value is not None]
    if required and (len(present) < len(values) or (not blank and "" in present)):
        raise _Unfit(required)
    kind, fit = _AT_ONCE.get(convert, (None, all))
    if not present or (kinds - {NoneType} == {kind} and fit(present)):
        return values
    return [None if value is None else convert(value) for value in values]


def computed_columns(table: str, values: Mapping[str, tuple[Any, str]]) -> dict[str, Any]:
    """Columns that are not in one entry as they are: (value, the field of the payload that it comes from) by name; checked."""
    converters = _COMPUTED[table]
    return {name: None if value is None else _check(converters[name], value, field) for name, (value, field) in values.items()}


def typed_values(values: Iterable[tuple[Any, str]]) -> list[dict[str, Any]]:
    """Each attribute's value, given with its type, in the column of its kind, so that SQL can compare it without parsing JSON."""
    return [_typed_value(value, attr_type) for value, attr_type in values]


def _typed_value(value: Any, attr_type: str) -> dict[str, Any]:
    if isinstance(value, str):
        if attr_type in ("float", "double") and value in NOT_NUMBERS:
            return {"value_float": NOT_NUMBERS[value]}
        return {"value_text": cell(value)}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {}
    if isinstance(value, int):
        fits = -(2**63) <= value < 2**63
        return {"value_int": value if fits else None, "value_float": _float_of(value)}
    return {"value_float": value}


def _float_of(value: int) -> float | None:
    """The nearest float; None beyond the largest one, of 309 digits."""
    try:
        return float(value)
    except OverflowError:
        return None


def checked_text(value: Any, field: str) -> str | None:
    """A text that fits into a cell."""
    return None if value is None else _check(_text, value, field)


def _check(convert: Callable[[Any], Any], value: Any, field: str) -> Any:
    try:
        return convert(value)
    except _Unfit as unfit:
        raise BadPayload(field, str(unfit), value) from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Unfit("a text")
    return value if len(value) <= _SURELY_FITS and value.isascii() else cell(value)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Unfit("an integer")
    if not -(2**63) <= value < 2**63:
        raise _Unfit("an integer of 64 bits")
    return value


def _small(value: Any) -> int:
    number = _integer(value)
    if not -(2**31) <= number < 2**31:
        raise _Unfit("an integer of 32 bits")
    return number


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Unfit("true or false")
    return value


def _real(value: Any) -> float:
    if isinstance(value, str) and value in NOT_NUMBERS:
        return NOT_NUMBERS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit("a number")
    try:
        return float(value)
    except OverflowError:
        raise _Unfit("a number of 64 bits") from None


def _time(value: Any) -> datetime:
    """An ISO 8601 time as naive UTC, which is how the tables store it; a time without zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (TypeError, ValueError, OverflowError):
        raise _Unfit("an ISO 8601 time") from None


def _json(value: Any) -> str:
    try:
        return cell(_compact(value))
    except (TypeError, ValueError, RecursionError):
        raise _Unfit("a JSON value") from None


_CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    vast_schemas.TEXT: _text,
    vast_schemas.INT: _integer,
    vast_schemas.SMALL: _small,
    vast_schemas.FLAG: _flag,
    vast_schemas.REAL: _real,
    vast_schemas.TIME: _time,
}


def _are_short(texts: Sequence[str]) -> bool:
    text = "".join(texts)
    return len(text) <= _SURELY_FITS and text.isascii()


def _have_bits(bits: int, numbers: Sequence[int]) -> bool:
    return -(1 << bits - 1) <= min(numbers) and max(numbers) < 1 << bits - 1


# Converter -> the type of values that it leaves as they are, where all of them meet a condition.
_AT_ONCE: dict[Callable[[Any], Any], tuple[type | None, Callable[[Sequence[Any]], bool]]] = {
    _text: (str, _are_short),
    _integer: (int, partial(_have_bits, 64)),
    _small: (int, partial(_have_bits, 32)),
    _flag: (bool, bool),
    _real: (float, bool),
}
_EXPECTED = {vast_schemas.TEXT: "a text", vast_schemas.SMALL: "an integer"}


class _Source(NamedTuple):
    """Column name, key in the entry, converter, what is expected where the value must be there, and whether it may be empty."""

    name: str
    key: str
    convert: Callable[[Any], Any]
    required: str | None
    blank: bool


def _source_of(column: Column) -> _Source:
    convert = _json if column.json else _CONVERTERS[column.type]
    return _Source(column.name, str(column.source), convert, _EXPECTED[column.type] if column.required else None, column.blank)


_SOURCED = {name: tuple(_source_of(column) for column in table.columns if column.source) for name, table in TABLES.items()}
_COMPUTED = {
    name: {column.name: _CONVERTERS[column.type] for column in table.columns if column.type in _CONVERTERS}
    for name, table in TABLES.items()
}
_NAMES = {name: ([one.name for one in sources], [one.key for one in sources]) for name, sources in _SOURCED.items()}


def cell(text: str) -> str:
    """A text that fits into a cell: encodable as UTF-8, and the digest of itself where it is too long."""
    if text.isascii() and len(text) <= _SURELY_FITS:
        return text
    data = text.encode("utf-8", "backslashreplace")  # lone surrogates stand for bytes of a file name that are not UTF-8
    if len(data) <= MAX_CELL_BYTES:
        return data.decode("utf-8")
    return json.dumps(digest_of(data, text[:_HEAD_CHARACTERS]), separators=(",", ":"))


def digest_of(data: bytes, head: str) -> dict[str, Any]:
    """What stands for a value that is too large to store: its size, its SHA-256 and how it begins."""
    return {"omitted": True, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "head": head}


def compact_json(value: Any, field: str) -> str:
    """Compact JSON. Raises BadPayload for what JSON cannot carry."""
    try:
        return _compact(value)
    except (TypeError, ValueError, RecursionError):
        raise BadPayload(*_unfit_part(value, field)) from None


def _unfit_part(value: Any, field: str) -> tuple[str, str, Any]:
    """What BadPayload says of a value that JSON cannot carry: the field, found some levels down, what was expected, what came."""
    for _ in range(_SEARCHED_DEPTH):
        entries: Iterable[tuple[Any, Any]] = ()
        if isinstance(value, Mapping):
            entries = ((f"{field}.{key}", member) for key, member in value.items() if isinstance(key, str))
        elif isinstance(value, list | tuple):
            entries = ((f"{field}[{index}]", member) for index, member in enumerate(value))
        unfit = next(((place, member) for place, member in entries if not _is_json(member)), None)
        if unfit is None:
            break
        field, value = unfit
    return field.removeprefix("payload."), "a JSON value", value


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def raw_output(payload: Mapping[str, Any]) -> str:
    """The payload as JSON text for one cell, without what differs between inspections of the same bytes.

    Where it is too long, the largest attribute values are replaced by their digests, then whole sections, until it fits.
    """
    lasting = {key: value for key, value in payload.items() if key not in _VOLATILE}
    whole = compact_json(lasting, "payload")
    if _size(whole) <= MAX_CELL_BYTES:
        return cell(whole)
    texts = {key: compact_json(value, f"payload.{key}") for key, value in lasting.items()}
    if (excess := _excess(texts)) > 0:
        texts["attributes"] = compact_json(_shrink_attributes(payload.get("attributes") or {}, excess), "payload.attributes")
    if (excess := _excess(texts)) > 0:
        _shrink_sections(texts, excess)
    return cell(_join(texts))


def _join(texts: Mapping[str, str]) -> str:
    """The JSON object of these members."""
    return "{" + ",".join(f"{compact_json(key, key)}:{text}" for key, text in texts.items()) + "}"


def _excess(texts: Mapping[str, str]) -> int:
    return _size(_join(texts)) - MAX_CELL_BYTES


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "backslashreplace"))


def _digest_text(text: str) -> dict[str, Any]:
    return digest_of(text.encode("utf-8", "backslashreplace"), text[:_HEAD_CHARACTERS])


def _shrink_attributes(attributes: dict[str, Any], excess: int) -> dict[str, Any]:
    """Digest attribute values, the largest first, until `excess` bytes are saved."""
    parts = [[dict(entry) for entry in part] for part in attributes.get("parts", [])]
    texts = (
        (compact_json(entry[key], key), part, index, key) for part, entries in enumerate(parts)
        for index, entry in enumerate(entries) for key in ("value", "raw_base64") if _may_be_long(entry.get(key))
    )  # fmt: skip
    heavy = sorted(((_size(text), part, index, key, text) for text, part, index, key in texts), reverse=True)
    for size, part, index, key, text in heavy:
        replacement = _digest_text(text)
        saved = size - _size(compact_json(replacement, key))
        if excess <= 0 or saved <= 0:
            break
        parts[part][index][key] = replacement
        excess -= saved
    return {**attributes, "parts": parts}


def _may_be_long(value: Any) -> bool:
    """Whether a value can be longer than a digest, which takes a hundred characters at least."""
    return isinstance(value, dict | list) or (isinstance(value, str) and len(value) > 16)


def _shrink_sections(texts: dict[str, str], excess: int) -> None:
    """Digest whole sections, the largest first, until `excess` bytes are saved. `file` stays."""
    sizes = {key: _size(text) for key, text in texts.items() if key != "file"}
    for key in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if excess <= 0:
            break
        texts[key] = compact_json(_digest_text(texts[key]), key)
        excess -= sizes[key] - _size(texts[key])
