"""Paths: normal form, frames, sequences, versions and UDIM tiles."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter

import fileseq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_inspector.payload.names import FileName, displayable, normalize_path, parse_name


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/proj//show/./a.exr", "/proj/show/a.exr"),
        ("/proj/x/../a.exr", "/proj/a.exr"),
        ("/../../a.exr", "/a.exr"),
        ("../a/../b.exr", "../b.exr"),
        ("a/../../b.exr", "../b.exr"),
        ("C:\\proj\\a.exr", "C:/proj/a.exr"),
        ("\\\\server\\share\\a.exr", "/server/share/a.exr"),
        ("s3://bucket//k//a.exr", "s3://bucket/k/a.exr"),
        ("s3://bucket/../../a.exr", "s3://bucket/a.exr"),
        ("/Proj/Été/A.EXR", "/Proj/Été/A.EXR"),
        ("/e\u0301.exr", "/é.exr"),
        ("", ""),
        ("./", ""),
    ],
)
def test_paths_have_one_normal_form(path: str, normal: str) -> None:
    """POSIX separators, no duplicate slashes or dot segments, NFC, case kept."""
    assert normalize_path(path) == normal


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("aé./\\:e\u0301S3\udc80 "), max_size=30))
def test_normalising_twice_changes_nothing(path: str) -> None:
    """And the result can be encoded."""
    once = normalize_path(path)
    assert normalize_path(once) == once
    assert unicodedata.is_normalized("NFC", once)
    once.encode()


def test_bytes_of_a_file_name_that_are_not_utf8_can_be_shown() -> None:
    """No lone surrogate leaves."""
    assert displayable("a\udcffb") == "a\ufffd\ufffd\ufffdb"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/s/beauty.1001.exr", FileName(1001, "/s/beauty.#.exr")),
        ("/s/beauty_0007.exr", FileName(7, "/s/beauty_#.exr")),
        ("/s/beauty1001.exr", FileName(1001, "/s/beauty#.exr")),
        ("/s/1001.exr", FileName(1001, "/s/#.exr")),
        ("/s/beauty.-0005.exr", FileName(-5, "/s/beauty.#.exr")),
        ("/s/shot-0001.exr", FileName(1, "/s/shot-#.exr")),
        ("/s/beauty.1001.left.exr", FileName(1001, "/s/beauty.#.left.exr")),
        ("/s/beauty_v003.1001.exr", FileName(1001, "/s/beauty_v003.#.exr", "v003")),
        ("/s/V012/beauty.1001.exr", FileName(1001, "/s/V012/beauty.#.exr", "v012")),
        ("/s/ver003/beauty.1001.exr", FileName(1001, "/s/ver003/beauty.#.exr", "v003")),
        ("/s/comp_ver003.exr", FileName(version_token="v003")),
        ("/s/comp_version_003.exr", FileName(version_token="v003")),
        ("/s/comp_Ver-3.1001.exr", FileName(1001, "/s/comp_Ver-3.#.exr", "v3")),
        ("/s/river003.exr", FileName(3, "/s/river#.exr")),
        ("/s/v1/v2/beauty.1001.exr", FileName(1001, "/s/v1/v2/beauty.#.exr", "v2")),
        ("/s/comp_v003.exr", FileName(version_token="v003")),
        ("/s/v003.exr", FileName(version_token="v003")),
        ("/s/sh010_comp.exr", FileName()),
        ("/s/beauty.20260131123456.exr", FileName()),
        ("/s/beauty.1001.EXR", FileName(1001, "/s/beauty.#.EXR")),
        ("/s/rock.1001", FileName()),
        ("/s/" + "1.a" * 20_000 + ".1001.exr", FileName()),
        ("/assets/textures/rock.1012.exr", FileName(None, "/assets/textures/rock.<UDIM>.exr", None, "1012")),
        ("/assets/tex/rock_v2.1001.exr", FileName(None, "/assets/tex/rock_v2.<UDIM>.exr", "v2", "1001")),
        ("/assets/rock_u1_v2.exr", FileName(None, "/assets/rock_<UDIM>.exr", None, "u1_v2")),
        ("/s/context/beauty.1001.exr", FileName(1001, "/s/context/beauty.#.exr")),
    ],
)
def test_names_are_read_by_the_conventions_of_the_field(path: str, expected: FileName) -> None:
    """Frame, sequence, version and tile."""
    assert parse_name(path) == expected


def test_a_mip_mapped_file_is_a_texture_wherever_it_lies() -> None:
    """The header knows better than the folder; four digits outside 1001 to 1999 are still a frame."""
    assert parse_name("/s/rock.1012.exr", is_texture=True).udim == "1012"
    assert parse_name("/s/rock.0012.exr", is_texture=True).frame_number == 12


def names_of_a_show() -> list[str]:
    """20 shots x 5 versions x 100 frames, shuffled: 100 sequences."""
    names = [
        f"/show/sh{shot:03d}/beauty_v{version:03d}.{frame:04d}.exr"
        for shot in range(20) for version in range(1, 6) for frame in range(1001, 1101)
    ]  # fmt: skip
    random.Random(7).shuffle(names)
    return names


def test_sequences_are_those_that_fileseq_finds() -> None:
    """10,000 names: the same 100 sequences with the same frames."""
    names = names_of_a_show()
    ours = Counter(parse_name(name).sequence_key for name in names)
    sequences = fileseq.findSequencesInList(names)
    theirs = {f"{one.dirname()}{one.basename()}#{one.extension()}": len(one) for one in sequences}
    assert dict(ours) == theirs
    assert len(ours) == 100


@settings(deadline=None)
@given(
    base=st.from_regex(r"[a-z]{1,6}[._]", fullmatch=True), frame=st.integers(0, 99999), pad=st.integers(1, 6),
    tail=st.sampled_from([".exr", ".left.exr"]),
)  # fmt: skip
def test_frames_are_those_that_fileseq_reads(base: str, frame: int, pad: int, tail: str) -> None:
    """Any padding, with and without a view before the extension."""
    name = f"{base}{frame:0{pad}d}{tail}"
    (sequences,) = fileseq.findSequencesInList([name])
    parsed = parse_name(name)
    assert parsed.frame_number == sequences.start() == frame
    assert parsed.sequence_key == f"{sequences.basename()}#{sequences.extension()}"


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_name_is_read_without_an_error(name: str) -> None:
    """The sequence key, where there is one, holds its mark once per name."""
    name_parts = parse_name(normalize_path(name))
    assert (name_parts.sequence_key is None) == (name_parts.frame_number is None and name_parts.udim is None)
