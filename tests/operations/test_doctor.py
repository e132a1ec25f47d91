"""The doctor's verdict on each step, and the function tried end to end."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import main as function
from databases import BUCKET, Database, database
from exr_bytes import image, text
from exr_inspector.cli import doctor as doctor_command
from exr_inspector.function.host import FunctionHost
from exr_inspector.operations import doctor, function_trial
from exr_inspector.payload.document import INSPECTOR_VERSION
from old_schema import old_database, run, state

STEPS = list(doctor.STEPS)


@pytest.fixture
def empty() -> Iterator[Database]:
    """An endpoint without tables."""
    with database() as running:
        yield running


def verdicts(answer: dict[str, Any]) -> dict[str, str]:
    return {name: one["verdict"] for name, one in answer["steps"].items()}


def test_all_is_well_and_nothing_stays_behind(empty: Database, tmp_path: Path) -> None:
    """Every step is tried, also before there are tables; afterwards the schema is as empty as it was."""
    path = tmp_path / "a.1001.exr"
    path.write_bytes(image(text("owner", "me")))
    for arguments in ((), (str(path),)):
        status, answer = run(empty, "doctor", *arguments)
        assert (status, verdicts(answer)) == (0, dict.fromkeys(STEPS, "ok")), answer
    assert "3 channels" in answer["steps"]["payload"]["detail"]
    assert state(empty).tables == {}


@pytest.mark.parametrize(
    ("template", "detail"),
    [
        ("", "no show and no shot, by the conventions of the field; EXR_PATH_TEMPLATE is not set"),
        ("/x/{show}; {root}/{shot}/*", "shot sh7, by {root}/{shot}/*"),
        ("/x/{show}", "no show and no shot: no template of EXR_PATH_TEMPLATE fits"),
    ],
)
def test_the_place_of_a_file_is_told_with_the_template_that_fits(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str, detail: str
) -> None:
    """So that templates can be tried on a path."""
    monkeypatch.setenv("EXR_PATH_TEMPLATE", template)
    path = tmp_path / "sh7/a.1001.exr"
    path.parent.mkdir()
    path.write_bytes(image())
    step = run(empty, "doctor", str(path))[1]["steps"]["place"]
    assert (step["verdict"], step["detail"]) == ("ok", detail)


def test_a_write_into_real_tables_is_rolled_back(empty: Database) -> None:
    """With tables there, the rows are inserted into them, and gone afterwards."""
    run(empty, "init")
    assert run(empty, "doctor")[0] == 0
    assert empty.rows("files") == []


def test_an_event_is_read_like_the_function_reads_it(empty: Database, tmp_path: Path) -> None:
    """A JSON file is an event; what it names is inspected."""
    (tmp_path / "a.exr").write_bytes(image())
    event = tmp_path / "event.json"
    event.write_text('{"data": {"path": "%s"}}' % (tmp_path / "a.exr"), encoding="utf-8")
    assert run(empty, "doctor", str(event))[0] == 0
    event.write_text("{", encoding="utf-8")
    status, answer = run(empty, "doctor", str(event))
    assert (status, answer["failed"], verdicts(answer)["write"]) == (3, "payload", "not tried")
    assert verdicts(answer)["tables"] == "ok"


def test_a_wrong_key_is_found_at_the_step_that_needs_it(empty: Database) -> None:
    """Steps before it are well, those after it are not tried; no key is shown."""
    wrong = Database(empty.server, empty.settings.__class__(**{**_values(empty.settings), "db_secret_key": "wrong-secret"}))
    status, answer = run(wrong, "doctor")
    assert (status, answer["failed"]) == (3, "credentials")
    steps = verdicts(answer)
    assert [steps[name] for name in ("settings", "dns", "endpoint", "tls")] == ["ok"] * 4
    assert (steps["bucket"], steps["schema"], steps["write"]) == ("not tried",) * 3
    assert answer["steps"]["credentials"]["remedy"]
    assert "wrong-secret" not in str(answer)


def _values(settings: Any) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__slots__}


def test_a_port_where_nobody_listens(empty: Database) -> None:
    """The remedy is about the network, not about keys."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        nobody = Database(empty.server, empty.settings.__class__(**{**_values(empty.settings), "db_endpoint": url}))
        answer = run(nobody, "doctor")[1]
    assert answer["failed"] == "endpoint"
    assert "firewall" in answer["steps"]["endpoint"]["remedy"]


def test_an_address_is_tried_without_keys(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever only asks whether the endpoint answers need not have them; what needs them says that they are missing."""
    for name in ("VAST_DB_ACCESS_KEY", "VAST_DB_SECRET_KEY", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("S3_ENDPOINT", empty.server.url)
    for url, failed in (("http://data-vip.invalid", "dns"), (empty.server.url, "credentials")):
        verdicts = doctor.examine(doctor.Patient(url))
        assert next(name for name, one in verdicts.items() if one["verdict"] == "failed") == failed
    assert "VAST_DB_SECRET_KEY: missing" in verdicts["credentials"]["detail"]


def test_tls_where_there_is_none(empty: Database) -> None:
    """An https address of a plain server fails at the step tls."""
    url = empty.server.url.replace("http:", "https:")
    secure = Database(empty.server, empty.settings.__class__(**{**_values(empty.settings), "db_endpoint": url}))
    answer = run(secure, "doctor")[1]
    assert answer["failed"] == "tls"
    assert "VAST_CA_BUNDLE" in answer["steps"]["tls"]["remedy"]


def test_an_old_schema_is_named_with_its_migration() -> None:
    """The tables of 1.0.0 do not take what this version writes."""
    with old_database() as running:
        answer = run(running, "doctor")[1]
        assert answer["failed"] == "tables"
        assert "exr-inspector schema migrate" in answer["steps"]["tables"]["remedy"]


def test_a_bucket_that_is_not_there(empty: Database) -> None:
    """It is told apart from a schema that is not there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("old_schema.BUCKET", "nobody")
        answer = run(empty, "doctor")[1]
    assert answer["failed"] == "bucket"


def test_the_function_is_tried_in_this_process(empty: Database) -> None:
    """Events in, rows out; the samples are marked as removed, and a wrong version is said."""
    status, answer = run(empty, "test_function", "--sample-files", "2")
    assert (status, answer["sent"], answer["stored"], answer["problems"]) == (0, 2, 2, [])
    assert all(row["deleted_at"] for row in empty.rows("files"))
    status, answer = run(empty, "test_function", "--sample-files", "1", "--version", "9.9.9")
    assert status == 3
    assert f"version {INSPECTOR_VERSION}, expected 9.9.9" in answer["problems"][0]


def test_the_function_is_tried_through_a_bucket(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The samples are put as objects, read by the function from there, and deleted again."""
    monkeypatch.setenv("S3_ENDPOINT", empty.server.url)
    monkeypatch.setenv("S3_ACCESS_KEY", empty.server.access_key)
    monkeypatch.setenv("S3_SECRET_KEY", empty.server.secret_key)
    status, answer = run(empty, "test_function", "--sample-files", "1", "--bucket", BUCKET)
    assert (status, answer["problems"]) == (0, [])
    assert empty.rows("files")[0]["bucket"] == BUCKET
    methods = [(one.method, one.path) for one in empty.server.requests if "exr-inspector-test" in one.path]
    assert methods[-1][0] == "DELETE"


def test_a_function_that_stores_nothing_is_found_out(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer without errors is not believed: the rows are looked for."""
    monkeypatch.setattr(function, "handler", lambda ctx, event: {"errors": []})
    status, answer = run(empty, "test_function", "--sample-files", "1")
    assert status == 3
    assert "nothing is stored" in answer["problems"][0]


def test_the_function_is_tried_behind_a_host(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host takes the events as CloudEvents, and their rows are found in the database."""
    given = empty.settings
    for name in ("db_endpoint", "db_access_key", "db_secret_key", "db_bucket", "db_schema"):
        monkeypatch.setenv(f"VAST_{name.upper()}", str(getattr(given, name)))
    with FunctionHost(function.handler, function.init) as host:
        host.wait_until_ready(30)
        status, answer = run(empty, "test_function", "--sample-files", "1", "--url", host.url)
    assert (status, answer.get("problems")) == (0, []), answer


def test_a_host_that_is_not_there(empty: Database) -> None:
    """The status is that of something that may be mended by waiting."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert run(empty, "test_function", "--sample-files", "1", "--url", url)[0] == 1
    assert run(empty, "test_function", "--url", "ftp://host")[0] == 2


def test_rows_that_differ_from_what_was_sent_are_named() -> None:
    """Counts of the other tables, and the status."""
    row = {"inspector_version": "1", "status": "incomplete", "channels": 2, "channel_count": 3, "parts": 1, "multipart_count": 1}
    problems = list(function_trial.problems("/a.exr", row | {"attributes": 4}, "1"))
    assert problems == ["/a.exr: status incomplete, expected ok", "/a.exr: 1 parts, 2 channels and 4 attributes are stored"]


def test_a_dry_run_of_the_doctor_leaves_out_the_write(empty: Database) -> None:
    """All other steps are tried, and the request log has no insert and no new table."""
    empty.server.clear_requests()
    status, answer = run(empty, "doctor", "--dry-run")
    assert (status, verdicts(answer).pop("write")) == (0, "not tried")
    assert {verdict for name, verdict in verdicts(answer).items() if name != "write"} == {"ok"}
    written = [one for one in empty.server.requests if one.method in ("POST", "PUT", "DELETE") and one.command != "transaction"]
    assert written == []


def test_a_dry_run_of_the_function_s_test_sends_nothing(empty: Database) -> None:
    """It connects, and says how many events would go where."""
    empty.server.clear_requests()
    status, answer = run(empty, "test_function", "--dry-run", "--sample-files", "2")
    assert (status, answer["dry_run"], answer["sent"]) == (0, True, 0)
    assert [one.method for one in empty.server.requests] == ["GET"]


def test_a_bundle_holds_what_an_issue_needs_and_no_secret(empty: Database, tmp_path: Path) -> None:
    """Versions, settings, steps with their times, and the last errors of stored files, without their paths."""
    (tmp_path / "broken.exr").write_bytes(b"no EXR")
    assert run(empty, "backfill", str(tmp_path), "--workers", "1")[0] == 0
    assert run(empty, "doctor", "--bundle", str(tmp_path / "bundle.json"))[0] == 0
    text_ = (tmp_path / "bundle.json").read_text(encoding="utf-8")
    bundle = json.loads(text_)
    assert str(empty.settings.db_secret_key) not in text_
    assert bundle["settings"]["VAST_DB_SECRET_KEY"] == "set"
    assert bundle["settings"]["VAST_DB_ENDPOINT"] == empty.settings.db_endpoint
    assert bundle["packages"]["vastdb"]
    assert {name: one["verdict"] for name, one in bundle["steps"].items()} == dict.fromkeys(STEPS, "ok")
    assert all(one["milliseconds"] >= 0 for one in bundle["steps"].values())
    assert [one["error_code"] for one in bundle["last_errors"]] == ["bad_magic"]
    assert "broken.exr" not in json.dumps(bundle["last_errors"])


def test_a_bundle_is_written_where_nothing_answers(empty: Database, tmp_path: Path) -> None:
    """That is when it is needed; it says why there are no errors to show."""
    empty.server.stop()
    assert run(empty, "doctor", "--bundle", str(tmp_path / "bundle.json"))[0] == 3
    bundle = json.loads((tmp_path / "bundle.json").read_text(encoding="utf-8"))
    assert bundle["steps"]["endpoint"]["verdict"] == "failed"
    assert isinstance(bundle["last_errors"], str)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("bad_settings", "Settings that are wrong or missing"),
        ("chunks_truncated", "Copy the file again; the original may be whole."),
        ("not_there", "No stored file is of the show"),
    ],
)
def test_a_code_is_explained(code: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By its class and by the problem that has it, without an endpoint."""
    assert doctor_command.main(["--explain", code]) == 0
    assert said in capsys.readouterr().out


def test_a_code_that_is_none_gets_the_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """With status 2."""
    assert doctor_command.main(["--explain", "bad_setings"]) == 2
    assert "Did you mean bad_settings" in capsys.readouterr().err
