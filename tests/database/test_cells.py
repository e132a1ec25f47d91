"""Values of many payload entries, checked a column at a time, become what each entry gives by itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector.database.cells import columns_from, columns_of
from exr_inspector.errors import BadPayload
from sample_payloads import complete_payload
from vast_schemas import MAX_CELL_BYTES, TABLES, Column

ENTRIES = {
    "channels": complete_payload("/cells.exr")["channels"],
    "attributes": complete_payload("/cells.exr")["attributes"]["parts"][0],
    "pixel_stats": complete_payload("/cells.exr")["stats"]["channels"],
}
NEARLY = (
    None,
    "",
    "é",
    "\ud800",
    "x" * (MAX_CELL_BYTES + 1),
    0,
    -1,
    2**31,
    2**63,
    10**400,
    True,
    1.5,
    float("nan"),
    "NaN",
    {},
    [1],
)


def one_by_one(table: str, entries: list[dict[str, Any]]) -> Any:
    """What `columns_of` gives of each, as text that tells types apart, or what it says of the first that it refuses."""
    try:
        return repr([columns_of(table, entry, f"list[{index}]") for index, entry in enumerate(entries)])
    except BadPayload as refusal:
        return refusal.as_dict()


def together(table: str, entries: list[dict[str, Any]]) -> Any:
    """The same of `columns_from`."""
    try:
        return repr(columns_from(table, entries, "list"))
    except BadPayload as refusal:
        return refusal.as_dict()


SOURCES = [(table, column) for table in ENTRIES for column in TABLES[table].columns if column.source]


@pytest.mark.parametrize(("table", "column"), SOURCES, ids=lambda one: getattr(one, "name", one))
def test_a_value_in_the_middle_of_a_column_is_taken_or_refused_as_by_itself(table: str, column: Column) -> None:
    """Whatever it is, and wherever another entry has one as well."""
    first, *_ = ENTRIES[table]
    for value in NEARLY:
        odd = first | {column.source: value}
        for entries in ([first, odd, first], [first, odd, odd], [odd, odd]):
            assert together(table, entries) == one_by_one(table, entries)
    bare = {name: value for name, value in first.items() if name != column.source}
    assert together(table, [first, bare, first]) == one_by_one(table, [first, bare, first])


@given(st.data())
def test_of_several_odd_values_the_first_entry_is_named(data: st.DataObject) -> None:
    """Also where a later entry has one in an earlier column."""
    table = data.draw(st.sampled_from(list(ENTRIES)))
    fields = st.sampled_from([column.source for column in TABLES[table].columns if column.source])
    odd = st.dictionaries(fields, st.sampled_from(NEARLY), max_size=3)
    entries = [ENTRIES[table][0] | change for change in data.draw(st.lists(odd, max_size=5))]
    assert together(table, entries) == one_by_one(table, entries)
