"""The handler's contract with the platform: what it answers, raises and logs, and that nothing odd about a context matters."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_events import EXTREMES, FIELDS, ODD

import main
from contexts import Context, element
from exr_inspector.errors import BadPolicy, BadSettings, Retry, StorageUnavailable
from exr_inspector.function.job import STATE, Runtime
from exr_inspector.operations.samples import SAMPLES, write_samples
from exr_inspector.settings import EVENT_CREDENTIALS, Settings
from object_store import ScriptedStore, object_store

ROOT = Path(__file__).resolve().parents[2]
BEAUTY = next(name for name in SAMPLES if name.endswith("beauty_v003.1001.exr"))
NOTES = next(name for name in SAMPLES if name.endswith("notes.exr"))
SUMMARY = {
    "schema_version", "inspector_version", "status", "path", "file_id", "inserted", "counts", "errors", "warnings", "validation",
    "persistence", "timings_ms",
}  # fmt: skip


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample renders, in a folder."""
    directory = tmp_path_factory.mktemp("samples")
    write_samples(directory)
    return directory


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, samples: Path) -> pytest.MonkeyPatch:
    """No setting of the machine's, and the samples' folder allowed."""
    for item in fields(Settings):
        for name in item.metadata["names"]:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("DEBUG", raising=False)
    monkeypatch.setenv("EXR_LOCAL_ROOTS", str(samples))
    return monkeypatch


@pytest.fixture
def ctx(clean: pytest.MonkeyPatch) -> Context:
    """A context after `init`, without any endpoint."""
    context = Context()
    main.init(context)
    return context


@pytest.fixture
def store(samples: Path, clean: pytest.MonkeyPatch) -> Iterator[ScriptedStore]:
    """An object store that holds the samples in the bucket `shows`, and settings that point to it."""
    with object_store() as store:
        for name in SAMPLES:
            store.objects[name] = (samples / name).read_bytes()
        clean.setenv("S3_ENDPOINT", store.url)
        clean.setenv("S3_ACCESS_KEY", "AKEY")
        clean.setenv("S3_SECRET_KEY", "hush-hush")
        clean.setenv("S3_MAX_ATTEMPTS", "1")
        yield store


def path_event(samples: Path, name: str, **options: Any) -> dict[str, Any]:
    """A plain event about a sample."""
    return {"data": {"path": str(samples / name), **options}}


# Answers


def test_without_an_endpoint_the_inspection_returns_and_names_what_is_missing(ctx: Context, samples: Path) -> None:
    """A summary by default: the platform logs whatever is returned."""
    answer = main.handler(ctx, path_event(samples, BEAUTY))
    assert set(answer) == SUMMARY
    assert answer["status"] == "ok"
    assert answer["counts"]["parts"] == 1
    assert answer["counts"]["channels"] > 30
    assert answer["persistence"]["status"] == "skipped"
    assert answer["persistence"]["missing_setting"] == "VAST_DB_ENDPOINT"
    assert len(json.dumps(answer)) < 2000


def test_the_full_payload_is_a_setting(clean: pytest.MonkeyPatch, samples: Path) -> None:
    """And `meta: false` leaves the attributes out of it."""
    clean.setenv("EXR_FULL_PAYLOAD", "true")
    context = Context()
    whole = main.handler(context, path_event(samples, BEAUTY))
    assert len(whole["channels"]) > 30
    assert whole["attributes"]["parts"][0]
    assert "attributes" not in main.handler(context, path_event(samples, BEAUTY, meta=False))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_has_an_answer_that_json_can_carry(ctx: Context, samples: Path, name: str) -> None:
    """Whole, cut short, or no EXR at all: the status says which, and an unreadable file says why."""
    answer = json.loads(json.dumps(main.handler(ctx, path_event(samples, name)), allow_nan=False))
    expected = "unreadable" if name == NOTES else "incomplete" if "beauty/v002" in name else "ok"
    assert answer["status"] == expected
    assert bool(answer["errors"]) == (expected != "ok")


@pytest.mark.parametrize(
    ("setting", "option", "mode"),
    [(None, True, "full"), (None, "sampled", "sampled"), ("full", None, "full"), ("sampled", None, "sampled")],
)
def test_pixel_statistics_are_computed_where_event_or_settings_ask(
    clean: pytest.MonkeyPatch, samples: Path, setting: str | None, option: bool | str | None, mode: str
) -> None:
    """Of every channel, as a step of its own; nothing of the kind otherwise."""
    clean.setenv("EXR_FULL_PAYLOAD", "true")
    if setting:
        clean.setenv("EXR_STATS", setting)
    context = Context()
    answer = main.handler(context, path_event(samples, BEAUTY, **({"stats": option} if option else {})))
    assert answer["stats"]["mode"] == mode
    assert len(answer["stats"]["channels"]) == len(answer["channels"])
    assert context.spans == ["fetch", "inspect", "stats"]


def test_no_pixels_are_read_unless_somebody_asks(clean: pytest.MonkeyPatch, samples: Path) -> None:
    """Inspection of the header is what most events want."""
    clean.setenv("EXR_FULL_PAYLOAD", "true")
    answer = main.handler(Context(), path_event(samples, BEAUTY))
    assert (answer["stats"], answer["validation"]) == ({}, {})


def test_statistics_of_an_object_equal_those_of_a_file(store: ScriptedStore, samples: Path, clean: pytest.MonkeyPatch) -> None:
    """Read by ranges, and only once."""
    clean.setenv("EXR_FULL_PAYLOAD", "true")
    context = Context()
    of_object = main.handler(context, {"data": {"path": f"s3://{BEAUTY}", "stats": True}})
    of_file = main.handler(context, path_event(samples, BEAUTY, stats=True))
    assert of_object["stats"] == of_file["stats"]
    assert sum(seen.sent for seen in store.seen) <= len(store.objects[BEAUTY]) + 64


@pytest.mark.parametrize("name", [BEAUTY, NOTES])
def test_a_file_is_judged_by_the_policy_that_the_event_names(ctx: Context, samples: Path, tmp_path: Path, name: str) -> None:
    """A shipped one by its name, or a file; the summary has the outcome, and the results are in the payload."""
    shipped = main.handler(ctx, path_event(samples, name, policy_path="aces_container"))
    own = samples / "own.toml"
    own.write_text((ROOT / "exr_inspector/validation/policies/aces_container.toml").read_text())
    assert shipped["validation"]["status"] == "FAIL"
    assert main.handler(ctx, path_event(samples, name, policy_path=str(own)))["validation"] == shipped["validation"]


def test_the_default_policy_judges_where_none_is_named(ctx: Context, samples: Path) -> None:
    """Asked for by either spelling of the flag."""
    for flag in ("validate", "enable_validate"):
        answer = main.handler(ctx, path_event(samples, BEAUTY, **{flag: True}))
        assert (answer["validation"]["policy_id"], answer["validation"]["status"]) == ("default", "PASS")


@pytest.mark.parametrize("policy", ["{samples}/none.toml", "{samples}/notes.toml", "/etc/hostname", "no_such_policy"])
def test_a_policy_that_cannot_be_used_is_a_reject_with_its_path(ctx: Context, samples: Path, policy: str) -> None:
    """Missing, no TOML, outside the allowed folders: the file is inspected, and the error says why it was not judged."""
    (samples / "notes.toml").write_text("this is no TOML")
    path = policy.format(samples=samples)
    answer = main.handler(ctx, path_event(samples, BEAUTY, policy_path=path))
    (error,) = answer["errors"]
    assert (answer["status"], error["code"]) == ("ok", "bad_policy")
    assert path in error["message"]
    assert ctx.entries()[-1]["verdict"] == "reject"
    assert answer["validation"] == {}


def test_a_wrong_policy_in_the_settings_stops_the_function_at_the_start(clean: pytest.MonkeyPatch) -> None:
    """Every event would be rejected."""
    clean.setenv("EXR_VALIDATE", "true")
    clean.setenv("EXR_POLICY", "/no/such/policy.toml")
    with pytest.raises(BadPolicy, match="/no/such/policy"):
        main.init(Context())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({}, "bad_event"),
        ({"path": "{samples}/missing.exr"}, "object_unavailable"),
        ({"path": "{samples}"}, "object_unavailable"),
        ({"path": "/etc/hostname.exr"}, "object_unavailable"),
        ({"bucket": "renders", "object_key": "a.exr"}, "bad_settings"),
        ({"path": "{samples}/a.exr", "stats": "perhaps"}, "bad_event"),
    ],
)
def test_what_is_hopeless_is_an_answer_and_not_raised(ctx: Context, samples: Path, data: dict[str, Any], code: str) -> None:
    """The platform would only deliver it again."""
    answer = main.handler(ctx, {"data": {key: value.format(samples=samples) for key, value in data.items()}})
    assert answer["status"] == "rejected"
    assert [entry["code"] for entry in answer["errors"]] == [code]
    assert answer["errors"][0]["remedy"]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(event=st.dictionaries(st.sampled_from(FIELDS), ODD, min_size=1, max_size=6) | ODD)
def test_no_malformed_event_is_delivered_again(clean: pytest.MonkeyPatch, event: Any) -> None:
    """Whatever it holds, the handler answers, in a log line of bounded length: nothing would change at the next delivery."""
    check_is_answered(event)


@pytest.mark.parametrize("name", EXTREMES)
def test_no_extreme_event_is_delivered_again(clean: pytest.MonkeyPatch, name: str) -> None:
    """Nested beyond the recursion limit, or with more digits than Python converts, in any field; credentials included."""
    clean.setenv("EXR_ALLOW_EVENT_CREDENTIALS", "true")
    clean.setenv("EXR_LOCAL_ROOTS", "/tmp")
    credentials = dict.fromkeys(EVENT_CREDENTIALS, EXTREMES[name])
    for event in (
        EXTREMES[name],
        *({item: EXTREMES[name], "elementpath": "renders/a.exr"} for item in FIELDS),
        *({"data": {"path": "/tmp/a.exr", item: EXTREMES[name]}} for item in FIELDS),
        *(
            {"type": kind, "data": {"path": "/tmp/a.exr", **credentials}}
            for kind in ("Element.ObjectRemoved", "Element.ObjectCreated")
        ),
    ):
        check_is_answered(event)


def check_is_answered(event: Any) -> None:
    """The answer says why nothing was inspected; it and the log line can be written, and are short."""
    context = Context()
    answered = main.handler(context, event)
    answers = answered if isinstance(event, list) else [answered]  # a list is a batch
    for answer in answers:
        assert {result["status"] for result in answer.get("results", [answer])} <= {"skipped", "rejected", "removed"}
    assert len(context.lines) == len(answers) == (len(event) if isinstance(event, list) else 1)
    assert all(len(line) < 60_000 for _, line in context.lines)
    json.dumps(answered, allow_nan=False)


LONG = "a" * 256 + ".exr"


@pytest.mark.parametrize("kind", ["ElementDeleted", "ElementCreated"])
@pytest.mark.parametrize(
    "path", [LONG, "/".join(["a" * 200] * 25) + ".exr", "a\0.exr", "\ud800.exr", "a.exr/b.exr", "/etc/a.exr"]
)
def test_a_path_that_no_file_can_have_is_answered(clean: pytest.MonkeyPatch, tmp_path: Path, kind: str, path: str) -> None:
    """Also for a removal, which asks whether the file is there."""
    clean.setenv("EXR_LOCAL_ROOTS", str(tmp_path))
    event = {"type": f"vastdata.com:Element.{kind}", "data": {"path": str(tmp_path / path)}}
    absent = kind == "ElementDeleted" and path == "a.exr/b.exr"
    assert main.handler(Context(), event)["status"] == ("removed" if absent else "rejected")


def test_a_policy_name_that_no_file_can_have_is_a_reject(ctx: Context, samples: Path) -> None:
    """It is looked for among those that ship, too."""
    answer = main.handler(ctx, path_event(samples, BEAUTY, policy_path="a" * 300))
    assert [error["code"] for error in answer["errors"]] == ["bad_policy"]


@pytest.mark.parametrize("kind", [MemoryError, RecursionError])
@pytest.mark.parametrize(
    "place",
    [
        "exr_inspector.exr.completeness.assess",
        "exr_inspector.function.events.read_requests",
        "exr_inspector.function.objects.allowed_path",
    ],
)
def test_what_takes_more_than_there_is_is_not_tried_again(
    clean: pytest.MonkeyPatch, samples: Path, kind: type[Exception], place: str
) -> None:
    """It would take as much at the next delivery; the other records of an event have their results."""

    def greedy(*_: Any, **__: Any) -> Any:
        raise kind

    clean.setattr(place, greedy)
    for subtype in ("ElementCreated", "ElementDeleted"):
        event = {"type": f"vastdata.com:Element.{subtype}", **path_event(samples, BEAUTY)}
        answer = main.handler(Context(), event)
        assert (answer["status"], answer["errors"][0]["code"]) == ("rejected", "exhausted")


def test_the_log_line_of_many_records_is_short(store: ScriptedStore) -> None:
    """The gravest results stand in it, the others are counted."""
    context = Context()
    records = [{"s3": {"bucket": {"name": "shows"}, "object": {"key": f"{at}.exr"}}} for at in range(99)]
    hopeless = {"s3": {"bucket": {"name": "shows"}, "object": {"key": NOTES.removeprefix("shows/")}}}
    answer = main.handler(context, {"data": {"Records": [*records, hopeless]}})
    assert len(answer["results"]) == 100
    (entry,) = context.entries()
    assert [result.get("status") for result in entry["results"]] == [*["skipped"] * 19, "unreadable", None]
    assert entry["results"][-1]["message"] == "80 more, in the answer"


def test_what_is_not_ours_is_skipped_with_a_reason(ctx: Context) -> None:
    """A readme in the bucket, a timer: no error, nothing stored."""
    answer = main.handler(ctx, element("renders/readme.md"))
    assert (answer["status"], answer["errors"]) == ("skipped", [])
    assert answer["reason"]["code"] == "not_an_exr"


def test_credentials_in_an_event_are_ignored_with_a_warning(ctx: Context, samples: Path) -> None:
    """They are not allowed unless a setting says so; the answer carries none of them."""
    given = {"vastdb_endpoint": "http://127.0.0.1:9", "vastdb_access_key": "hush-a", "vastdb_secret_key": "hush-s"}
    answer = main.handler(ctx, path_event(samples, BEAUTY, **given))
    assert answer["persistence"]["status"] == "skipped"
    assert [entry["code"] for entry in answer["warnings"]] == ["event_credentials_ignored"]
    assert "hush" not in json.dumps(answer) + str(ctx.lines)


def test_several_records_are_several_results(store: ScriptedStore, clean: pytest.MonkeyPatch) -> None:
    """One event, one log line, a result for each object."""
    context = Context()
    records = [{"s3": {"bucket": {"name": "shows"}, "object": {"key": name.removeprefix("shows/")}}} for name in (BEAUTY, NOTES)]
    answer = main.handler(context, {"data": {"Records": records}})
    assert [result["status"] for result in answer["results"]] == ["ok", "unreadable"]
    (entry,) = context.entries()
    assert [result["path"] for result in entry["results"]] == [f"s3://{BEAUTY}", f"s3://{NOTES}"]


def test_a_summary_lists_the_first_findings_and_counts_the_others(ctx: Context, samples: Path) -> None:
    """A badly damaged file has hundreds; the answer stays a line in a log."""
    names = b"".join(b"a%d\0int\0\3\0\0\0abc" % number for number in range(50))
    path = samples / "odd.exr"
    data = (samples / BEAUTY).read_bytes()
    path.write_bytes(data[:8] + names + data[8:])
    answer = main.handler(ctx, {"data": {"path": str(path)}})
    assert max(len(answer["errors"]), len(answer["warnings"])) == 11
    assert "more_findings" in [entry["code"] for entry in answer["errors"] + answer["warnings"]]
    assert len(json.dumps(answer)) < 8000


def test_the_log_line_stays_short_where_the_answer_is_the_whole_payload(clean: pytest.MonkeyPatch, samples: Path) -> None:
    """Counts and outcomes, no lists."""
    clean.setenv("EXR_FULL_PAYLOAD", "true")
    context = Context()
    answer = main.handler(context, path_event(samples, BEAUTY, stats=True, validate=True))
    ((_, line),) = context.lines
    assert answer["validation"]["results"]
    assert json.loads(line)["validation"]["counts"] == answer["validation"]["counts"]
    assert len(line) < 2000


def test_one_hopeless_record_does_not_keep_the_others_back(store: ScriptedStore) -> None:
    """Each record has its own result; the log line carries the gravest verdict."""
    context = Context()
    store.before = lambda count: (403, "AccessDenied") if count == 0 else None
    records = [{"s3": {"bucket": {"name": "shows"}, "object": {"key": name.removeprefix("shows/")}}} for name in (BEAUTY, BEAUTY)]
    answer = main.handler(context, {"data": {"Records": [*records, {"s3": {}, "eventName": "ObjectTagging:Put"}]}})
    assert [result["status"] for result in answer["results"]] == ["rejected", "ok"]
    assert context.entries()[0]["verdict"] == "reject"


# Objects


@pytest.mark.parametrize("name", SAMPLES)
def test_a_typical_file_costs_one_request_of_at_most_64_kib(store: ScriptedStore, name: str) -> None:
    """Whatever its size, and whatever is missing of it."""
    answer = main.handler(Context(), element(name))
    assert answer["path"] == f"s3://{name}"
    (seen,) = store.seen
    assert seen.sent <= 64 * 1024


def test_the_last_chunk_is_looked_at_when_the_settings_ask_for_it(store: ScriptedStore, clean: pytest.MonkeyPatch) -> None:
    """Its leader costs a second request of at most 28 bytes, and shows a cut that the length alone does not."""
    clean.setenv("EXR_FULL_PAYLOAD", "true")
    store.objects[BEAUTY] = store.objects[BEAUTY][:-1]
    quick = main.handler(Context(), element(BEAUTY))["file"]
    assert (quick["status"], quick["completeness"]["tail_checked"]) == ("ok", False)
    clean.setenv("EXR_EXACT_TAIL", "true")
    store.seen.clear()
    exact = main.handler(Context(), element(BEAUTY))["file"]["completeness"]
    assert (exact["verdict"], exact["bytes_missing"], exact["tail_checked"]) == ("truncated", 1, True)
    first, second = store.seen
    assert (first.sent, second.sent <= 28) == (64 * 1024, True)


def test_an_empty_offset_table_costs_a_few_requests(store: ScriptedStore, clean: pytest.MonkeyPatch) -> None:
    """Its chunks follow it, and their leaders are read together; statistics are those of the file as it was."""
    clean.setenv("EXR_FULL_PAYLOAD", "true")
    clean.setenv("EXR_STATS", "full")
    whole = main.handler(Context(), element(BEAUTY))
    data, chunks = store.objects[BEAUTY], whole["file"]["completeness"]["chunks_expected"]
    table = whole["file"]["header_bytes"]
    store.objects[BEAUTY] = data[:table] + bytes(8 * chunks) + data[table + 8 * chunks :]
    result = main.handler(Context(), element(BEAUTY))
    assert (result["file"]["status"], result["file"]["completeness"]["chunks_present"]) == ("ok", chunks)
    codes, before = ([warning["code"] for warning in answer["warnings"]] for answer in (result, whole))
    assert codes == [*before, "offset_table_empty"]
    assert result["stats"] == whole["stats"]
    clean.setenv("EXR_STATS", "off")
    store.seen.clear()
    main.handler(Context(), element(BEAUTY))
    assert sum(seen.sent for seen in store.seen) <= len(data)
    assert len(store.seen) <= 1 + min(chunks, -(-len(data) // (64 * 1024)))


def test_a_last_chunk_that_is_too_short_is_looked_at_in_any_case(store: ScriptedStore, clean: pytest.MonkeyPatch) -> None:
    """A quarter of what its neighbours lead to expect."""
    clean.setenv("EXR_FULL_PAYLOAD", "true")
    whole = store.objects[BEAUTY]
    store.objects[BEAUTY] = whole[: -len(whole) // 9]
    answer = main.handler(Context(), element(BEAUTY))["file"]
    assert (answer["status"], answer["completeness"]["verdict"]) == ("incomplete", "truncated")


def test_an_object_and_a_file_with_the_same_bytes_are_described_alike(
    store: ScriptedStore, samples: Path, clean: pytest.MonkeyPatch
) -> None:
    """Where the bytes come from changes the address alone."""
    clean.setenv("EXR_FULL_PAYLOAD", "true")
    context = Context()
    object_, file = main.handler(context, element(BEAUTY)), main.handler(context, path_event(samples, BEAUTY))
    for key in ("parts", "channels", "attributes", "errors"):
        assert object_[key] == file[key]
    assert object_["file"]["header_hash"] == file["file"]["header_hash"]
    assert (object_["file"]["bucket"], file["file"]["bucket"]) == ("shows", None)


def test_a_busy_store_is_raised_so_that_the_event_comes_again(store: ScriptedStore) -> None:
    """And logged as an error, with the verdict."""
    store.before = lambda count: (503, "SlowDown")
    context = Context()
    with pytest.raises(StorageUnavailable):
        main.handler(context, element(BEAUTY))
    (level, line), *others = context.lines
    assert (level, json.loads(line)["verdict"], others) == ("error", "retry", [])


def test_an_object_that_is_gone_is_skipped(store: ScriptedStore) -> None:
    """Deleted between the event and the read."""
    answer = main.handler(Context(), element("shows/gone.exr"))
    assert (answer["status"], answer["reason"]["code"]) == ("skipped", "object_gone")


def test_a_late_removal_of_an_object_that_is_there_again_is_an_inspection(store: ScriptedStore) -> None:
    """Events come in any order; what is in the bucket decides."""
    assert main.handler(Context(), element(BEAUTY, "ElementDeleted"))["status"] == "ok"
    assert main.handler(Context(), element("shows/gone.exr", "ElementDeleted"))["status"] == "removed"


def test_secrets_of_the_context_configure_the_clients(store: ScriptedStore, clean: pytest.MonkeyPatch) -> None:
    """Nested, as the platform mounts them; the environment needs none of them."""
    for name in ("S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
        clean.delenv(name)
    secrets = {"exr-inspector": {"s3endpoint": store.url, "s3accesskey": "AKEY", "s3secretkey": "hush-hush"}}
    assert main.handler(Context(secrets), element(BEAUTY))["status"] == "ok"


# Log, spans, metrics


def test_each_event_is_one_line_of_json_with_everything_that_matters(store: ScriptedStore) -> None:
    """Ids, verdict, counts, timings and costs."""
    context = Context()
    main.handler(context, element(BEAUTY))
    ((level, _),) = context.lines
    (entry,) = context.entries()
    assert level == "info"
    assert entry["event_id"] == "105849469009922"
    assert entry["location"] == f"s3://{BEAUTY}"
    assert (entry["verdict"], entry["status"]) == ("done", "ok")
    assert entry["counts"]["channels"] > 30
    assert entry["requests"] == len(store.seen)
    assert entry["bytes_read"] == sum(seen.sent for seen in store.seen)
    assert set(entry["timings_ms"]) >= {"fetch", "inspect", "total"}


@pytest.mark.parametrize(("level", "lines"), [("INFO", 2), ("WARNING", 1), ("ERROR", 0)])
def test_the_log_level_is_a_setting(clean: pytest.MonkeyPatch, samples: Path, level: str, lines: int) -> None:
    """A finished event is information, a rejected one a warning."""
    clean.setenv("LOG_LEVEL", level)
    context = Context()
    main.handler(context, path_event(samples, BEAUTY))
    main.handler(context, path_event(samples, NOTES))
    assert len(context.lines) == lines


def test_steps_are_spans_and_events_are_counted_where_the_context_offers_it(ctx: Context, samples: Path) -> None:
    """One span a step; of an event one count, one duration and one size, and the time of each step, as in its log line."""
    main.handler(ctx, path_event(samples, BEAUTY))
    (entry,) = ctx.event_entries()
    spent, ok = entry["timings_ms"], {"status": "ok"}
    assert ctx.spans == ["fetch", "inspect"]
    assert ctx.measured_as("events") == [(1, {"status": "ok", "verdict": "done", "code": ""})]
    assert ctx.measured_as("duration_ms") == [(spent["total"], ok)]
    assert ctx.measured_as("bytes_read") == [(entry["bytes_read"], ok)]
    assert ctx.measured_as("step_ms") == [(spent[step], {"step": step}) for step in ("fetch", "inspect")]
    assert [value for value, _ in ctx.measured_as("events_in_progress")] == [0, 1, -1]
    assert len(ctx.measured_as("last_success_timestamp_seconds")) == 1


def test_an_event_that_is_not_done_is_counted_by_its_code(ctx: Context, samples: Path) -> None:
    """The code of what was skipped or rejected; of several records, of the gravest. None of them is a success."""
    several = {"Records": [{"s3": {"bucket": {"name": "renders"}, "object": {"key": key}}} for key in ("a.exr", "b.exr")]}
    for event in (path_event(samples, NOTES), {"type": "vastdata.com:Schedule.TimerElapsed"}, {"data": {}}, {"data": several}):
        main.handler(ctx, event)
    counted = [(labels["status"], labels["verdict"], labels["code"]) for _, labels in ctx.measured_as("events")]
    assert counted == [
        ("unreadable", "reject", "bad_magic"), ("skipped", "skip", "not_an_exr"), ("rejected", "reject", "bad_event"),
        ("several", "reject", "bad_settings"),
    ]  # fmt: skip
    assert [entry["verdict"] for entry in ctx.event_entries()] == [verdict for _, verdict, _ in counted]
    assert ctx.measured_as("last_success_timestamp_seconds") == []


def test_no_secret_reaches_an_answer_a_log_line_or_an_exception(store: ScriptedStore) -> None:
    """Whatever the store answers."""
    context = Context()
    texts = []
    for status, code in ((403, "AccessDenied"), (404, "NoSuchBucket"), (500, "InternalError"), (400, "Odd")):
        store.before = lambda count, status=status, code=code: (status, code)  # type: ignore[misc]
        try:
            texts.append(json.dumps(main.handler(context, element(BEAUTY))))
        except Retry as error:
            texts.append(f"{error} {error.as_dict()} {error.__cause__!r}")
    assert len(texts) == 4
    assert "hush" not in " ".join(texts) + str(context.lines)


def test_an_error_that_nobody_foresaw_is_logged_with_its_place_and_comes_again(
    clean: pytest.MonkeyPatch, samples: Path, store: ScriptedStore
) -> None:
    """Not lost, and without a secret even if its text quotes one."""

    def broken(*_: Any, **__: Any) -> Any:
        raise LookupError("signed with hush-hush")

    clean.setattr("exr_inspector.exr.completeness.assess", broken)
    context = Context()
    with pytest.raises(Retry, match="LookupError") as caught:
        main.handler(context, path_event(samples, BEAUTY))
    (entry,) = context.entries()
    assert "in broken" in entry["traceback"]
    assert "hush" not in f"{caught.value} {context.lines}"


# Odd contexts


class RaisingSecrets(Context):
    """No secret is mounted: the platform then raised an error that is no KeyError."""

    @property
    def secrets(self) -> Any:
        """Raise as the platform did."""
        raise RuntimeError("Path not found")

    @secrets.setter
    def secrets(self, value: Any) -> None:
        """Nothing is kept."""


class Lazy:
    """Secrets that can be asked for by name alone."""

    def __getitem__(self, name: str) -> dict[str, str]:
        if name != "exr-inspector":
            raise OSError("Path not found")
        return {"log_level": "ERROR"}


class Hostile:
    """Every attribute raises, and none can be set."""

    def __getattribute__(self, name: str) -> Any:
        raise ValueError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise ValueError(name)


def odd_contexts() -> dict[str, Any]:
    """Contexts that misbehave, each in its own way."""

    def fails(*_: Any, **__: Any) -> Any:
        raise OSError("not today")

    class Swallows:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> bool:
            return True

    return {
        "none": None,
        "bare": SimpleNamespace(),
        "number": 17,
        "hostile": Hostile(),
        "raising secrets": RaisingSecrets(),
        "secrets of a wrong shape": SimpleNamespace(secrets=[1, 2]),
        "secrets that hold no text": SimpleNamespace(secrets={"a": {"s3endpoint": None}, "b": 3}),
        "raising logger": SimpleNamespace(logger=SimpleNamespace(info=fails, warning=fails, error=fails)),
        "logger without methods": SimpleNamespace(logger=object()),
        "raising tracer": SimpleNamespace(tracer=SimpleNamespace(start_as_current_span=fails)),
        "tracer without spans": SimpleNamespace(tracer=SimpleNamespace(start_as_current_span=lambda name: None)),
        "span that swallows errors": SimpleNamespace(tracer=SimpleNamespace(start_as_current_span=lambda name: Swallows())),
        "raising metrics": SimpleNamespace(counter=fails, histogram=lambda name: SimpleNamespace(record=fails)),
    }


@pytest.mark.parametrize("kind", sorted(odd_contexts()))
def test_a_context_that_misbehaves_changes_nothing(clean: pytest.MonkeyPatch, samples: Path, kind: str) -> None:
    """The answer is that of a context that works, with `init` and without, and errors come through."""
    context = odd_contexts()[kind]
    main.init(context)
    expected = main.handler(Context(), path_event(samples, BEAUTY))
    for one in (context, odd_contexts()[kind]):
        assert {**main.handler(one, path_event(samples, BEAUTY)), "timings_ms": 0} == {**expected, "timings_ms": 0}
    clean.setattr("exr_inspector.exr.completeness.assess", lambda *_, **__: 1 / 0)
    with pytest.raises(Retry, match="ZeroDivisionError"):
        main.handler(context, path_event(samples, BEAUTY))


def test_secrets_that_cannot_be_listed_are_asked_for_by_name(clean: pytest.MonkeyPatch, samples: Path) -> None:
    """By the names in EXR_SECRET_NAMES."""
    context = Context()
    context.secrets = Lazy()  # type: ignore[assignment]
    main.handler(context, path_event(samples, NOTES))
    assert context.lines == []


def test_init_reports_wrong_settings_at_once(clean: pytest.MonkeyPatch) -> None:
    """A container with wrong settings never becomes ready, and so loses no event."""
    clean.setenv("VAST_DB_ENDPOINT", "ftp://nowhere")
    clean.setenv("EXR_FIRST_RANGE", "much")
    with pytest.raises(BadSettings, match="2 settings are wrong") as caught:
        main.init(Context())
    assert set(caught.value.place["settings"]) == {"VAST_DB_ENDPOINT", "EXR_FIRST_RANGE"}


def test_twenty_threads_make_one_runtime(clean: pytest.MonkeyPatch, samples: Path) -> None:
    """Even when `init` was not called before the first events."""
    context = Context()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda name: main.handler(context, path_event(samples, name)), list(SAMPLES) * 4))
    assert len(answers) == len(SAMPLES) * 4 == len(context.lines)
    assert isinstance(vars(context)[STATE], Runtime)


# Import


def test_importing_main_loads_nothing_that_takes_long() -> None:
    """Cold start: neither database, nor object store, nor pixels, nor tables."""
    code = "import sys, main; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    slow = {"vastdb", "boto3", "botocore", "OpenEXR", "pyarrow", "numpy", "pandas", "ibis", "tenacity", "fileseq", "argparse"}
    assert set(run.stdout.split()) & slow == set()


def test_the_signatures_are_as_the_platforms_command_line_wants_them() -> None:
    """Its check of 5.4 refused annotations."""
    source = (ROOT / "main.py").read_text(encoding="utf-8")
    assert "\ndef init(ctx):" in source
    assert "\ndef handler(ctx, event):" in source
