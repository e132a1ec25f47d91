"""Path templates: what they take of ShotGrid's and AYON's, what they read in paths, and what a wrong one is told."""

from __future__ import annotations

import pickle
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_inspector import path_templates
from exr_inspector.errors import BadSettings
from exr_inspector.path_templates import CONVENTIONS, EXAMPLE, OTHERS, SPELLINGS, BadTemplate, parse_template, parse_templates
from exr_inspector.payload.document import normalize_path
from exr_inspector.payload.places import Place, place_of
from exr_inspector.settings import Settings, load
from project import ROOT

SHOTGRID = (
    "/mnt/projects/{Project}/sequences/{Sequence}/{Shot}/{Step}/work/images/{name}[.{output}]/v{version}/{width}x{height}/"
    "{Shot}.{SEQ}.exr"
)
AYON = (
    "/mnt/projects/{project[name]}/{hierarchy}/{folder[name]}/publish/{product[type]}/{product[name]}/v{version:0>3}/"
    "{project[code]}_{folder[name]}_{product[name]}_{@version}<_{output}><.{frame:0>4}>.{ext}"
)
LONGEST, MOST_STEPS = 1024, 1_000_000


def place(template: str, path: str) -> Place:
    """Where a path belongs by one text of the setting."""
    return place_of(normalize_path(path), parse_templates(template))


def test_the_example_that_errors_show_is_a_template() -> None:
    """Whoever copies it has one that works."""
    assert parse_template(EXAMPLE)


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        (EXAMPLE, "/mnt/projects/NEB/ab/ab_0010/comp/v003/a/b.exr", Place("NEB", "ab", "ab_0010", "comp", None, "v003")),
        ("{root}/{show}/{sequence}/{shot}/{task}/{version}/...", "/mnt/disk7/NEB/ab/10/light/V12/x.exr",
         Place("NEB", "ab", "10", "light", None, "v12")),
        ("s3://renders/{show}/{sequence}/{shot}/...", "s3://renders/NEB/ab/10/x.exr", Place("NEB", "ab", "10")),
        ("s3://{show}/{shot}/...", "s3://neb/ab_10/x.exr", Place("neb", None, "ab_10")),
        ("P:\\projects\\{show}\\{shot}", "P:\\projects\\NEB\\ab_10\\x.exr", Place("NEB", None, "ab_10")),
        ("sequences/{Sequence}/{Shot}/{Step}", "/a/b/sequences/010/0020/fx/x.exr", Place(None, "010", "0020", "fx")),
        ("/m/{show}/shots/{sequence}_{shot}/{layer}/{version:03}/...", "/m/NEB/shots/ab_0010/key/007/x.exr",
         Place("NEB", "ab", "0010", None, "key", "v007")),
        ("/m/{show}/{show}_{sequence}_{shot:04}_{task}.{frame}.exr", "/m/N_B/N_B_ab_c_0010_fx_2.-7.exr",
         Place("N_B", "ab_c", "0010", "fx_2")),
        ("/m/{show}/.../renders/{shot}/*_{layer}.{SEQ}.{ext}", "/m/NEB/a/b/renders/ab_10/x_key.1001.exr",
         Place("NEB", None, "ab_10", None, "key")),
        ("/m/{show}[/{ep}]/{seq}/{shot}/{version}/...", "/m/NEB/e1/ab/10/ver_3/x.exr", Place("NEB", "ab", "10", version="v3")),
        ("/m/{show}[/{ep}]/{seq}/{shot}/{version}/...", "/m/NEB/ab/10/version3/x.exr", Place("NEB", "ab", "10", version="v3")),
        ("/m/{show}/{shot}/beauty{frame}.exr", "/m/NEB/10/beauty1001.exr", Place("NEB", None, "10")),
        ("/m/{show}/{task}/{task[name]}_{shot}.exr", "/m/NEB/fx/fx_10.exr", Place("NEB", None, "10", "fx")),
        ("/m/{project[code]}/{department}/{shot}/*", "/m/nb/comp/10/x.exr", Place("nb", None, "10", "comp")),
        ("/m/\u00e9/{show}", "/m/e\u0301/NEB/x.exr", Place("NEB")),
    ],
)  # fmt: skip
def test_a_path_that_fits_says_where_it_belongs(template: str, path: str, expected: Place) -> None:
    """On disks and in buckets, by whole folders, by parts of names and by the file's name."""
    assert place(template, path) == expected


@pytest.mark.parametrize(
    ("template", "path"),
    [
        (EXAMPLE, "/mnt/projects/NEB/ab/ab_0010/comp/beauty/x.exr"),
        (EXAMPLE, "/mnt/projects/NEB/ab/ab_0010/comp/v003"),
        (EXAMPLE, "/MNT/projects/NEB/ab/ab_0010/comp/v003/x.exr"),
        ("/m/{show}/{sequence}/{shot}/...", "/m/NEB/ab/x.exr"),
        ("/m/{show}/{shot}/{shot}_*.exr", "/m/NEB/10/20_beauty.exr"),
        ("s3://renders/{show}/...", "s3://other/NEB/x.exr"),
        ("/m/{show}/{shot}/{frame}.exr", "/m/NEB/10/x.exr"),
        ("/m/{show}/{sequence}_{shot}/...", "/m/NEB/_10/x.exr"),
    ],
)
def test_a_path_that_fits_no_template_has_no_place(template: str, path: str) -> None:
    """No guess, even where the conventions would make one."""
    assert place(template, path) == Place()


def test_the_first_template_that_fits_counts() -> None:
    """By semicolons or line breaks; `conventions` among them stands for the conventions."""
    text = "/m/{show}/assets/...\n/m/{show}/{shot}/...; conventions"
    assert place(text, "/m/NEB/assets/rock/x.exr") == Place("NEB")
    assert place(text, "/m/NEB/ab_10/x.exr") == Place("NEB", None, "ab_10")
    assert place(text, "/mnt/shows/apollo/sq010/sh020/comp/x.exr") == Place("apollo", "sq010", "sh020", "comp")


def test_a_template_of_shotgrid_is_read_as_shotgrid_writes_it() -> None:
    """Its default render path below the project; SEQ is the frame, and a key that stands twice has one value."""
    path = "/mnt/projects/neb/sequences/010/010_0020/comp/work/images/main/v003/1920x1080/010_0020.1001.exr"
    assert place(SHOTGRID, path) == Place("neb", "010", "010_0020", "comp", None, "v003")
    assert place(SHOTGRID, path.replace("/main/", "/main.left/")) == Place("neb", "010", "010_0020", "comp", None, "v003")
    assert place(SHOTGRID, path.replace("0020.1001", "0030.1001")) == Place()


@pytest.mark.parametrize("optional", ["", "_left", ".1001", "_left.1001"])
def test_a_template_of_ayon_is_read_as_ayon_writes_it(optional: str) -> None:
    """The publish path of its anatomy, with the root written out; sections in <these> may be absent."""
    path = f"/mnt/projects/neb/shots/sq01/sh010/publish/render/renderMain/v003/nb_sh010_renderMain_v003{optional}.exr"
    assert place(AYON, path) == Place("neb", "sq01", "sh010", None, None, "v003")


def test_of_ayons_hierarchy_only_a_sequence_is_one() -> None:
    """The folder of all shots is none, and assets are no shots."""
    assert place("/m/{show}/{hierarchy}/{folder[name]}/work/...", "/m/NEB/shots/sh010/work/x.exr") == Place("NEB", None, "sh010")
    assert place("/m/{show}/{hierarchy}/{folder[name]}/work/...", "/m/NEB/assets/char/hero/work/x.exr") == Place("NEB")


WRONG = [
    ("/m/{shwo}/x", "{shwo} at character 4 is not a field", "did you mean {show}"),
    ("/m/{Q7}/x", "{Q7} at character 4 is not a field", "fields are root, show"),
    ("/m/{show", "'{' at character 4 has no partner", "a field is written {show}"),
    ("/m/show}", "'}' at character 8 has no partner", "a field is written {show}"),
    ("/m/{show}{shot}", "nothing tells where {show} ends and {shot} at character 10 begins", "put what separates them"),
    ("/m/{show}/*{shot}", "nothing tells where * ends", "put what separates them"),
    ("/m/{show}/[{shot}", "'[' at character 11 is not closed", "an optional section is [_{view}]"),
    ("/m/{show}/{shot}>", "'>' at character 17 closes nothing", "an optional section is [_{view}]"),
    ("/m/[{show}>", "'>' at character 11 closes nothing", "an optional section is [_{view}]"),
    ("/m/<Sequence>/{shot}", "'<' at character 4 begins an optional section, which holds no field", "written {sequence}"),
    ("{root}/{show}/{shot}/...", "nothing tells which folder is {show} at character 8", "/mnt/projects"),
    ("{show}/{shot}", "nothing tells which folder is {show} at character 1", "{version}"),
    ("/m/{show}/{hierarchy}/...", "nothing tells which folder is {hierarchy} at character 11", "{version}"),
    ("/m/.../{show}_{shot}/...", "nothing tells which folder is {show} at character 8", "{version}"),
    ("/m/x{root}/{show}", "{root} at character 5 stands for whole folders", "slash on both sides"),
    ("/m/a...b/{show}", "'a...b': ... stands for whole folders", "write * within a name"),
    ("/m/{shot}_{shot}/...", "{shot} at character 11 stands twice in one name", "write * for one of them"),
    ("/m/{show}[/{episode}]/{shot}/...", "nothing behind its optional folder tells", "such as {version}"),
    ("/m/render/...", "it has no field that is stored", "write {show}"),
    ("/m/{name}.{ext}", "it has no field that is stored", "write {show}"),
    ("/m/{show}" + "[_{view}]" * 6, "it has 6 optional sections", "write several templates"),
    ("/m/{show}/" + "x" * LONGEST, "more than 1024 characters", "shorten it"),
]


@pytest.mark.parametrize(("template", "said", "remedy"), WRONG)
def test_a_wrong_template_is_told_the_place_and_the_remedy(template: str, said: str, remedy: str) -> None:
    """When the settings are read, beside an example that is right."""
    with pytest.raises(BadSettings) as caught:
        load({"EXR_PATH_TEMPLATE": f"{EXAMPLE}; {template}"})
    told = str(caught.value)
    assert "EXR_PATH_TEMPLATE: expected path templates" in told
    assert "template 2" in told
    assert said in told
    assert remedy in told
    assert f"a template looks like {EXAMPLE}" in told
    assert caught.value.place["settings"] == ["EXR_PATH_TEMPLATE"]


def test_all_wrong_templates_are_told_at_once() -> None:
    """Each with its number."""
    with pytest.raises(BadTemplate, match=r"template 1, .*template 3, "):
        parse_templates(f"/m/{{x7}}; {EXAMPLE}; /m/{{show")


def test_every_spelling_is_a_field() -> None:
    """In any case; those that are not stored say where something stands."""
    for spelling in [*" ".join(SPELLINGS.values()).split(), *OTHERS.split(), "SEQ", "FRAME"]:
        assert parse_template(f"/m/{{{spelling}}}/a/{{show}}_{{shot}}")
    assert parse_template("{root[work]}/m/{shot}")
    assert place("/m/{SHOW}/{Seq}/{shot}/...", "/m/NEB/ab/10/x.exr") == Place("NEB", "ab", "10")


def test_every_spelling_is_documented() -> None:
    """docs/PATHS.md has the table of fields."""
    page = (ROOT / "docs/PATHS.md").read_text(encoding="utf-8")
    for spelling in [*" ".join(SPELLINGS.values()).split(), *OTHERS.split()]:
        assert f"`{spelling}`" in page


def test_settings_with_templates_travel_to_other_processes() -> None:
    """A backfill's workers get them; equal texts are equal settings, which are the key of connections."""
    chosen = load({"EXR_PATH_TEMPLATE": EXAMPLE})
    sent = pickle.loads(pickle.dumps(chosen))  # noqa: S301
    assert sent == chosen == load({"EXR_PATH_TEMPLATE": f" {EXAMPLE};"})
    assert hash(sent) == hash(chosen)
    assert chosen != Settings()
    assert place_of("/mnt/projects/a/b/c/d/v1/x.exr", sent.path_templates).shot == "c"


PIECES = st.sampled_from(
    ["/", "{show}", "{shot}", "{root}", "{hierarchy}", "{version}", "v{version}", "{frame}", "{ext}", "_", ".", "*", "...", "[",
     "]", "<", ">", "{", "}", "a", "s3://", ";", "\n", "\\", "\u00e9", "{@version}", "{shot:04}", CONVENTIONS]
)  # fmt: skip
PATHS = st.text(max_size=80) | st.lists(st.sampled_from(["/", "a", "_", ".", "v1", "001", "s3://", "shots", "NEB", ".exr"])).map(
    "".join
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40), st.lists(PATHS, max_size=5))
def test_any_template_is_read_or_told_what_is_wrong_and_then_reads_any_path(text: str, paths: list[str]) -> None:
    """No other error leaves, and what is told are texts of the path."""
    try:
        templates = parse_templates(text)
    except BadTemplate:
        return
    for path in map(normalize_path, paths):
        told = place_of(path, templates)
        assert all(value in path for value in (told.show, told.sequence, told.shot, told.task, told.layer) if value is not None)


@settings(deadline=None)
@given(st.lists(st.from_regex(r"[A-Za-z0-9_\-]{1,8}", fullmatch=True), min_size=5, max_size=5), st.integers(0, 9999))
def test_what_a_template_writes_it_reads(names: list[str], version: int) -> None:
    """Whatever the folders are called."""
    show, sequence, shot, task, layer = names
    path = f"/mnt/{show}/{sequence}/{shot}/{task}/v{version:03d}/{layer}/x.1001.exr"
    template = "/mnt/{show}/{sequence}/{shot}/{task}/{version}/{layer}/..."
    assert place(template, path) == Place(show, sequence, shot, task, layer, f"v{version:03d}")


def steps_of(template: str, path: str) -> int:
    """How many calls of this module's functions, and steps of its generators, reading a path takes."""
    steps = 0

    def count(frame: FrameType, event: str, _: Any) -> None:
        nonlocal steps
        steps += event == "call" and frame.f_code.co_filename == path_templates.__file__
        assert steps < MOST_STEPS, "far more than a few for each character"

    parsed = parse_template(template)
    sys.setprofile(count)
    try:
        parsed.read(path)
    finally:
        sys.setprofile(None)
    return steps


EVIL = [
    ("/{show}_{sequence}_{shot}_{task}_{layer}_{name}.{frame}.exr", "_", ""),
    ("/{show}_{sequence}_{shot}_{task}_{layer}_{name}_{version}", "_a", "/x.exr"),
    ("/{show}a{sequence}a{shot}a{task}a{layer}a{name}b.exr", "a", ".exr"),
    ("/{show}{frame}{sequence}_{task:03}x.exr", "1", ""),
    ("/{show}_{version}_{sequence}_{version:03}_{shot}_x", "v1_", "/x.exr"),
    (".../a/{show}/.../a/{sequence}/.../a/{shot}/.../b/...", "a/", "a"),
    ("{root}/a*/{show}/.../a*a/{hierarchy}/a_{shot}/.../{version}/...", "a_a/", "a"),
    ("/{show}[_{sequence}][_{shot}][_{task}][_{layer}][_{name}].exr", "_", ""),
]


@pytest.mark.parametrize(("template", "again", "end"), EVIL)
def test_the_longest_paths_are_read_in_a_few_steps_for_each_character(template: str, again: str, end: str) -> None:
    """Though they nearly fit in many ways: steps grow with the length, not with its powers."""
    layouts = len(parse_template(template).layouts)
    count = (LONGEST - len(end) - 1) // len(again)
    whole, half = (steps_of(template, f"/{again * times}{end}") for times in (count, count // 2))
    assert LONGEST / 2 < whole <= layouts * LONGEST * 30
    assert whole <= 2.5 * half + 200
