"""docs/payload.schema.json holds for whole payloads as the handler makes them: with statistics, validation and persistence."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import main
from contexts import Context
from exr_inspector.operations.samples import SAMPLES, write_samples
from exr_inspector.settings import Settings
from local_vast import LocalVast
from project import ROOT

VALIDATOR = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/payload.schema.json").read_text(encoding="utf-8")))
ASKED = {"stats": True, "deep_stats": True, "validate": True}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's files."""
    directory = tmp_path_factory.mktemp("samples")
    write_samples(directory)
    return directory


@pytest.fixture(scope="module")
def endpoint() -> Iterator[LocalVast]:
    """One database for the module."""
    with LocalVast(buckets=("renders",)) as server:
        yield server


@pytest.fixture
def context(endpoint: LocalVast, samples: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A function that answers with whole payloads, and has a database."""
    for item in Settings.__dataclass_fields__.values():
        for name in item.metadata["names"]:
            monkeypatch.delenv(name, raising=False)
    values = {
        "VAST_DB_ENDPOINT": endpoint.url,
        "VAST_DB_ACCESS_KEY": endpoint.access_key,
        "VAST_DB_SECRET_KEY": endpoint.secret_key,
        "VAST_DB_BUCKET": "renders",
        "EXR_FULL_PAYLOAD": "true",
        "EXR_LOCAL_ROOTS": str(samples),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    context = Context()
    main.init(context)
    return context


def answer(context: Context, path: Path, **asked: Any) -> dict[str, Any]:
    """The payload of a file, as JSON has it."""
    return json.loads(json.dumps(main.handler(context, {"data": {"path": str(path), **asked}})))


@pytest.mark.parametrize("name", SAMPLES)
def test_whole_payloads_are_as_the_schema_says(context: Context, samples: Path, name: str) -> None:
    """Of every sample, with everything asked for: no field is missing, none is undeclared."""
    document = answer(context, samples / name, **ASKED)
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []
    assert document["validation"]["results"]
    assert document["persistence"]["status"] == "stored"
    assert bool(document["stats"]) == (document["file"]["status"] != "unreadable")


def test_a_sampled_payload_is_as_the_schema_says(context: Context, samples: Path) -> None:
    """The bound on the share of NaN is declared, too."""
    name = next(name for name in SAMPLES if "beauty_v003.1001" in name)
    document = answer(context, samples / name, stats="sampled")
    assert document["stats"]["mode"] == "sampled"
    VALIDATOR.validate(document)


@pytest.mark.parametrize(
    "place",
    [
        ("stats", "parts", 0, "chunks_read"),
        ("stats", "channels", 0, "nan_count"),
        ("stats", "channels", 0, "details", "type"),
        ("validation", "results", 0, "status_code"),
        ("validation", "counts"),
        ("persistence", "status"),
    ],
    ids=lambda place: ".".join(map(str, place)),
)
def test_a_field_that_goes_or_comes_is_noticed(context: Context, samples: Path, place: tuple[str | int, ...]) -> None:
    """Each section is closed, and names what is always there."""
    name = next(name for name in SAMPLES if "beauty_v003.1001" in name)
    whole = answer(context, samples / name, **ASKED)
    *way, last = place
    for change in ("goes", "comes"):
        document = copy.deepcopy(whole)
        section: Any = document
        for step in way:
            section = section[step]
        if change == "goes":
            del section[last]
        else:
            section["undeclared"] = 1
        assert not VALIDATOR.is_valid(document), (change, place)
