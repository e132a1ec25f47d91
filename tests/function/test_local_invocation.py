"""`python main.py`: the same handler on a laptop; inputs, forms of output, exit status."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import vastdb

import main
from exr_inspector.function.events import read_envelope, read_requests
from exr_inspector.function.job import status_of
from exr_inspector.operations.samples import SAMPLES, write_samples
from local_vast import LocalVast
from pixel_files import chunk_offsets

ROOT = Path(__file__).resolve().parents[2]
EVENTS = sorted((ROOT / "events").glob("*.json"))
BEAUTY = next(name for name in SAMPLES if name.endswith("beauty_v003.1001.exr"))
NOTES = next(name for name in SAMPLES if name.endswith("notes.exr"))


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the samples where scripts/run puts them."""
    directory = tmp_path_factory.mktemp("work")
    write_samples(directory / ".local_vast/samples")
    return directory


@pytest.fixture
def here(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same as the working folder, without any setting of the machine's; no folder is allowed to events."""
    monkeypatch.chdir(workplace)
    for name in ("VAST_DB_ENDPOINT", "VASTDB_ENDPOINT", "S3_ENDPOINT", "S3_ENDPOINT_URL", "LOG_LEVEL", "DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EXR_LOCAL_ROOTS", "")
    return workplace / ".local_vast/samples"


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port of this machine at which nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, the printed answers, and what went to the standard error."""
    try:
        status = main.main([str(argument) for argument in arguments])
    except SystemExit as exit_:
        status = int(exit_.code or 0)
    printed = capsys.readouterr()
    return status, [json.loads(line) for line in printed.out.splitlines()], printed.err


def test_a_file_gives_its_whole_payload_on_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Compact by default, nothing on the standard error; the setting that is missing for storing it is named."""
    status, (answer,), errors = run(capsys, here / BEAUTY)
    assert (status, errors) == (0, "")
    assert answer["attributes"]["parts"][0]
    assert answer["persistence"]["missing_setting"] == "VAST_DB_ENDPOINT"


def test_several_inputs_are_several_lines_and_the_gravest_status(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A good file, a frame cut short, a text file."""
    status, answers, _ = run(capsys, *(here / name for name in SAMPLES))
    assert status == 1
    assert [Path(answer["file"]["path"]).name for answer in answers] == [Path(name).name for name in SAMPLES]


@pytest.mark.parametrize(
    ("content", "status", "answer", "code"),
    [
        (b"This is a note.", 1, "unreadable", "bad_magic"),
        (b"", 1, "unreadable", None),
        (None, 1, "rejected", "object_unavailable"),
    ],
)
def test_bad_files_have_a_clear_answer_each(
    here: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, status: int, answer: str, code: str | None
) -> None:
    """Text, nothing at all, no file: no traceback, a reason, a status."""
    path = here / "bad.exr"
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)
    got, (printed,), errors = run(capsys, path)
    assert (got, status_of(printed), errors) == (status, answer, "")
    assert printed["errors"][0]["message"]
    assert code in (None, printed["errors"][0]["code"])


@pytest.mark.parametrize("name", ["folder", "folder.exr"])
def test_a_folder_is_said_to_be_one(here: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """With and without the suffix."""
    (here / name).mkdir(exist_ok=True)
    status, (answer,), _ = run(capsys, here / name)
    assert status == 1
    assert "is a directory" in answer["errors"][0]["message"]


def test_a_file_named_on_the_command_line_may_be_read_wherever_it_is(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths start at the working folder; the file itself is allowed, its neighbours in events are not."""
    monkeypatch.chdir(here / Path(BEAUTY).parent)
    assert run(capsys, Path(BEAUTY).name)[0] == 0
    event = here / "neighbour.json"
    event.write_text(json.dumps({"data": {"path": str(here / BEAUTY).replace("1001", "1002")}}))
    status, answers, _ = run(capsys, Path(BEAUTY).name, event)
    assert status == 1
    assert "EXR_LOCAL_ROOTS" in answers[1]["errors"][0]["remedy"]


def test_pretty_is_the_same_answer_indented(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people."""
    main.main([str(here / BEAUTY), "--pretty"])
    text = capsys.readouterr().out
    assert text.startswith('{\n  "schema_version": 1,')
    assert json.loads(text)["file"]["status"] == "ok"


def test_a_summary_is_one_line_of_text_for_each_input(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With or without a payload."""
    main.main([str(here / BEAUTY), str(here / "missing.exr"), str(here / "notes.txt"), "--summary"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "rejected", "skipped"]
    assert "no such file" in lines[1]


def test_a_summary_says_why_nothing_was_stored(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit status is 1, and the reason stands behind what was read."""
    with LocalVast(buckets=("exr-metadata",)) as server:
        for name, value in (("ENDPOINT", server.url), ("ACCESS_KEY", server.access_key), ("SECRET_KEY", server.secret_key)):
            monkeypatch.setenv(f"VAST_DB_{name}", value)
        session = vastdb.connect(endpoint=server.url, access=server.access_key, secret=server.secret_key)
        with session.transaction() as tx:
            schema = tx.bucket("exr-metadata").create_schema("exr_inspector")
            schema.create_table("files", pa.schema([("file_id", pa.int64())]))
        assert main.main([str(here / BEAUTY), "--summary"]) == 1
    line = capsys.readouterr().out
    assert line.startswith("ok  ")
    assert "not stored: " in line
    assert "file_id" in line


def test_a_summary_says_why_a_file_was_not_judged(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A policy that cannot be used."""
    Path("event.json").write_text(json.dumps({"data": {"path": str(here / BEAUTY), "policy_path": "no/such.toml"}}))
    assert main.main([str(here / BEAUTY), "event.json", "--summary"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "policy 'no/such.toml'" in lines[1]
    assert "policy" not in lines[0]


def test_a_summary_has_a_line_for_each_record(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An event of several objects is several lines."""
    records = [{"s3": {"bucket": {"name": "shows"}, "object": {"key": name}}} for name in ("a.exr", "b.exr")]
    Path("event.json").write_text(json.dumps({"data": {"Records": records}}))
    assert main.main(["event.json", "--summary"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[:2] for line in lines] == [["rejected", f"s3://shows/{name}"] for name in ("a.exr", "b.exr")]
    assert all("S3_ENDPOINT is missing" in line for line in lines)


@pytest.mark.parametrize("form", ["--pretty", "--summary"])
def test_a_name_that_is_not_utf8_can_be_printed(here: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    """As an escape."""
    odd = here / os.fsdecode(b"caf\xe9.exr")
    odd.write_bytes((here / BEAUTY).read_bytes())
    assert main.main([str(odd), form]) == 0
    assert "caf" in capsys.readouterr().out


def test_output_goes_to_a_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing to the standard output."""
    status, answers, _ = run(capsys, here / BEAUTY, "--output", here / "answer.json")
    assert (status, answers) == (0, [])
    assert json.loads((here / "answer.json").read_text())["file"]["status"] == "ok"


def test_verbose_writes_the_log_line_to_the_standard_error(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line that the platform's log would have."""
    _, _, errors = run(capsys, here / NOTES, "--verbose")
    assert json.loads(errors)["verdict"] == "reject"


WRONG = [[], ["--no-such-option"], ["no_such_event.json"], ["broken.json"], ["a.exr", "--output", "/no/such/folder/x"]]


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_usage_has_status_two(here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """An event file that is not there or is no JSON counts as such; there is no traceback."""
    Path("broken.json").write_text("{")
    status, answers, errors = run(capsys, *arguments)
    assert (status, answers) == (2, [])
    assert errors.startswith("usage: main.py")


def test_wrong_settings_have_status_two_and_are_all_named(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is read."""
    monkeypatch.setenv("VAST_DB_ENDPOINT", "ftp://nowhere")
    monkeypatch.setenv("EXR_FIRST_RANGE", "much")
    status, answers, errors = run(capsys, here / BEAUTY)
    assert (status, answers) == (2, [])
    assert "VAST_DB_ENDPOINT" in errors
    assert "EXR_FIRST_RANGE" in errors


def test_a_database_out_of_reach_has_status_three(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    """It may succeed later; the answer says so, without the key."""
    monkeypatch.setenv("VAST_DB_ENDPOINT", f"http://127.0.0.1:{unused_port}")
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", "hush")
    monkeypatch.setenv("VAST_DB_SECRET_KEY", "hush")
    status, (answer,), errors = run(capsys, here / BEAUTY)
    assert (status, answer["status"]) == (3, "retry")
    assert answer["errors"][0]["code"] == "database_unreachable"
    assert "hush" not in json.dumps(answer) + errors


EXPECTED = {
    "bucket_and_key": "rejected",
    "cut_short": "incomplete",
    "element_created": "rejected",
    "element_deleted": "rejected",
    "file_path_without_attributes": "ok",
    "missing_file": "rejected",
    "no_location": "rejected",
    "not_an_exr": "unreadable",
    "path": "ok",
    "schedule": "skipped",
}
"""What each sample event gives beside the samples, without an object store."""


def test_every_sample_event_is_expected() -> None:
    """A new one needs a line in the list."""
    assert [path.stem for path in EVENTS] == sorted(EXPECTED)


@pytest.mark.parametrize("path", EVENTS, ids=[path.stem for path in EVENTS])
def test_the_sample_events_work_with_the_samples(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """As files for `python main.py`, from the project's folder after scripts/run."""
    monkeypatch.delenv("EXR_LOCAL_ROOTS")
    _, (answer,), _ = run(capsys, path)
    assert status_of(answer) == EXPECTED[path.stem]


@pytest.mark.parametrize("name", ["bucket_and_key", "element_created"])
def test_the_sample_events_about_objects_name_samples(name: str) -> None:
    """Their bucket is the first folder below the samples, so that `python -m local_vast --objects` serves them."""
    (request,) = read_requests(read_envelope(json.loads((ROOT / f"events/{name}.json").read_text())))
    assert f"{request.bucket}/{request.keys[0]}" in SAMPLES


def test_the_command_runs_as_a_program(here: Path) -> None:
    """From any folder, with an exit status for the shell."""
    command = [sys.executable, str(ROOT / "main.py"), str(here / NOTES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["file"]["status"] == "unreadable"
    assert done.stderr == ""


@pytest.fixture
def corrupt(here: Path) -> Path:
    """A sample with one chunk of noise, the second."""
    data = bytearray((here / BEAUTY).read_bytes())
    at = chunk_offsets(bytes(data))[1]
    (size,) = struct.unpack_from("<i", data, at + 4)
    data[at + 8 : at + 8 + size] = bytes(range(256)) * (size // 256) + bytes(size % 256)
    path = here / "corrupt.exr"
    path.write_bytes(data)
    return path


def test_a_file_whose_pixels_do_not_decode_is_damaged(
    corrupt: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With statistics, which alone can tell: an error with part and chunk, the exit status of a bad file, a policy that fails."""
    status, (answer,), _ = run(capsys, corrupt)
    assert (status, answer["file"]["status"], answer["errors"]) == (0, "ok", [])
    monkeypatch.setenv("EXR_STATS", "full")
    monkeypatch.setenv("EXR_VALIDATE", "true")
    status, (answer,), _ = run(capsys, corrupt)
    assert (status, answer["file"]["status"], answer["file"]["completeness"]["verdict"]) == (1, "damaged", "complete")
    (error,) = answer["errors"]
    assert (error["code"], error["part"]) == ("chunk_not_decodable", 0)
    assert error["message"].startswith("part 0: chunk 1 of lines 16 to 31, ")
    assert answer["stats"]["findings"] == answer["errors"]
    failed = {result["rule_id"]: result["actual"] for result in answer["validation"]["results"] if result["status"] == "FAIL"}
    assert (answer["validation"]["status"], failed["readable"]) == ("FAIL", "damaged")


def test_what_the_library_says_of_a_damaged_file_is_in_the_answer_and_nowhere_else(corrupt: Path) -> None:
    """In a process of its own, whose standard error is a pipe: OpenEXR's C library writes to the descriptor."""
    command = [sys.executable, str(ROOT / "main.py"), str(corrupt), "--summary"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "EXR_STATS": "full"})
    assert (done.returncode, done.stderr) == (1, "")
    (line,) = done.stdout.splitlines()
    assert line.startswith("damaged  ")
    assert line.endswith("error chunk_not_decodable")


def test_a_cut_file_is_incomplete_with_statistics_as_well(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last chunk does not decode, and that is not what is wrong with it; the first error says why it has its status."""
    monkeypatch.setenv("EXR_STATS", "full")
    path = here / "cut.exr"
    path.write_bytes((here / BEAUTY).read_bytes()[:-100])
    status, (answer,), _ = run(capsys, path)
    assert (status, answer["file"]["status"]) == (0, "incomplete")
    assert [error["code"] for error in answer["errors"]] == ["chunks_truncated", "chunk_not_decodable"]
