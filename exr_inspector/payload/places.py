"""Where in a production a path lies: show, sequence, shot, task, layer and version.

Nothing in an EXR states them, so what studios put into folders decides: the templates of the setting EXR_PATH_TEMPLATE, and where
none is set the conventions of the field. A path that follows none of them gives None, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from exr_inspector.path_templates import CONVENTIONS, Template

_SHOW_FOLDERS: Final = frozenset({"shows", "show", "projects", "project", "proj", "prod", "productions", "jobs", "job"})
# Folders that only group, and the level that their folders are on.
_EPISODES, _SEQUENCES, _SHOTS = "episode", "sequence", "shot"
_LEVEL_BELOW: Final = {
    **dict.fromkeys(("ep", "eps", "episode", "episodes", "season", "seasons"), _EPISODES),
    **dict.fromkeys(("seq", "seqs", "sequence", "sequences", "scene", "scenes"), _SEQUENCES),
    **dict.fromkeys(("shot", "shots"), _SHOTS),
}
# What lies below these belongs to no shot.
_ASIDE_WORDS = (
    "asset assets build builds library libraries lib tex texture textures map maps sourceimages hdri hdris lookdev turntable "
    "turntables test tests testing rnd dev sandbox tmp temp scratch trash user users home ref reference references editorial "
    "config template templates tools"
)
# Departments, passes and states of work: never the name of a sequence, nor a word of a shot code.
_WORK_WORDS = (
    "2d 3d aces alembic anim animation aov aovs archive beauty cache caches cam camera cfx cg comp comps composite crypto "
    "dailies data deep delivery deliverables deliveries diffuse edit element elements exr exrs export exports final finals frame "
    "frames from fx hair houdini image images img in io layout lgt light lighting main master matchmove maya mesh model new nuke "
    "old out output outputs paint pass plate plates precomp prep preview publish published publishes render renders review "
    "reviews rig roto scan scans shared sim sims slap specular take task tasks team temp test tmp to track tracking turnover "
    "utility v vendor version versions vfx wedge wip work"
)
# Departments and their tasks, which a folder below a shot may be named after.
_TASK_WORDS = (
    "anim animation cfx charfx cloth comp comps compositing composite crowd crowds dmp effects env environment fx grade grading "
    "groom grooming hair layout lgt light lighting lights matchmove matchmoving mattepaint mattepainting mm paint plateprep "
    "precomp prep previs postvis rig rigging roto rotopaint rotoscoping sim simulation slap slapcomp surfacing techvis track "
    "tracking"
)
_TASKS, _TASK_FOLDERS = frozenset(_TASK_WORDS.split()), frozenset({"work", "task", "tasks"})
_ASIDE, _NO_CODES = frozenset(_ASIDE_WORDS.split()), frozenset(_WORK_WORDS.split())
_EPISODE: Final = re.compile(r"(?:s\d{1,2})?(?:e|ep|episode)[_-]?\d{1,4}[a-z]?", re.IGNORECASE | re.ASCII)
_SEQUENCE: Final = re.compile(r"(?:sq|seq|sc|scene)[_-]?\d{1,5}[a-z]?", re.IGNORECASE | re.ASCII)
# sh010, shot_0010; a number alone is a shot only where its place says so.
_SHOT: Final = re.compile(r"(?:sh|shot)[_-]?\d{2,5}[a-z]?", re.IGNORECASE | re.ASCII)
_NUMBER: Final = re.compile(r"\d{3,5}[a-z]?", re.IGNORECASE | re.ASCII)
_LAST_NUMBER: Final = re.compile(r"(?:sh|shot)?\d{2,5}[a-z]?", re.IGNORECASE | re.ASCII)
_CODE_WORD: Final = re.compile(r"[a-z]{1,4}|[a-z]{0,4}\d{1,5}[a-z]?", re.IGNORECASE | re.ASCII)
_YEAR: Final = re.compile(r"(?:19|20)\d\d", re.ASCII)
# Letters, sequence, shot: ABC-010-0020. Without a zero in front they may be a resolution, as in out_640_480.
_THREE_WORDS: Final = re.compile(r"[a-z]{2,4}[_-](?:0\d{1,3}[_-]\d{3,5}|\d{2,4}[_-]0\d{2,4})[a-z]?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a production a path lies; None where the path does not tell. `layer` and `version` are told by templates alone."""

    show: str | None = None
    sequence: str | None = None
    shot: str | None = None
    task: str | None = None
    layer: str | None = None
    version: str | None = None


def place_of(path: str, templates: tuple[Template, ...] = ()) -> Place:
    """The place of a normalized path: by the first template that fits, and where there are no templates by conventions.

    A path that fits none of the templates has no place: who says how paths are made wants no guesses. `conventions` as the last
    template asks for them.

    The conventions are those of the layouts that ShotGrid, AYON, Kitsu and most studios use. The show is the folder below
    `shows`, `projects`, `prod`, `jobs` or the like. Below it, folders that only group (`sequences`, `shots`) say what their
    folders are, and episodes are passed over. A code that names its level (`sq010`, `sc010`, `sh020`) is read wherever it
    stands; a number is a shot only below its sequence or in `shots`; of codes of several words, those that repeat the show or the
    sequence (`NEB_010_0020`, `010/010_0020`), or that stand where a shot is expected. Below `assets`, `textures`, `tests` and the
    like there are no shots. Without a show folder, only a sequence or a group makes a shot. A department's folder directly below
    the shot, or in its folder `work` or `tasks`, is the task.

    >>> place_of("/mnt/shows/apollo/seq/ab/shots/ab_0010/render/beauty.1001.exr")
    Place(show='apollo', sequence='ab', shot='ab_0010', task=None, layer=None, version=None)
    >>> place_of("/mnt/projects/NEB/sequences/010/010_0020/comp/publish/beauty.1001.exr")
    Place(show='NEB', sequence='010', shot='010_0020', task='comp', layer=None, version=None)
    >>> place_of("/mnt/projects/NEB/ep101/sc010/0010/work/lighting/beauty.1001.exr")
    Place(show='NEB', sequence='sc010', shot='0010', task='lighting', layer=None, version=None)
    >>> place_of("s3://renders/projects/apollo/ABC-010-0020/beauty.exr")
    Place(show='apollo', sequence=None, shot='ABC-010-0020', task=None, layer=None, version=None)
    >>> place_of("/jobs/apollo/assets/props/rock_010_0020/beauty.exr")
    Place(show='apollo', sequence=None, shot=None, task=None, layer=None, version=None)
    >>> from exr_inspector.path_templates import parse_templates
    >>> templates = parse_templates("/vol/{show}/{sequence}_{shot}/{task}/V{version}/{layer}/...")
    >>> place_of("/vol/neb/ab_10/light/V7/key/beauty.1001.exr", templates)
    Place(show='neb', sequence='ab', shot='10', task='light', layer='key', version='v7')
    >>> place_of("/mnt/shows/apollo/seq/ab/shots/ab_0010/render/beauty.1001.exr", templates)
    Place(show=None, sequence=None, shot=None, task=None, layer=None, version=None)
    """
    directory, slash, _ = path.rpartition("/")
    return _place(path if any(template.names_file for template in templates) else f"{directory}{slash}*", templates)


@lru_cache(maxsize=1024)
def _place(path: str, templates: tuple[Template, ...]) -> Place:
    """The place of a path; where the file's name plays no part, the frames of a sequence share it."""
    for template in templates:
        if template.text == CONVENTIONS:
            break
        values = template.read(path)
        if values is not None:
            return _read_place(values)
    else:
        if templates:
            return Place()
    return _place_in(path.rpartition("/")[0])


def _read_place(values: Mapping[str, str]) -> Place:
    """The place that the fields of a template tell.

    AYON's hierarchy holds a shot's sequence last, if not the folder of all shots alone; and assets, which are not shots.
    """
    above = values.get("hierarchy", "").split("/")
    sequence = values.get("sequence") or above[-1] or None
    if "sequence" not in values and above[-1].lower() in _LEVEL_BELOW:
        sequence = None
    version = values.get("version") or values.get("version_number")
    is_aside = not _ASIDE.isdisjoint(folder.lower() for folder in above)
    return Place(
        show=values.get("show") or values.get("show_code"),
        sequence=None if is_aside else sequence,
        shot=None if is_aside else values.get("shot"),
        task=values.get("task") or values.get("step"),
        layer=values.get("layer"),
        version=version and "v" + re.sub(r"\D", "", version),
    )


@lru_cache(maxsize=1024)
def _place_in(directory: str) -> Place:
    """The place that a directory is; the frames of a sequence share it."""
    folders = directory.split("/")
    root = _show_folder([name.lower() for name in folders])
    if root is None:
        place = _Levels(None).read(folders)
        return place if place.sequence or _LEVEL_BELOW.keys() & {name.lower() for name in folders} else Place()
    below = folders[root + 1 :]
    show = below.pop(0) if below and _may_be_show(below[0]) else None
    return _Levels(show).read(below)


def _show_folder(folders: list[str]) -> int | None:
    """Where the folder stands below which the show is: `shows`, which means nothing else, or the first of the others."""
    if "shows" in folders:
        return len(folders) - 1 - folders[::-1].index("shows")
    at = next((index for index, name in enumerate(folders) if name in _SHOW_FOLDERS), None)
    while at is not None and at + 1 < len(folders) and folders[at + 1] in _SHOW_FOLDERS:
        at += 1  # /mnt/prod/projects/NEB
    return at


def _may_be_show(name: str) -> bool:
    levels = (_EPISODE, _SEQUENCE, _SHOT)
    return name.lower() not in {*_LEVEL_BELOW, *_ASIDE} and not any(level.fullmatch(name) for level in levels)


class _Levels:
    """Reads folders from the show downwards: which of them is the sequence, which the shot."""

    def __init__(self, show: str | None) -> None:
        self.show = show
        self.sequence: str | None = None

    def read(self, folders: list[str]) -> Place:
        """The place that the folders below the show tell."""
        expected: str | None = None
        for at, name in enumerate(folders):
            following = folders[at + 1] if at + 1 < len(folders) else ""
            if name.lower() in _ASIDE:
                break
            if name.lower() in _LEVEL_BELOW:
                expected = _LEVEL_BELOW[name.lower()]
            elif expected == _EPISODES or _EPISODE.fullmatch(name):
                expected = None if expected == _EPISODES else expected
            elif self._is_shot(name, expected, following):
                return Place(self.show, self.sequence, name, _task_in(folders[at + 1 :]))
            else:
                expected = self._enter(name, expected, following)
        return Place(self.show, self.sequence)

    def _enter(self, name: str, expected: str | None, following: str) -> str | None:
        """Note the sequence where `name` is one; the level that its folders are expected to be on."""
        if self.sequence is None and self._is_sequence(name, expected, following):
            self.sequence = name
            return _SHOTS
        return None

    def _is_sequence(self, name: str, expected: str | None, following: str) -> bool:
        if _SEQUENCE.fullmatch(name):
            return True
        if name.lower() in _NO_CODES:
            return False
        if self.show and _begins_with(following, name) and _is_repeated(name, following):
            return True
        if expected == _SEQUENCES:
            # Among sequences, a code of two words may as well be a shot.
            return not _is_compound(name) or _begins_with(following, name)
        return expected == _SHOTS and _is_shot_below(following, name)

    def _is_shot(self, name: str, expected: str | None, following: str) -> bool:
        if _SHOT.fullmatch(name) or self._is_whole_code(name):
            return not _begins_with(following, name)
        if expected != _SHOTS:
            return False
        if self.sequence is not None:
            return _is_shot_below(name, self.sequence) and not _is_date(name, following)
        if _is_compound(name):
            return not _begins_with(following, name)
        # Two numbers below `shots` are sequence and shot, or a shot and what belongs to it.
        return _NUMBER.fullmatch(name) is not None and not _is_shot_below(following, name)

    def _is_whole_code(self, name: str) -> bool:
        """Whether the name alone says that it is a shot: by a word for it, or by show, sequence and number together."""
        words = re.split(r"[_-]", name)
        if len(words) < 2 or not _is_compound(name):
            return False
        if _SHOT.fullmatch(words[-1]) or _SEQUENCE.fullmatch(words[-2]):
            return True
        return self._is_of_show(name) or _THREE_WORDS.fullmatch(name) is not None

    def _is_of_show(self, name: str) -> bool:
        """Whether it is the show's name with short codes behind it."""
        if self.show is None or not _begins_with(name, self.show):
            return False
        return all(_CODE_WORD.fullmatch(word) for word in re.split(r"[_-]", name[len(self.show) + 1 :]))


def _task_in(folders: list[str]) -> str | None:
    """The task that the folders below a shot tell: a department, directly or where tasks are kept."""
    below = folders[1:] if folders and folders[0].lower() in _TASK_FOLDERS else folders
    return below[0] if below and below[0].lower() in _TASKS else None


def _is_shot_below(name: str, sequence: str) -> bool:
    """Whether a folder directly below this sequence is a shot: by its word, its number, or by repeating the sequence."""
    if _SHOT.fullmatch(name):
        return True
    if _NUMBER.fullmatch(name):
        # Below four digits or more, a number may be a shot's, or a shot's version.
        return len(re.sub(r"\D", "", sequence)) < 4 or not sequence.isdigit()
    words = [word.lower() for word in re.split(r"[_-]", name)]
    own = re.split(r"[_-]", sequence.lower())
    numbers = re.findall(r"\d+", sequence)
    return _is_compound(name) and (_holds(words, own) or _holds(words, numbers[-1:]))


def _holds(words: list[str], others: list[str]) -> bool:
    """Whether the words, but for the last, hold the others one after the other."""
    return bool(others) and any(words[at : at + len(others)] == others for at in range(len(words) - len(others)))


def _is_compound(name: str) -> bool:
    """Whether it is a code of several words that ends in a number, none of which is a department, a pass or a year."""
    words = re.split(r"[_-]", name)
    if len(words) < 2 or not _LAST_NUMBER.fullmatch(words[-1]):
        return False
    return not any(word.lower() in _NO_CODES or not word.isalnum() or _YEAR.fullmatch(word) for word in words[:-1])


def _begins_with(name: str, start: str) -> bool:
    """Whether `name` is a code that begins with the words of `start`."""
    behind = name[len(start) : len(start) + 1]
    return behind in ("_", "-") and name[: len(start)].lower() == start.lower() and _is_compound(name)


def _is_repeated(name: str, following: str) -> bool:
    """Whether `name` is a sequence for no other reason than that the next folder repeats it: 010/010_0020, ab/ab_0010.

    Letters alone need a number of four digits, or a word for shot: car/car_001 is a variant of an asset.
    """
    if re.fullmatch(r"[A-Za-z]{0,4}\d{1,5}", name, re.ASCII):
        return True
    of_shot = re.search(r"[_-](?:(?:sh|shot)\d{2,5}|\d{4,5})[A-Za-z]?\Z", following, re.ASCII)
    return re.fullmatch(r"[A-Za-z]{1,3}", name, re.ASCII) is not None and of_shot is not None


def _is_date(name: str, following: str) -> bool:
    return _YEAR.fullmatch(name) is not None and following.isdigit()
