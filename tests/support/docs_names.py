"""What documents say in prose, compared with the project: links, names in code type, measured numbers."""

from __future__ import annotations

import re
from collections.abc import Container
from functools import cache
from pathlib import Path

from docs_commands import PLATFORM
from project import ROOT, tracked

FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)*\.(?:py|md|toml|json|sql|txt|yaml|sh)")
MADE_BY_USERS = {"EVENT.json"}
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CODE = re.compile(r"``([^\n]+?)``|`([^`\n]+)`")
_IDENTIFIER = re.compile(r"(?<![\w/<-])_?[A-Za-z]\w*")
_NAME = re.compile(r"[A-Za-z0-9]_\w|_[a-z]|[a-z][A-Z]")
_MEASURED = re.compile(r"\b\d[\d,.]*\s?(?:ms|us|µs|(?:files|events|rows|samples)/s|(?:micro|milli)seconds)(?!\w)")
_COMMAND = re.compile(r"\b(scripts/\w+|python -m|pytest|curl|benchmarks[/.]\w+)")


def prose(text: str) -> str:
    """A document without its code blocks and comments; its lines keep their numbers."""
    blank = lambda block: "\n" * block[0].count("\n")  # noqa: E731
    return _COMMENT.sub(blank, _FENCE.sub(blank, text))


def code_spans(text: str) -> list[str]:
    """What stands in code type in the prose."""
    return [(double or single).strip() for double, single in _CODE.findall(prose(text))]


@cache
def anchors(text: str) -> frozenset[str]:
    """The anchors that a document's headings make."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    plain = [re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain)


def broken_links(text: str, path: Path) -> list[str]:
    """Links that lead to no file, or to no heading of it."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not (file == path or file.exists()) or (anchor and anchor not in anchors(_text_of(file, path, text))):
            broken.append(target)
    return broken


def _text_of(file: Path, path: Path, text: str) -> str:
    if file == path:
        return text
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def missing_files(text: str, path: Path) -> set[str]:
    """File names in code type that are no files: neither from the root, nor beside the document, nor by their last segment."""
    known = {file.name for file in tracked("*")}
    named = {span for span in code_spans(text) if FILE.fullmatch(span)} - MADE_BY_USERS
    return {
        name
        for name in named
        if not (ROOT / name).exists() and not (path.parent / name).exists() and ("/" in name or name not in known)
    }


@cache
def words() -> frozenset[str]:
    """The words of everything in the project that is neither a document nor a check of documents."""
    files = [path for path in tracked("*") if path.suffix != ".md" and not re.match(r"(test_)?docs", path.name)]
    texts = [path.read_bytes().decode("utf-8", "ignore") for path in files if path.suffix not in (".exr", ".arrow")]
    return frozenset(word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text))


def unknown_names(text: str, others: Container[str] = ()) -> set[str]:
    """Names in code type with an underscore or inner capital that stand nowhere in the project; `others`: of other programs."""
    named = {name for span in code_spans(text) for name in _IDENTIFIER.findall(span) if _NAME.search(name)}
    return {name for name in named if not {name, f"_{name}"} & words() and name not in others}


def unknown_flags(text: str) -> set[str]:
    """Flags in code type, without a program before them, that no program has."""
    flags = {flag for span in code_spans(text) for flag in re.findall(r"(?<![\w-])--[a-z][\w-]+", span)}
    return flags - known_flags()


@cache
def known_flags() -> frozenset[str]:
    """Every flag that stands in the project, that a question's parameter makes, or that the platform's programs have."""
    files = [path for path in tracked("*") if path.suffix in (".py", "", ".toml") and not path.name.startswith("test_docs")]
    own = {flag for path in files for flag in re.findall(r"(?<![\w-])--[a-z][\w-]+", path.read_bytes().decode("utf-8", "ignore"))}
    asked = "".join(path.read_text(encoding="utf-8") for path in tracked("*.sql"))
    own |= {f"--{name.replace('_', '-')}" for name in re.findall(r"^-- \$(\w+)", asked, re.MULTILINE)}
    theirs = {flag for one in PLATFORM.values() for group in [one, *one["commands"].values()] for flag in group["flags"]}
    return frozenset(own | theirs)


def uncommanded(text: str, *, whole: bool = False) -> list[str]:
    """Measured numbers in a section that names no command that measures them; `whole`: in a document that names none."""
    plain = _COMMENT.sub("", text)
    sections = [plain] if whole else re.split(r"^(?=##? )", plain, flags=re.MULTILINE)
    return [match[0] for section in sections if not _COMMAND.search(section) for match in _MEASURED.finditer(prose(section))]
