"""Nothing public goes or changes without notice: of this tree, and of planted surfaces that break each promise."""

from __future__ import annotations

import argparse
import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import pytest

import vast_settings
from project import ROOT
from scripts import configuration, deprecations, public_surface, surface
from scripts.deprecations import NOTICE, BadRecord, Record, violations
from scripts.surface import Entry

ANNOUNCED = date(2027, 1, 31)
LATER = ANNOUNCED + NOTICE
VERSIONS = {"tables": "1.4.0", "functions": "1.4.0"}
NEXT = {"tables": "2.0.0", "functions": "2.0.0"}
GONE = Record("tables/files.colorspace", "1.2.0", ANNOUNCED, "2.0.0", "parts.color_space")
BEFORE = {"tables": {"files": "table", "files.colorspace": "VARCHAR"}, "functions": {"m.f": "function", "m.f(x)": "int"}}


@pytest.fixture(scope="module")
def now() -> Mapping[str, Mapping[str, Entry]]:
    """What is public in this tree."""
    return surface.collect()


def planted(**changes: Entry | None) -> dict[str, dict[str, Entry]]:
    """BEFORE as a surface whose code marks nothing, with entries replaced; None takes one away."""
    found = {
        family: {name: Entry(shape, deprecated=False) for name, shape in shapes.items()} for family, shapes in BEFORE.items()
    }
    for name, entry in changes.items():
        family = "functions" if name.startswith("m.") else "tables"
        found[family].pop(name, None)
        if entry is not None:
            found[family][name] = entry
    return found


def judged(
    now: Mapping[str, Mapping[str, Entry]], *records: Record, versions: Mapping[str, str] = NEXT, today: date = LATER
) -> list[str]:
    """The violations of a planted surface."""
    return violations(BEFORE, now, records, versions, today)


def test_this_tree_breaks_no_promise(now: Mapping[str, Mapping[str, Entry]]) -> None:
    """What is committed as public is there in its shape, or was announced to go, and every new name is committed.

    After adding something public: scripts/public_surface.py --update.
    """
    assert public_surface.faults(now, with_added=True) == []


@pytest.mark.parametrize(
    ("family", "name", "shape"),
    [
        ("payload", "file.completeness.verdict", "string, always"),
        ("payload", "attributes.parts[][].raw_base64", "string, at times"),
        ("payload", "schema_version", "1, always"),
        ("tables", "files.metadata_embedding", "FLOAT[384]"),
        ("tables", "pixel_stats", "table"),
        ("settings", "VAST_DB_READ_BACK", "FLAG, default True"),
        ("settings", "vdbaccesskey in secrets", "TEXT, default None"),
        ("functions", "vast_db_persistence.persist_to_vast_database(read_back)", "keyword-only, bool, default True"),
        ("functions", "main.handler(event)", "positional or keyword 2"),
        ("commands", "scripts/migrate_v1_0_to_v1_1.py --backfill", "flag"),
        ("commands", "scripts/validate --policy", "value"),
        ("commands", "scripts/run --data", "value"),
        ("commands", "scripts/stage DIRECTORY", "value, ? times"),
        ("commands", "exit status 3", "found"),
        ("codes", "schema_drift", "reject"),
        ("codes", "bad_magic", "reject"),
        ("questions", "missing_frames $step", "integer, default 1"),
        ("questions", "missing_frames.first_missing", "column of the answer"),
    ],
)
def test_what_users_rely_on_is_public(now: Mapping[str, Mapping[str, Entry]], family: str, name: str, shape: str) -> None:
    """Of every family, names of each kind, in the shape that the code gives them."""
    assert now[family][name].shape == shape


def test_what_serves_developers_or_is_an_inside_is_not_public(now: Mapping[str, Mapping[str, Entry]]) -> None:
    """Scripts that write pages, modules without `__all__`, the fields of a handle."""
    assert not [name for name in now["commands"] if "generate_" in name or name.startswith("scripts/test ")]
    modules = {name.partition(".")[0] for name in now["functions"]}
    assert modules == {"main", "vast_db_persistence", "exr_embeddings", "exr_validation"}
    assert not [name for name in now["functions"] if name.startswith("vast_db_persistence.Store.")]


def test_every_family_has_a_version(now: Mapping[str, Mapping[str, Entry]]) -> None:
    """The payload and the tables have their own; a removal waits for the next major one."""
    versions = surface.versions()
    assert set(versions) == set(now) == set(surface.FAMILIES)
    assert (versions["payload"], versions["tables"]) == ("1.0.0", "1.1.0")


# Planted surfaces


def test_an_unchanged_or_growing_surface_breaks_nothing() -> None:
    """A column more, an optional parameter more."""
    assert judged(planted()) == []
    more = {"files.new": Entry("VARCHAR"), "m.f(y)": Entry("int, default 1"), "m.g(z)": Entry("int", demanded=True)}
    assert judged(planted(**more)) == []


def test_what_is_gone_without_a_record_is_named() -> None:
    """With its shape, and what to do."""
    (fault,) = judged(planted(**{"files.colorspace": None}))
    assert fault == "tables/files.colorspace: 'VARCHAR' is gone; keep it, or announce it in docs/deprecations.toml first"


def test_what_changes_its_shape_without_a_record_is_named() -> None:
    """A changed type breaks readers as a removal does."""
    (fault,) = judged(planted(**{"files.colorspace": Entry("INTEGER")}))
    assert fault.startswith("tables/files.colorspace: 'VARCHAR' is 'INTEGER'; keep it")


def test_a_removal_waits_for_its_version_and_for_the_notice() -> None:
    """Both: the major version, and the days since the announcement."""
    gone = planted(**{"files.colorspace": None})
    assert judged(gone, GONE, versions=VERSIONS) == [
        "tables/files.colorspace: 'VARCHAR' is gone; it was promised until 2.0.0, and this is 1.4.0"
    ]
    (fault,) = judged(gone, GONE, today=date(2027, 3, 1))
    assert fault.endswith("it was promised until 2027-07-30, 180 days after it was announced")
    assert judged(gone, GONE) == []


def test_a_record_covers_what_belongs_to_its_name_and_no_more() -> None:
    """A table's columns, a function's parameters; not a name that merely begins alike."""
    whole = Record("tables/files", "1.2.0", ANNOUNCED, "2.0.0", "renders")
    assert judged(planted(**{"files": None, "files.colorspace": None}), whole) == []
    assert whole.covers("tables", "files.colorspace")
    assert not whole.covers("tables", "files_old")
    assert not whole.covers("payload", "files")


def test_something_new_that_must_be_given_breaks_what_did_without() -> None:
    """A required parameter or option; no record makes up for it."""
    (fault,) = judged(planted(**{"m.f(y)": Entry("int", demanded=True)}))
    assert fault == "functions/m.f(y): m.f did without; give it a default"


def test_code_and_records_say_the_same() -> None:
    """A record without a mark in the code, a mark without a record, a record about nothing."""
    assert judged(planted(), GONE) == ["tables/files.colorspace: the record says deprecated, and the code does not"]
    marked = planted(**{"files.colorspace": Entry("VARCHAR", deprecated=True)})
    assert judged(marked, GONE) == []
    assert judged(marked) == ["tables/files.colorspace: the code says deprecated, and docs/deprecations.toml has no record"]
    nothing = Record("tables/files.colourspace", "1.2.0", ANNOUNCED, "2.0.0", "files.colorspace")
    assert judged(planted(), nothing, versions=VERSIONS) == [f"{nothing.name}: the record is about nothing that is public"]


def test_a_name_that_cannot_be_marked_needs_its_record_alone() -> None:
    """A code, a parameter, a column of an answer: there is no place in the code that would say so."""
    unmarked = planted(**{"m.f(x)": Entry("int")})
    assert judged(unmarked, Record("functions/m.f(x)", "1.2.0", ANNOUNCED, "2.0.0", "m.g")) == []


def test_the_record_of_what_is_gone_stays_without_complaint() -> None:
    """It is the history that people look up."""
    gone = planted(**{"files.colorspace": None})
    later = {family: {name: entry.shape for name, entry in entries.items()} for family, entries in gone.items()}
    assert violations(later, gone, [GONE], NEXT, LATER) == []


# Records


def records(tmp_path: Path, text: str) -> list[Record]:
    """The records of this text."""
    path = tmp_path / "deprecations.toml"
    path.write_text(f"[[deprecated]]\n{text}", encoding="utf-8")
    return deprecations.read(path)


COMPLETE = 'name = "settings/A"\nsince = "1.2.0"\nannounced = 2027-01-31\nremoval = "2.0.0"\nreplacement = "B"\n'


def test_a_record_is_read_as_it_is_written(tmp_path: Path) -> None:
    """Name, versions, day and what to use instead."""
    assert records(tmp_path, COMPLETE) == [Record("settings/A", "1.2.0", ANNOUNCED, "2.0.0", "B")]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('replacement = "B"\n', "", "it needs name, since, announced, removal, replacement"),
        ("announced = 2027-01-31", 'announced = "soon"', "the date `announced`"),
        ('"2.0.0"', '"1.3.0"', r"since 1\.2\.0, removal 1\.3\.0\. .* such as 2\.0\.0"),
        ('"2.0.0"', '"2.1.0"', "later major"),
        ('"2.0.0"', '"next"', "'next' is no version"),
    ],
)
def test_a_record_that_promises_too_little_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    """Incomplete, without a day, or gone before a major version."""
    with pytest.raises(BadRecord, match=says):
        records(tmp_path, COMPLETE.replace(old, new))


# How a deprecation shows in the code


def test_a_deprecated_setting_warns_whoever_uses_it_and_says_so_in_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old spelling, in the environment or in a secret; the other spelling stays silent."""
    item = copy.copy(vast_settings._FIELDS["tls_verify"])
    item.metadata = MappingProxyType({**item.metadata, "deprecated": {"TLS_VERIFY": "VAST_TLS_VERIFY"}})
    monkeypatch.setitem(vast_settings._FIELDS, "tls_verify", item)
    with pytest.warns(FutureWarning, match="^TLS_VERIFY is deprecated and will go; use VAST_TLS_VERIFY$"):
        assert vast_settings.load({"TLS_VERIFY": "false"}).tls_verify is False
    with pytest.warns(FutureWarning, match="secret key TLS_VERIFY is deprecated"):
        vast_settings.load({}, {"TLS_VERIFY": "false"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vast_settings.load({"VAST_TLS_VERIFY": "false"})
    assert "(deprecated: `TLS_VERIFY`; use VAST_TLS_VERIFY)" in configuration.row(item)


@dataclass(frozen=True)
class Declared:
    """A setting of which one spelling will go."""

    verify: bool = field(
        default=True,
        metadata={"names": ("NEW", "OLD"), "kind": vast_settings.FLAG, "keys": (), "deprecated": {"OLD": "NEW"}},
    )


def test_the_mark_of_a_setting_is_that_of_its_spelling() -> None:
    """The documented name stays."""
    found = dict(surface.settings(Declared))
    assert (found["OLD"].deprecated, found["NEW"].deprecated) == (True, False)


def test_a_deprecated_function_warns_its_callers_and_is_known_as_such() -> None:
    """The attribute of PEP 702, and a warning at the caller's line."""
    module = ModuleType("planted")

    def f(x: int) -> int:
        warnings.warn(f.__deprecated__, DeprecationWarning, stacklevel=2)
        return x

    f.__deprecated__ = "use g"
    module.f = f
    found = dict(surface.exported(module, ["f"]))
    assert found["planted.f"].deprecated is True
    with pytest.warns(DeprecationWarning, match="use g"):
        assert f(1) == 1


def test_a_deprecated_field_of_the_payload_is_marked_in_its_schema() -> None:
    """JSON Schema has a word for it."""
    old, new = {"type": "string", "deprecated": True}, {"type": "string"}
    file: dict[str, Any] = {"type": "object", "properties": {"old": old, "new": new}}
    found = dict(surface.payload({"properties": {"file": {"$ref": "#/$defs/file"}}, "$defs": {"file": file}}))
    assert (found["file.old"].deprecated, found["file.new"].deprecated) == (True, False)


def test_a_deprecated_option_is_marked_in_its_help(tmp_path: Path) -> None:
    """And its command line is read without running what it does."""
    path = tmp_path / "tool.py"
    path.write_text("")
    parser = argparse.ArgumentParser()
    parser.add_argument("--old", help="Deprecated; use --new")
    parser.add_argument("--new", choices=("a", "b"), required=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surface, "parser_of", lambda _: parser)
        found = dict(surface.options("tool.py", path))
    assert (found["tool.py --old"].deprecated, found["tool.py --new"].deprecated) == (True, False)
    assert found["tool.py --new"].demanded
    assert "tool.py --new a" in found


# The command


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed file of BEFORE, and a tree that has what is planted."""
    path = tmp_path / "surface.json"
    monkeypatch.setattr(public_surface, "SNAPSHOT", path)
    path.write_text(public_surface.text(planted()), encoding="utf-8")
    return path


def tree(monkeypatch: pytest.MonkeyPatch, **changes: Entry | None) -> None:
    """Make the command see this surface."""
    monkeypatch.setattr(surface, "collect", lambda: planted(**changes))


def test_a_new_name_has_to_be_committed(
    snapshot: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--check names it, --update writes it, and then --check is content."""
    tree(monkeypatch, **{"files.new": Entry("VARCHAR", deprecated=False)})
    assert public_surface.main(["--check"]) == 3
    assert "tables/files.new: it is new; commit it with scripts/public_surface.py --update" in capsys.readouterr().err
    assert public_surface.main(["--update"]) == 0
    assert public_surface.main(["--check"]) == 0
    assert '"files.new": "VARCHAR"' in snapshot.read_text(encoding="utf-8")


def test_an_update_does_not_forget_a_promise(
    snapshot: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is gone without a record stays in the file."""
    before = snapshot.read_bytes()
    tree(monkeypatch, **{"files.colorspace": None})
    assert public_surface.main(["--update"]) == 3
    assert snapshot.read_bytes() == before
    assert "files.colorspace" in capsys.readouterr().err


def test_what_is_announced_can_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with its versions and what to use; a record that cannot be read ends with the status for a refusal."""
    path = tmp_path / "deprecations.toml"
    monkeypatch.setattr(deprecations, "RECORDS", path)
    path.write_text(f"[[deprecated]]\n{COMPLETE}", encoding="utf-8")
    assert public_surface.main(["--deprecated"]) == 0
    assert capsys.readouterr().out == "settings/A: since 1.2.0, goes with 2.0.0; use B\n"
    path.write_text("[[deprecated]]\n", encoding="utf-8")
    assert public_surface.main(["--deprecated"]) == 2


def test_the_page_states_the_notice_that_is_held(now: Mapping[str, Mapping[str, Entry]]) -> None:
    """Its days, and every family."""
    page = (ROOT / "docs/DEPRECATION_POLICY.md").read_text(encoding="utf-8")
    assert f"{NOTICE.days} days" in page
    assert all(f"`{family}`" in page for family in now)
