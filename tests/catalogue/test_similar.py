"""The nearest files are found, through the vector index and by the scan alike, and what makes the distance is said."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import main as function
from exr_inspector.catalogue import similarity
from exr_inspector.catalogue.differences import differences
from exr_inspector.cli import similar
from exr_inspector.operations.samples import SAMPLES, SHOT, write_samples
from local_vast import LocalVast

BEAUTY = f"{SHOT}/beauty/v003/sq010_sh020_beauty_v003.1001.exr"
OLDER = f"{SHOT}/beauty/v002/sq010_sh020_beauty_v002.1001.exr"


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, LocalVast]]:
    """The sample renders, inspected and stored by the function."""
    directory = tmp_path_factory.mktemp("samples")
    write_samples(directory)
    with LocalVast(buckets=("renders",)) as server, pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, similarity.DRIVER, raising=False)  # scripts that need no engine mark it as absent
        for name, value in {
            "VAST_DB_ENDPOINT": server.url,
            "VAST_DB_ACCESS_KEY": server.access_key,
            "VAST_DB_SECRET_KEY": server.secret_key,
            "VAST_DB_BUCKET": "renders",
            "VAST_DB_SCHEMA": "exr",
            "EXR_LOCAL_ROOTS": str(directory),
        }.items():
            patch.setenv(name, value)
        context = SimpleNamespace()
        function.init(context)
        for relative in SAMPLES:
            function.handler(context, {"data": {"path": str(directory / relative)}})
        yield directory, server


def ask_similar(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    """The answer as plain data."""
    assert similar.main([*arguments, "--format", "json"]) == 0
    answer: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return answer


@pytest.mark.parametrize("way", [[], ["--exact"]])
def test_an_exr_on_disk_finds_its_older_version_first(
    samples: tuple[Path, LocalVast], capsys: pytest.CaptureFixture[str], way: list[str]
) -> None:
    """Its own sequence is left out; the version before is nearest, and explained by its build and its settings."""
    answer = ask_similar(capsys, str(samples[0] / BEAUTY), "--explain", *way)
    assert str(answer[0]["file_path"]).endswith(OLDER)
    assert not any("beauty_v003" in str(one["file_path"]) for one in answer)
    fields = {entry["field"]: entry for entry in answer[0]["explanation"]}  # type: ignore[attr-defined]
    assert set(fields) == {"colour space and software", "attribute values"}, fields
    assert "render_product Blender 4.1.1" in fields["colour space and software"]["only_other"]
    assert [one["distance"] for one in answer] == sorted(one["distance"] for one in answer)  # type: ignore[type-var]


def test_index_and_scan_agree(samples: tuple[Path, LocalVast], capsys: pytest.CaptureFixture[str]) -> None:
    """The same files in the same order at the same distances."""
    reference = str(samples[0] / BEAUTY)
    assert ask_similar(capsys, reference) == ask_similar(capsys, reference, "--exact")
    assert ask_similar(capsys, reference, "--every-frame") == ask_similar(capsys, reference, "--every-frame", "--exact")


def test_a_sequence_that_fills_all_that_the_index_gives_does_not_hide_the_others(
    samples: tuple[Path, LocalVast], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for the two nearest rows at most, the index gives frames of the reference's own sequence; the scan answers."""
    reference = str(samples[0] / BEAUTY)
    expected = ask_similar(capsys, reference, "--exact", "--top", "2")
    monkeypatch.setattr(similarity, "FIRST_FETCH", 1)
    monkeypatch.setattr(similarity, "LARGEST_FETCH", 2)
    assert ask_similar(capsys, reference, "--top", "2") == expected


def test_without_the_driver_of_the_query_engine_the_scan_answers(
    samples: tuple[Path, LocalVast], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is searched by the engine alone; a machine that cannot speak to it gets the same answer."""
    reference = str(samples[0] / BEAUTY)
    expected = ask_similar(capsys, reference)
    monkeypatch.setitem(sys.modules, similarity.DRIVER, None)
    assert ask_similar(capsys, reference) == expected


def test_frames_of_one_sequence_are_listed_when_asked_for(
    samples: tuple[Path, LocalVast], capsys: pytest.CaptureFixture[str]
) -> None:
    """The neighbours in time come first, at no distance."""
    answer = ask_similar(capsys, str(samples[0] / BEAUTY), "--every-frame", "--top", "3")
    assert all("beauty_v003" in str(one["file_path"]) for one in answer)
    assert all(abs(float(str(one["distance"]))) < 1e-4 for one in answer)


def test_a_stored_file_is_a_reference_by_id_and_by_path(
    samples: tuple[Path, LocalVast], capsys: pytest.CaptureFixture[str]
) -> None:
    """Both give what the file on disk gives."""
    path = str((samples[0] / BEAUTY).resolve())
    by_disk = ask_similar(capsys, path)
    frames = ask_similar(capsys, str(samples[0] / OLDER), "--top", "100", "--every-frame")
    (stored,) = [one["file_id"] for one in frames if one["file_path"] == path]
    assert ask_similar(capsys, str(stored), "--exact") == by_disk


def test_channels_alone_are_compared_when_asked_for(samples: tuple[Path, LocalVast], capsys: pytest.CaptureFixture[str]) -> None:
    """The older version has the same channels, so its distance is zero."""
    answer = ask_similar(capsys, str(samples[0] / BEAUTY), "--by", "channels", "--top", "1", "--explain")
    assert str(answer[0]["file_path"]).endswith(OLDER)
    assert answer[0]["distance"] == 0
    assert answer[0]["explanation"] == []


def test_an_explanation_names_only_what_the_vector_sees() -> None:
    """A camera is one; a date, an artist and a frame in the path of a texture are none."""

    def payload(artist: str, date: str, camera: str, frame: int) -> dict[str, object]:
        texts = {"artist": artist, "capDate": date, "camera": camera, "texture": f"/tex/wall.{frame}.tx"}
        return {"attributes": {"parts": [[{"name": name, "type": "string", "value": text} for name, text in texts.items()]]}}

    one, other = payload("mira", "2026:03:02", "cam 12", 1001), payload("jonas", "2026:03:03", "cam 13", 1002)
    assert differences("values", one, other) == (["camera = cam 12"], ["camera = cam 13"])
    assert differences("attrs", one, other) == ([], [])


def test_an_attribute_that_one_side_lacks_is_explained_by_its_name() -> None:
    """Its value is not what differs; an empty one is seen as such where both have it."""

    def payload(**texts: str) -> dict[str, object]:
        return {"attributes": {"parts": [[{"name": name, "type": "string", "value": text} for name, text in texts.items()]]}}

    assert differences("values", payload(lens="50", look=""), payload(look="warm")) == (["lens", 'look = ""'], ["look = warm"])


def test_frames_of_its_own_sequence_are_said_to_be_left_out(
    samples: tuple[Path, LocalVast], capsys: pytest.CaptureFixture[str]
) -> None:
    """Only where there are some, and where they are left out."""
    note = "frames of its own sequence are left out (--every-frame)"
    assert similar.main([str(samples[0] / BEAUTY), "--top", "1"]) == 0
    assert note in capsys.readouterr().err
    assert similar.main([str(samples[0] / BEAUTY), "--top", "1", "--every-frame"]) == 0
    assert similar.main([str(samples[0] / OLDER), "--top", "1"]) == 0
    assert note not in capsys.readouterr().err


def test_a_number_of_parts_and_other_counts_are_explained_in_words(
    samples: tuple[Path, LocalVast], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no value by itself differs."""
    monkeypatch.setenv("COLUMNS", "120")
    assert similar.main([str(samples[0] / BEAUTY), "--top", "10"]) == 0
    printed = capsys.readouterr().out
    assert "stereo/v001: -1 part, +4 parts" in " ".join(printed.split())
    assert "the same part names and views, different channels in the parts" in " ".join(printed.split())


def test_without_a_query_engine_the_scan_answers(samples: tuple[Path, LocalVast], capsys: pytest.CaptureFixture[str]) -> None:
    """And says so."""
    samples[1].faults.add("501@engine**")
    try:
        assert similar.main([str(samples[0] / BEAUTY), "--top", "1"]) == 0
    finally:
        samples[1].faults.clear()
    printed = capsys.readouterr()
    assert "scanning" in printed.err
    assert OLDER.rpartition("/")[0] in printed.out


def test_a_reference_that_is_none_is_said(samples: tuple[Path, LocalVast], capsys: pytest.CaptureFixture[str]) -> None:
    """Neither on disk nor stored; and a text file named .exr."""
    assert similar.main(["nothing-of-the-kind"]) == 2
    assert "no such file" in capsys.readouterr().err
    assert similar.main([str(samples[0] / f"{SHOT}/beauty/v002/notes.exr")]) == 2
    assert os.environ["VAST_DB_SECRET_KEY"] not in capsys.readouterr().err


def test_the_table_for_people_explains_each_difference_once(
    samples: tuple[Path, LocalVast], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the files; signs say on which side it stands."""
    monkeypatch.setenv("COLUMNS", "80")
    assert similar.main([str(samples[0] / BEAUTY), "--every-frame", "--top", "4"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Nearest to sq010_sh020_beauty_v003.1001.exr by cosine distance\n")
    assert "v003  1001-1003         0" in printed
    plain = " ".join(printed.split())
    assert plain.count("-render_product Blender 4.2.3, +render_product Blender 4.1.1") == 1
    assert plain.count("-cycles.ViewLayer.samples = 256, +cycles.ViewLayer.samples = 128") == 1
    assert max(map(len, printed.split("\n\n")[1].splitlines())) <= 80
