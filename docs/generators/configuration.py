"""docs/CONFIGURATION.md, made from the declarations in exr_inspector/settings.py.

    scripts/generate configuration [--check]

With --check nothing is written: exit status 1 says that the page is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from typing import Any

from exr_inspector.settings import EVENT_CREDENTIALS, KIB, MIB, NAMES, Settings
from generators import ROOT

PAGE = ROOT / "docs/CONFIGURATION.md"

HEAD = """# Configuration

This page is generated from `exr_inspector/settings.py` by `scripts/generate configuration`.

Everything is read once, when the function starts. For each setting the first source that has a value counts:

1. the platform's secrets, `ctx.secrets[secret][key]`. A key may be spelled as any name below, or as the key listed with it; case,
   `_` and `-` do not matter. `EXR_SECRET_NAMES` says which secrets count;
2. the environment, under the names below, the first one first. An empty value is no value;
3. the default.

Two habits of other functions for EXR are understood as well ([COMING_FROM.md](COMING_FROM.md)): the secret `vast-db`, or the one
that `VAST_DB_SECRET_NAME` names, may hold the database's `endpoint`, `access_key` and `secret_key`; and where `VAST_DB_BUCKET` is
set and the database's address or keys are not, those of the objects are used, with a warning. An address without a scheme is
http, with a warning.

All wrong settings are reported at once, each with what was expected, and the function does not become ready with any of them;
[TROUBLESHOOTING.md](TROUBLESHOOTING.md) has each message with its remedy; `exr-inspector doctor` tries the settings.
Secret values appear in no log, result or error.

An event may bring its own database in {credentials}:
all three together, never mixed with the values above, and only where `EXR_ALLOW_EVENT_CREDENTIALS` is true. Otherwise they are
ignored, and the result warns of it.
"""

DEBUG = "\n`DEBUG=true` is another way to write `LOG_LEVEL=DEBUG`. An empty `EXR_LOCAL_ROOTS` allows no local file at all.\n"


def page() -> str:
    """The whole page."""
    *others, last = (f"`{name}`" for name in EVENT_CREDENTIALS)
    head = HEAD.format(credentials=f"{', '.join(others)} and {last}")
    groups = dict.fromkeys(item.metadata["group"] for item in fields(Settings))
    return head + "".join(section(group) for group in groups) + DEBUG


def section(group: str) -> str:
    """One group of settings as a table."""
    rows = "\n".join(row(item) for item in fields(Settings) if item.metadata["group"] == group)
    return f"\n## {group}\n\n| name | value | default | meaning |\n|---|---|---|---|\n{rows}\n"


def row(item: Field[Any]) -> str:
    """One setting: its names, its shape, its default, what it means."""
    described = item.metadata
    first, *others = described["names"]
    names = [f"`{first}`", *(f"or `{name}`" for name in others)]
    names += [f"in secrets also `{key}`" for key in described["keys"]]
    names += [f"(deprecated: `{name}`; use {instead})" for name, instead in described["deprecated"].items()]
    shape = described["kind"].shape + (" (secret)" if described["secret"] else "")
    return f"| {'<br>'.join(names)} | {shape} | {' '.join(default(item))} | {described['help']} |"


def default(item: Field[Any]) -> Iterator[str]:
    """The default as one would write it; nothing for a setting without one, or with one that depends on where it runs."""
    value = item.default
    if value is None or value is MISSING or value == ():
        return
    if isinstance(value, bool):
        yield f"`{str(value).lower()}`"
    elif isinstance(value, int) and value >= KIB:
        yield f"`{value // MIB}MiB`" if value % MIB == 0 else f"`{value // KIB}KiB`"
    elif item.metadata["kind"] is NAMES:
        yield f"`{','.join(value)}`"
    else:
        yield f"`{value}`"
