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

To store anything, set four names; the bucket must exist. Then let the doctor try them: it names every wrong setting at once.

<!-- cluster -->
```console
export VAST_DB_ENDPOINT=http://vip-pool.example.com VAST_DB_ACCESS_KEY=... VAST_DB_SECRET_KEY=... VAST_DB_BUCKET=renders
exr-inspector doctor
```

A function that reads objects also needs `S3_ENDPOINT`, `S3_ACCESS_KEY` and `S3_SECRET_KEY`. In a pipeline put keys into the
secret and everything else into the environment of the manifest, as in `deploy/secret.yaml` and `deploy/pipeline.yaml`.

## Which value counts?

Everything is read once, when the function starts, so deploy after a change. The first source that has a value counts:

1. the platform's secrets, `ctx.secrets[secret][key]`. Any name below, or the key listed with it, is understood; case, `_` and
   `-` do not matter. `EXR_SECRET_NAMES` says which secrets are read;
2. the environment, the first name of a setting first. An empty value is no value;
3. the default.

* A container with a wrong setting does not become ready;
  [the messages](TROUBLESHOOTING.md#the-function-does-not-become-ready-a-setting-is-wrong).
* No secret is in a log line, a result or an error.
* For the command alone, `EXR_QUERIES` names the folder of [your own questions](VAST_ANALYTICS_QUERIES.md#write-your-own).
* An event may bring its own database in {credentials}:
  all three together, and only if `EXR_ALLOW_EVENT_CREDENTIALS` is true. Otherwise they are ignored with a warning.
* Settings of other functions for EXR are understood, with a warning ([COMING_FROM.md](COMING_FROM.md)): the secret `vast-db`,
  or the one that `VAST_DB_SECRET_NAME` names, with `endpoint`, `access_key` and `secret_key`; the keys of the objects for the
  database if `VAST_DB_BUCKET` is set; and an address without a scheme, which is taken as http.

This page is generated from `exr_inspector/settings.py` by `scripts/generate configuration`.
"""

DEBUG = "\nAn empty `EXR_LOCAL_ROOTS` allows no local file at all.\n"


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
