"""Path templates: how a studio says where show, sequence, shot and task stand in its paths.

    /mnt/projects/{show}/sequences/{sequence}/{shot}/{step}/...
    s3://renders/{show}/[{episode}/]{sequence}/{shot}/{task}/{version}/{name}.{frame}.{ext}

`{field}` is a text within one folder or file name, `*` such a text without a name, `...` any number of folders, and what stands
in [brackets], or in <these>, may be absent. Fields and sections are spelled as in ShotGrid's templates.yml and in AYON's anatomy.

Reading a path takes steps in proportion to its length times that of the template, whatever either holds: a text is as short as
what follows it allows, and where a rest was found not to fit once, it is not tried again.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, groupby, pairwise, product, takewhile
from typing import Final

EXAMPLE: Final = "/mnt/projects/{show}/{sequence}/{shot}/{task}/{version}/..."
CONVENTIONS: Final = "conventions"
"""The entry of a list of templates that stands for the conventions that are built in."""
STORED: Final = frozenset(
    {"show", "show_code", "sequence", "hierarchy", "shot", "task", "step", "layer", "version", "version_number"}
)
"""Fields that columns are made of. A version of digits alone has a name of its own: v003 and 003 may stand in one path."""
SPELLINGS: Final = {
    "root": "root",
    "show": "show show_name project project_name project[name]",
    "show_code": "show_code project_code project[code]",
    "episode": "episode ep",
    "sequence": "sequence sequence_name seq",
    "shot": "shot shot_name folder[name]",
    "task": "task task_name task[name]",
    "step": "step department task[short]",
    "layer": "layer layer_name render_layer maya.layer_name",
    "version": "version",
    "frame": "frame",
    "name": "name",
    "ext": "ext extension representation",
    "hierarchy": "hierarchy",
}
"""Field -> how it may be spelled; case does not matter, but for `SEQ`, which is ShotGrid's word for the frame."""
OTHERS: Final = (
    "asset asset_type sg_asset_type task[type] product[name] product[type] product subset family variant output view eye user "
    "width height colorspace udim camera comment folder[type]"
)
"""Fields of both that say where something stands which is not stored."""
_NAMES: Final = {**SPELLINGS, **dict(zip(OTHERS.split(), OTHERS.split(), strict=True))}
_FIELD_OF: Final = {spelling: name for name, spellings in _NAMES.items() for spelling in spellings.split()}
_ANY: Final = "*"
_FOLDERS: Final = "..."
_LONGEST, _MOST_SECTIONS = 1024, 5
# What only certain texts fit; longer runs of digits do not number anything.
_DIGITS: Final = re.compile(r"\d{1,18}", re.ASCII)
_SHAPES: Final = {
    "version": re.compile(r"v(?:er(?:sion)?)?[._-]?\d{1,18}", re.ASCII | re.IGNORECASE),
    "frame": re.compile(r"-?\d{1,18}", re.ASCII),
    "ext": re.compile(r"[A-Za-z0-9]{1,16}", re.ASCII),
}
_TOKEN: Final = re.compile(
    r"\{(?P<field>[^{}]*)\}|(?P<open>[\[<])|(?P<close>[\]>])|(?P<any>\*)|(?P<text>[^{}\[\]<>*]+)|.", re.DOTALL
)
_FROM_THE_ROOT: Final = re.compile(r"/|[A-Za-z][A-Za-z0-9+.-]*:")
_BEHIND_V: Final = re.compile(r"(?:\A|[^A-Za-z])v(?:er(?:sion)?)?[._-]?\Z", re.IGNORECASE)


class BadTemplate(ValueError):
    """Says what is wrong with templates, where, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field where it stands: `shape` is what its text has to look like, None for any text; `position` counts from 1."""

    name: str
    written: str
    position: int
    shape: re.Pattern[str] | None = None

    def __str__(self) -> str:
        """How messages name it."""
        return f"{self.written} at character {self.position}"


Token = str | Field
Piece = tuple[Token, ...]
"""A folder or file name; ("...",) is any number of folders."""


@dataclass(frozen=True, slots=True)
class _Section:
    """What may be absent: `text` from its bracket on."""

    items: tuple[Token | _Section, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A template as it was written, and the layouts that it stands for: with each of its optional sections, and without."""

    text: str
    layouts: tuple[tuple[Piece, ...], ...] = field(compare=False, repr=False)

    @property
    def names_file(self) -> bool:
        """Whether the file's name plays a part, and not its folders alone."""
        return any(layout[-1] != (_REST,) for layout in self.layouts)

    def fits(self, path: str) -> bool:
        """Whether a normalized path fits it; the conventions take any."""
        return self.text == CONVENTIONS or self.read(path) is not None

    def read(self, path: str) -> dict[str, str] | None:
        """The texts of the fields in a normalized path; None where the path does not fit.

        >>> parse_templates("/mnt/{show}/{shot}/v{version}/...")[0].read("/mnt/NEB/ab_0010/v003/beauty.exr")
        {'show': 'NEB', 'shot': 'ab_0010', 'version_number': '003'}
        """
        name = path[path.rfind("/") + 1 :]
        for number, layout in enumerate(self.layouts):
            above = _read_folders(self, number, path[: len(path) - len(name)])
            told = None if above is None else read_name(layout[-1], name, above)
            if above is not None and told is not None:
                return above | told
        return None


_REST: Final = Field(_ANY, _FOLDERS, 0)
"""The file name below a template that ends in folders."""


def parse_templates(text: str) -> tuple[Template, ...]:
    """The templates of a text, which are separated by `;` or line breaks. Raises BadTemplate with all that is wrong.

    >>> [template.text for template in parse_templates("/mnt/{show}/{shot}; conventions")]
    ['/mnt/{show}/{shot}', 'conventions']
    """
    written = [entry.strip() for entry in re.split(r"[;\n\r]", text) if entry.strip()]
    templates, problems = [], []
    for number, entry in enumerate(written, 1):
        try:
            templates.append(parse_template(entry))
        except BadTemplate as error:
            problems.append(f"template {number}, {entry[:80]!r}: {error}")
    if problems or not written:
        raise BadTemplate("; ".join([*problems, f"a template looks like {EXAMPLE}"]))
    return tuple(templates)


def parse_template(text: str) -> Template:
    """One template, checked. Raises BadTemplate."""
    if text == CONVENTIONS:
        return Template(text, ())
    if len(text) > _LONGEST:
        raise BadTemplate(f"it has more than {_LONGEST} characters, and no path has; shorten it")
    items = _parse_items(_tokens(text))
    if not any(isinstance(item, Field) and item.name in STORED for item in _flat(items)):
        raise BadTemplate("it has no field that is stored; write {show}, {sequence}, {shot} or {task} where they stand")
    layouts = tuple(dict.fromkeys(_layout(tokens) for tokens in _expansions(items) if tokens))
    _check_depths(layouts)
    return Template(text, layouts)


def _tokens(text: str) -> Iterator[tuple[re.Match[str], tuple[Token, ...]]]:
    """Each token's match, and what it stands for; nothing for brackets."""
    plain = unicodedata.normalize("NFC", text).replace("\\", "/")
    before = ""
    for match in _TOKEN.finditer(plain):
        position = match.start() + 1
        if match["field"] is not None:
            yield match, _fields(match["field"], position, before)
        elif match["any"]:
            yield match, (Field(_ANY, _ANY, position),)
        elif match["text"] or match["open"] or match["close"]:
            yield match, (match["text"],) if match["text"] else ()
        else:
            raise BadTemplate(f"{match[0]!r} at character {position} has no partner; a field is written {{show}}")
        before = match[0]


def _fields(written: str, position: int, before: str) -> tuple[Token, ...]:
    """What `{written}` stands for; `before` is the token that precedes it: after a `v`, a version is digits."""
    spelled, _, spec = re.sub(r"!.", "", written).partition(":")
    spelled = spelled.strip()
    if spelled == "@version":
        return ("v", Field("version_number", f"{{{written}}}", position, _DIGITS))
    name = "frame" if spelled in ("SEQ", "@frame") else _FIELD_OF.get(re.sub(r"^root\[.*\]$", "root", spelled.lower()))
    if name is None:
        raise BadTemplate(f"{{{written}}} at character {position} is not a field; {_near(spelled)}")
    shape = _SHAPES.get(name)
    if name != "frame" and (re.search(r"\d", spec) or (name == "version" and _BEHIND_V.search(before))):
        name, shape = "version_number" if name == "version" else name, _DIGITS
    return (Field(name, f"{{{written}}}", position, shape),)


def _near(spelled: str) -> str:
    near = difflib.get_close_matches(spelled.lower(), _FIELD_OF, 2)
    known = ", ".join(SPELLINGS)
    return f"did you mean {' or '.join(f'{{{one}}}' for one in near)}?" if near else f"fields are {known}; * is any other text"


def _parse_items(tokens: Iterator[tuple[re.Match[str], tuple[Token, ...]]]) -> tuple[Token | _Section, ...]:
    """Tokens as a tree of sections. Raises BadTemplate for brackets without partner, and for sections that hold no field."""
    opened: list[tuple[re.Match[str] | None, list[Token | _Section]]] = [(None, [])]
    count = 0
    for match, stands_for in tokens:
        if match["open"]:
            opened.append((match, []))
            count += 1
        elif match["close"]:
            start, items = opened.pop()
            if start is None or start[0] + match[0] not in ("[]", "<>"):
                raise BadTemplate(
                    f"{match[0]!r} at character {match.start() + 1} closes nothing; an optional section is [_{{view}}]"
                )
            opened[-1][1].append(_section(start, tuple(items)))
        else:
            opened[-1][1].extend(stands_for)
    start, items = opened[-1]
    if start is not None:
        raise BadTemplate(f"{_at(start)} is not closed; an optional section is [_{{view}}]")
    if count > _MOST_SECTIONS:
        raise BadTemplate(f"it has {count} optional sections; {_MOST_SECTIONS} are the most: write several templates")
    return tuple(items)


def _section(start: re.Match[str], items: tuple[Token | _Section, ...]) -> _Section:
    if not any(isinstance(item, Field) for item in _flat(items)):
        inside = "".join(str(item) for item in items).lower() or "show"
        raise BadTemplate(f"{_at(start)} begins an optional section, which holds no field; a field is written {{{inside}}}")
    return _Section(items)


def _at(match: re.Match[str]) -> str:
    return f"{match[0]!r} at character {match.start() + 1}"


def _flat(items: tuple[Token | _Section, ...]) -> Iterator[Token]:
    for item in items:
        if isinstance(item, _Section):
            yield from _flat(item.items)
        else:
            yield item


def _expansions(items: tuple[Token | _Section, ...]) -> Iterator[tuple[Token, ...]]:
    """The tokens with every choice of optional sections, all of them first."""
    choices = [[*_expansions(item.items), ()] if isinstance(item, _Section) else [(item,)] for item in items]
    return (tuple(chain.from_iterable(choice)) for choice in product(*choices))


def _layout(tokens: tuple[Token, ...]) -> tuple[Piece, ...]:
    """The pieces of a whole path. A template that begins with a folder's name may begin anywhere."""
    pieces = list(_pieces(tokens))
    if pieces[0] != (_FOLDERS,) and not (isinstance(tokens[0], str) and _FROM_THE_ROOT.match(tokens[0])):
        pieces.insert(0, (_FOLDERS,))
    if pieces[-1] == (_FOLDERS,):
        pieces.append((_REST,))
    elif not _is_file(pieces[-1]):
        pieces += [(_FOLDERS,), (_REST,)]
    for piece in pieces:
        _check_piece(piece)
    _check_ends(pieces)
    return tuple(pieces)


def _pieces(tokens: tuple[Token, ...]) -> Iterator[Piece]:
    """Tokens cut at slashes. Between two slashes there is nothing, but for those of a scheme, and before a first one."""
    cut: list[list[Token]] = [[]]
    for token in tokens:
        first, *rest = [token] if isinstance(token, Field) else token.split("/")
        cut[-1].append(first)
        cut += [[text] for text in rest]
    pieces = [_merge(piece) for piece in cut]
    has_scheme = len(pieces) > 2 and pieces[1] == ("",) and str(pieces[0][-1]).endswith(":")
    for at, piece in enumerate(pieces):
        if piece != ("",) or at <= has_scheme:
            yield _as_piece(piece)


def _merge(piece: list[Token]) -> Piece:
    """Neighbouring texts as one; the empty text alone for an empty piece."""
    groups = groupby(piece, lambda token: isinstance(token, str))
    merged = [["".join(map(str, group))] if is_text else list(group) for is_text, group in groups]
    return tuple(token for token in chain.from_iterable(merged) if token != "") or ("",)


def _as_piece(piece: Piece) -> Piece:
    """`{root}` is any number of folders, as `...` is; `{hierarchy}` one or more, which are kept."""
    names = {token.name: token for token in piece if isinstance(token, Field)}
    wide = names.get("root") or names.get("hierarchy")
    if wide and len(piece) > 1:
        raise BadTemplate(
            f"{wide.written} at character {wide.position} stands for whole folders; put a slash on both sides of it"
        )
    return (_FOLDERS,) if wide and wide.name == "root" else piece


def _is_file(piece: Piece) -> bool:
    """Whether a last piece is the file: by its extension, or as `*` alone. Any other is a folder, and more may follow."""
    last = piece[-1]
    if isinstance(last, str):
        return last.lower().endswith(".exr")
    return last.name == "ext" or (last.name == _ANY and len(piece) == 1)


def _check_piece(piece: Piece) -> None:
    """Raise BadTemplate where nothing tells where a text ends, or where a name would have to be guessed from itself."""
    for one, two in pairwise(piece):
        if isinstance(one, Field) and isinstance(two, Field) and one.shape is None and two.shape is None:
            raise BadTemplate(f"nothing tells where {one.written} ends and {two} begins; put what separates them between them")
    seen: set[str] = set()
    for token in piece:
        if isinstance(token, Field):
            if token.name in seen - {_ANY}:
                raise BadTemplate(f"{token} stands twice in one name; write * for one of them")
            seen.add(token.name)
        elif _FOLDERS in token and piece != (_FOLDERS,):
            raise BadTemplate(f"{token!r}: ... stands for whole folders; put slashes around it, or write * within a name")


def _check_ends(pieces: Sequence[Piece]) -> None:
    """Raise BadTemplate where nothing tells where a run of folders ends: behind it come only texts, and then such a run again."""
    start = None
    for at, piece in enumerate(pieces):
        if not _is_run(piece):
            continue
        if start is not None and not any(map(_is_telling, pieces[start + 1 : at])):
            first = next((token for token in chain(*pieces[start:]) if isinstance(token, Field)), _FOLDERS)
            raise BadTemplate(
                f"nothing tells which folder is {first}; begin with the folder that the shows are in, such as /mnt/projects, "
                "or go on with a folder that tells, such as {version} or one with a name of its own"
            )
        start = at


def _is_run(piece: Piece) -> bool:
    """Whether it is any number of folders."""
    first = piece[0]
    return first == _FOLDERS or (isinstance(first, Field) and first.name == "hierarchy")


def _is_telling(piece: Piece) -> bool:
    """Whether it is a folder by a name, or of a shape, that others do not have."""
    words = any(isinstance(token, str) and re.search(r"\w", token.replace("_", "")) for token in piece)
    return words or any(isinstance(token, Field) and token.shape is not None for token in piece)


def _check_depths(layouts: tuple[tuple[Piece, ...], ...]) -> None:
    """Raise BadTemplate where a folder may be absent, and nothing behind it tells whether it is."""
    longest = layouts[0]
    for layout in layouts[1:]:
        pairs = zip(longest[-3::-1], layout[-3::-1], strict=False)
        behind = [piece for piece, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
        if longest[-1] == (_REST,) and len(layout) != len(longest) and not any(map(_is_telling, behind)):
            raise BadTemplate(
                "nothing behind its optional folder tells whether that is there; go on to a folder that tells, such as {version} "
                "or one with a name of its own"
            )


@lru_cache(maxsize=4096)
def _read_folders(template: Template, number: int, directory: str) -> dict[str, str] | None:
    """The fields in the folders of a path, up to its last slash, by one layout; the files of a folder share them."""
    folders = directory[:-1].split("/") if directory else []
    reading = _FolderReading(template.layouts[number][:-1], folders)
    return reading.values if reading.fits() else None


class _FolderReading:
    """One attempt to read folders by the pieces of a layout."""

    def __init__(self, layout: tuple[Piece, ...], folders: Sequence[str]) -> None:
        self.layout, self.folders = layout, folders
        self.values: dict[str, str] = {}
        self._hopeless: dict[int, int] = {}

    def fits(self, at: int = 0, start: int = 0) -> bool:
        """Whether the pieces from `at` on fit the folders from `start` on."""
        if at == len(self.layout):
            return start == len(self.folders)
        piece = self.layout[at]
        if _is_run(piece):
            return self._fits_run(at, start, is_kept=piece != (_FOLDERS,))
        values = None if start == len(self.folders) else read_name(piece, self.folders[start], self.values)
        if values is None:
            return False
        known, self.values = self.values, self.values | values
        if self.fits(at + 1, start + 1):
            return True
        self.values = known
        return False

    def _fits_run(self, at: int, start: int, *, is_kept: bool) -> bool:
        """Whether the rest fits behind any number of folders. What did not fit from a folder on is not tried again."""
        hopeless = self._hopeless.get(at, len(self.folders) + 1 - is_kept)
        for end in range(start + is_kept, hopeless + is_kept):
            if self.fits(at + 1, end):
                if is_kept:
                    self.values["hierarchy"] = "/".join(self.folders[start:end])
                return True
        self._hopeless[at] = min(start, hopeless)
        return False


def read_name(piece: Piece, name: str, known: Mapping[str, str]) -> dict[str, str] | None:
    """The texts of the fields in one folder or file name; None where it does not fit. A field that is `known` fits that alone."""
    first = piece[0]
    if len(piece) == 1 and isinstance(first, str):
        return {} if name == first else None
    reading = _NameReading(piece, name, known)
    return reading.values if reading.fits() else None


class _NameReading:
    """One attempt to read a name."""

    def __init__(self, piece: Piece, name: str, known: Mapping[str, str]) -> None:
        self.piece, self.name, self.known = piece, name, known
        self.values: dict[str, str] = {}
        self._hopeless: dict[int, int] = {}

    def fits(self, at: int = 0, start: int = 0) -> bool:
        """Whether the tokens from `at` on fit the characters from `start` on."""
        if at == len(self.piece):
            return start == len(self.name)
        token = self.piece[at]
        if isinstance(token, str):
            return self.name.startswith(token, start) and self.fits(at + 1, start + len(token))
        for end in self._ends(at, token, start):
            if self.fits(at + 1, end):
                if token.name != _ANY:
                    self.values = {token.name: self.name[start:end]} | self.values
                return True
        self._hopeless[at] = min(start, self._hopeless.get(at, start))
        return False

    def _ends(self, at: int, token: Field, start: int) -> Iterator[int]:
        """Where the field may end, the nearest first."""
        if (known := self.known.get(token.name)) is not None:
            yield from [start + len(known)] if self.name.startswith(known, start) else ()
        elif token.shape is not None:
            match = token.shape.match(self.name, start)
            yield from [match.end()] if match else ()
        elif at + 1 == len(self.piece):
            yield from [len(self.name)] if start < len(self.name) else ()
        else:
            yield from self._ends_before(at, start)

    def _ends_before(self, at: int, start: int) -> Iterator[int]:
        """The places where what follows may begin; of those behind which it did not fit from an earlier start, none."""
        following, hopeless = self.piece[at + 1], self._hopeless.get(at, len(self.name))
        end = start + 1
        while end <= min(hopeless, len(self.name)):
            if isinstance(following, str):
                end = self.name.find(following, end)
                if not 0 <= end <= hopeless:
                    return
            yield end
            end += 1
