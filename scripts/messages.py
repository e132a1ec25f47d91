"""The tables of messages in docs/TROUBLESHOOTING.md, made from the code.

    scripts/generate_messages [--check]

What stands between the two marks is written anew: every message with its code, its remedy and what follows from it, and where
the page explains the code. With --check nothing is written: exit status 1 says that the page is out of date. A code that no
section of the page names is refused, so that no message is without an explanation.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache

import exr_checks
from scripts.generated import ROOT, command
from scripts.message_sites import CODE_OF_PLAIN, Site, sites
from vast_errors import DATABASE_RULINGS, Then

PAGE = ROOT / "docs/TROUBLESHOOTING.md"
BEGIN = "<!-- messages: begin, written by scripts/generate_messages -->"
END = "<!-- messages: end -->"
VERDICTS = {Then.AGAIN: "retry", Then.LATER: "retry", Then.REFUSE: "reject"}
SHELL = re.compile(r'echo "((?!Making|Installing)[^"]+)" >&2')
"""What a shell script says on standard error, but for what it is doing."""
POLICY_HEAD = """A result of a policy that does not pass has one of these as its `status_code`:

| kind of rule | status codes |
|---|---|"""
LEGEND = """
`<name>` stands for what is only known when it happens. The column *what follows* says: **skip**, **reject** and **retry** are the
verdicts of an error ([what the platform does with each](SERVERLESS_INTEGRATION.md#verdicts)); **error** and **warning** are
entries of `errors` and `warnings` in a payload, whose file is stored all the same; **finding** is what a script reports with
exit status 3; **refused** ends a command, mostly with exit status 2.
"""


def page() -> str:
    """The whole page: what people wrote, with the tables of now. Raises ValueError for a page without the two marks."""
    text = PAGE.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.rpartition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} lacks {BEGIN} or {END}")
    return "".join((before, BEGIN, "\n", tables(sections(before)), END, after))


def sections(text: str) -> dict[str, str]:
    """Heading of a problem -> its text."""
    found = re.split(r"^### (.+)$", text, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def codes_of(section: str) -> list[str]:
    """The codes that a section says it is about."""
    found = re.search(r"^\* Codes: (.+(?:\n  .+)*)", section, re.MULTILINE)
    return re.findall(r"`(\w+)`", found[1]) if found else []


def tables(problems: dict[str, str]) -> str:
    """Both tables. Raises ValueError where a code belongs to no problem."""
    homes = {code: heading for heading, text in problems.items() for code in codes_of(text)}
    homes[CODE_OF_PLAIN] = next((heading for heading, text in problems.items() if f"*{CODE_OF_PLAIN}*" in text), "")
    found = every_site()
    homeless = sorted({site.code for site in found if not homes.get(site.code)})
    if homeless:
        raise ValueError(f"no problem of {PAGE.name} names {', '.join(homeless)}")
    rows = "\n".join(row(site, homes[site.code]) for site in found)
    head = "| code | message | remedy | what follows | said by | explained in |\n|---|---|---|---|---|---|"
    return f"{LEGEND}\n{head}\n{rows}\n\n{policy_table()}"


@cache
def every_site() -> tuple[Site, ...]:
    """The messages of the modules, of the database's client as it is judged, and of the command lines; these stand last."""
    found = (*sites(), *rulings(), *shell())
    return tuple(sorted(found, key=lambda site: (site.code == CODE_OF_PLAIN, site.code, site.message)))


def rulings() -> Iterator[Site]:
    """One entry per code that an error of the database's client becomes."""
    by_code: dict[str, list[str]] = {}
    for name, ruling in DATABASE_RULINGS.items():
        by_code.setdefault(ruling.code, []).append(name.rpartition(".")[2])
    judged = {ruling.code: ruling for ruling in DATABASE_RULINGS.values()}
    judged["database_stale"] = judged["database_conflict"]
    by_code["database_stale"] = ["BadRequest"]
    for code, names in by_code.items():
        message = f"<place>: <{' or '.join(names)}> <details>"
        yield Site(code, message, judged[code].remedy or "", VERDICTS[judged[code].then], "vast_errors.py")


def shell() -> Iterator[Site]:
    """What the shell scripts say on standard error."""
    for path in sorted((ROOT / "scripts").iterdir()):
        if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash"):
            for text in SHELL.findall(path.read_text(encoding="utf-8")):
                yield Site(CODE_OF_PLAIN, text.replace("$0", f"scripts/{path.name}"), "", "refused", f"scripts/{path.name}")


def row(site: Site, home: str) -> str:
    """One line of the table."""
    code = site.code if site.code == CODE_OF_PLAIN else f"`{site.code}`"
    cells = (code, quoted(site.message), site.remedy.replace("<", "&lt;"), site.verdict, site.where, f"[{home}](#{anchor(home)})")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def quoted(text: str) -> str:
    """Text in code type, whatever it holds."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def anchor(heading: str) -> str:
    """The anchor that a heading makes."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def policy_table() -> str:
    """Kind of rule -> the status codes of its results, from `exr_checks`."""
    lines = [f"| `{kind}` | {', '.join(f'`{code}`' for code in codes)} |" for kind, codes in policy_codes().items()]
    return "\n".join((POLICY_HEAD, *lines, ""))


def policy_codes() -> dict[str, list[str]]:
    """Kind of rule -> its codes; a part that follows from an option is `<...>`."""
    tree = ast.parse((ROOT / "exr_checks.py").read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {kind: list(dict.fromkeys(_probed(functions, check.__name__, {}))) for kind, check in exr_checks.CHECKS.items()}


def _probed(functions: dict[str, ast.FunctionDef], name: str, given: dict[str, str]) -> Iterator[str]:
    """The codes of a check and of the checks that it leaves a part to; `given`: what those are called with."""
    for node in ast.walk(functions[name]):
        called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
        if isinstance(node, ast.Call) and called == "Probe":
            yield _code(node.args[0], given)
        elif isinstance(node, ast.Call) and called in functions and called.startswith("_"):
            names = [argument.arg for argument in functions[called].args.args]
            texts = {name: value.value for name, value in zip(names, node.args, strict=False) if isinstance(value, ast.Constant)}
            yield from _probed(functions, called, {name: str(text) for name, text in texts.items()})


def _code(node: ast.expr, given: dict[str, str]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return re.sub(r"\{(\w+).*?\}", lambda match: given.get(match[1], f"<{match[1]}>"), ast.unparse(node)[2:-1])


if __name__ == "__main__":
    try:
        sys.exit(command(PAGE, page, "scripts/generate_messages"))
    except ValueError as error:
        sys.exit(str(error))
