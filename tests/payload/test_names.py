"""Paths: normal form, frames, sequences, versions and UDIM tiles."""

from __future__ import annotations

import doctest
import random
import unicodedata
from collections import Counter

import fileseq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_inspector.payload import names
from exr_inspector.payload.names import Name, Place, displayable, normalize_path, parse_name, place_of


def test_the_examples_in_the_docstrings_hold() -> None:
    """The rules are shown where they are stated."""
    assert doctest.testmod(names).failed == 0


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
        ("/s/beauty.1001.exr", Name(1001, "/s/beauty.#.exr")),
        ("/s/beauty_0007.exr", Name(7, "/s/beauty_#.exr")),
        ("/s/beauty1001.exr", Name(1001, "/s/beauty#.exr")),
        ("/s/1001.exr", Name(1001, "/s/#.exr")),
        ("/s/beauty.-0005.exr", Name(-5, "/s/beauty.#.exr")),
        ("/s/shot-0001.exr", Name(1, "/s/shot-#.exr")),
        ("/s/beauty.1001.left.exr", Name(1001, "/s/beauty.#.left.exr")),
        ("/s/beauty_v003.1001.exr", Name(1001, "/s/beauty_v003.#.exr", "v003")),
        ("/s/V012/beauty.1001.exr", Name(1001, "/s/V012/beauty.#.exr", "v012")),
        ("/s/v1/v2/beauty.1001.exr", Name(1001, "/s/v1/v2/beauty.#.exr", "v2")),
        ("/s/comp_v003.exr", Name(version_token="v003")),
        ("/s/v003.exr", Name(version_token="v003")),
        ("/s/sh010_comp.exr", Name()),
        ("/s/beauty.20260131123456.exr", Name()),
        ("/s/beauty.1001.EXR", Name(1001, "/s/beauty.#.EXR")),
        ("/s/rock.1001", Name()),
        ("/s/" + "1.a" * 20_000 + ".1001.exr", Name()),
        ("/assets/textures/rock.1012.exr", Name(None, "/assets/textures/rock.<UDIM>.exr", None, "1012")),
        ("/assets/tex/rock_v2.1001.exr", Name(None, "/assets/tex/rock_v2.<UDIM>.exr", "v2", "1001")),
        ("/assets/rock_u1_v2.exr", Name(None, "/assets/rock_<UDIM>.exr", None, "u1_v2")),
        ("/s/context/beauty.1001.exr", Name(1001, "/s/context/beauty.#.exr")),
    ],
)
def test_names_are_read_by_the_conventions_of_the_field(path: str, expected: Name) -> None:
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
    found = fileseq.findSequencesInList(names)
    theirs = {f"{one.dirname()}{one.basename()}#{one.extension()}": len(one) for one in found}
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
    (found,) = fileseq.findSequencesInList([name])
    parsed = parse_name(name)
    assert parsed.frame_number == found.start() == frame
    assert parsed.sequence_key == f"{found.basename()}#{found.extension()}"


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_name_is_read_without_an_error(name: str) -> None:
    """The sequence key, where there is one, holds its mark once per name."""
    found = parse_name(normalize_path(name))
    assert (found.sequence_key is None) == (found.frame_number is None and found.udim is None)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/shows/apollo/beauty.exr", Place("apollo")),
        ("/prod/apollo/assets/tree/tree.exr", Place("apollo")),
        ("/jobs/apollo/sequences/op/op_sh0100/v002/x.exr", Place("apollo", "op", "op_sh0100")),
        ("s3://bucket/PROJ/Apollo/SQ010/SH0020/x.exr", Place("Apollo", "SQ010", "SH0020")),
        ("/shows/x.exr", Place()),
        ("x.exr", Place()),
        ("", Place()),
    ],
)
def test_a_known_layout_is_read_and_any_other_is_left_alone(path, place):
    """Case is kept; a folder that is no shot code is no shot."""
    assert place_of(path) == place


@pytest.mark.parametrize(
    ("below", "sequence", "shot"),
    [
        # ShotGrid's default configuration: sequences/<Sequence>/<Shot>/<Step>
        ("sequences/010/010_0020/comp/publish/elements", "010", "010_0020"),
        ("sequences/010/0020/lgt/work", "010", "0020"),
        ("sequences/NEB_010/NEB_010_0020/fx", "NEB_010", "NEB_010_0020"),
        ("sequences/ab/shots/0010", "ab", "0010"),
        ("sequences/010/editorial", "010", None),
        ("sequences/010/comp/main_0010", "010", None),
        ("sequences/010_0020/comp", None, None),
        # AYON: shots/<hierarchy>/publish/render/<product>/<version>
        ("shots/sq01/sh010/publish/render/renderCompMain/v003", "sq01", "sh010"),
        ("shots/ep101/sq01/sh010/work/compositing", "sq01", "sh010"),
        ("episodes/101/sc010/0010/publish", "sc010", "0010"),
        # Kitsu: shots/<Sequence>/<Shot>/<Task type>, with an episode in series
        ("shots/SQ01/SH01/compositing", "SQ01", "SH01"),
        ("shots/EP101/SQ01/SH01A/compositing", "SQ01", "SH01A"),
        ("shots/010/0020/lighting", "010", "0020"),
        ("shots/ab/0020/lighting", "ab", "0020"),
        # One folder for each shot
        ("shots/0020/comp", None, "0020"),
        ("shots/ABC-010-0020/comp", None, "ABC-010-0020"),
        ("shots/ab/ab_0010/comp", "ab", "ab_0010"),
        ("NEB_010_0020/comp/v003", None, "NEB_010_0020"),
        ("NEB_0020/comp", None, "NEB_0020"),
        ("neb_sq010_0020", None, "neb_sq010_0020"),
        ("ABC-010-0020", None, "ABC-010-0020"),
        ("EP101_SC010_0010", None, "EP101_SC010_0010"),
        ("sq01_sh0030", None, "sq01_sh0030"),
        # Codes that name their level
        ("ep101/sc010/0010", "sc010", "0010"),
        ("s01e02/sc010/sh010", "sc010", "sh010"),
        ("vfx/sq010/sh010/renders", "sq010", "sh010"),
        ("comp/sh010", None, "sh010"),
        ("sq010/sq010_sh010", "sq010", "sq010_sh010"),
        ("sq010/010_0020", "sq010", "010_0020"),
        ("seq_010/shot_0010a", "seq_010", "shot_0010a"),
        ("scenes/sc010/sc010_0020", "sc010", "sc010_0020"),
        ("010/010_0020", "010", "010_0020"),
        ("ab/ab_0010", "ab", "ab_0010"),
    ],
)
def test_the_layouts_of_the_field_tell_sequence_and_shot(below, sequence, shot):
    """Wherever the show lies, and with a file name that says something else."""
    for root in ("/mnt/projects/NEB", "s3://renders/shows/NEB", "/prod/projects/NEB"):
        assert place_of(f"{root}/{below}/other_0999_comp_v003.1001.exr") == Place("NEB", sequence, shot)


@pytest.mark.parametrize(
    "below",
    [
        "assets/char/hero/sh010", "asset/props/rock_010_0020", "library/sq010/sh020", "textures/rock/rock_0010",
        "sourceimages/ABC-010-0020", "tests/sh010", "test/shots/0010", "rnd/sq010_sh010", "users/jane/sq010/sh010",
        "hdri/NEB_010_0020", "tmp/shots/0010", "render_01", "render/render_0010", "comp/comp_0010", "car/car_001",
        "wedge_001_0100", "out_1920_1080", "abc_640_480", "NEB_comp_0020", "NEB_delivery_20240131", "NEB_2024_0131",
        "NEB_010_0020_comp_v003", "2024/0131", "2024_01/2024_01_31", "dailies/2024-01-31", "plates/A001_C002_0131AB", "v010",
        "010/0020", "0010", "take_001_0010", "cam010", "beauty_0010", "lookdev/sh010", "010",
    ],
)  # fmt: skip
def test_what_may_be_something_else_is_no_shot(below):
    """Assets, textures, tests, dates, resolutions, takes and versions: none rather than a wrong one."""
    assert place_of(f"/mnt/projects/NEB/{below}/beauty.1001.exr") == Place("NEB")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("s3://neb/sequences/010/010_0020/x.exr", Place(None, "010", "010_0020")),
        ("s3://renders/NEB/sq010/sh0020/x.exr", Place(None, "sq010", "sh0020")),
        ("/mnt/shots/ABC-010-0020/x.exr", Place(None, None, "ABC-010-0020")),
        ("/proj/show/sh020/beauty.exr", Place(None, None, "sh020")),
        ("/mnt/projects/assets/rock/x.exr", Place()),
        ("/renders/sh0020/x.exr", Place()),
        ("/tmp/sq010/sh010/x.exr", Place()),
        ("/home/jane/projects/tool/samples/shows/apollo/sq010/sh020/x.exr", Place("apollo", "sq010", "sh020")),
    ],
)
def test_without_a_show_the_layout_must_say_what_is_a_shot(path, place):
    """A code by itself may be anything; a folder that is a sequence or a shot is no show."""
    assert place_of(path) == place


FOLDERS = "shows NEB shots sequences ep101 sq010 010 0020 NEB_010_0020 ab ab_0010 comp tests _ - é "


@given(st.lists(st.sampled_from(FOLDERS.split(" "))))
def test_a_place_is_made_of_folders_of_the_path(folders):
    """In the order of show, sequence and shot."""
    place = place_of("/".join([*folders, "x.1001.exr"]))
    rest = iter(folders)
    assert all(name in rest for name in (place.show, place.sequence, place.shot) if name is not None)
