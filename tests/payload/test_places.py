"""Where files belong: by the conventions of the field, and by a studio's path templates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector.payload.places import Place, place_of


def of_shot(place: Place) -> Place:
    """Show, sequence and shot alone."""
    return Place(place.show, place.sequence, place.shot)


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
        assert of_shot(place_of(f"{root}/{below}/other_0999_comp_v003.1001.exr")) == Place("NEB", sequence, shot)


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
