"""How many calls an event makes in a warm container, and how often the work moves from one module to another.

    scripts/python -m benchmarks.calls.measure [--by-module]

The event names a beauty frame with 34 channels, as a local file or as an object in a bucket, and the frame is stored already.
Counted are calls of the project's own functions while `main.handler` runs (`sys.setprofile`, its thread alone); comprehensions
are left out, which are calls before Python 3.12 alone. A change of module is a call of a function whose module is not that of
the project's function called before it. Counts do not depend on how fast or how busy the machine is.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import boto3

import main as function
from exr_inspector.operations.samples import SAMPLES
from local_vast import LocalVast

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "renders"
KEY = next(iter(SAMPLES))
COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
SHIPPED = tuple(str(ROOT / name) for name in ("main.py", "vast_schemas.py", "exr_inspector"))


@contextmanager
def endpoint() -> Iterator[dict[str, dict[str, Any]]]:
    """A local endpoint that the environment names, and the events by the way in which they name the frame."""
    with LocalVast(buckets=(BUCKET,)) as server, tempfile.TemporaryDirectory() as folder:
        frame = Path(folder) / "frame.exr"
        SAMPLES[KEY](frame)
        keys = {"aws_access_key_id": server.access_key, "aws_secret_access_key": server.secret_key, "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=server.url, **keys).put_object(Bucket=BUCKET, Key=KEY, Body=frame.read_bytes())
        os.environ |= {
            "VAST_DB_ENDPOINT": server.url,
            "VAST_DB_ACCESS_KEY": server.access_key,
            "VAST_DB_SECRET_KEY": server.secret_key,
            "VAST_DB_BUCKET": BUCKET,
            "S3_ENDPOINT": server.url,
            "S3_ACCESS_KEY": server.access_key,
            "S3_SECRET_KEY": server.secret_key,
        }
        yield {"a local file": {"data": {"path": str(frame)}}, "an object": {"data": {"s3_bucket": BUCKET, "s3_key": KEY}}}


def record_modules(context: Any, event: dict[str, Any]) -> list[str]:
    """The module of each of the project's functions that the handler calls in a warm container, in the order of the calls."""
    modules: list[str] = []

    def note(frame: FrameType, kind: str, argument: Any) -> None:
        code = frame.f_code
        if kind == "call" and code.co_filename.startswith(SHIPPED) and code.co_name not in COMPREHENSIONS:
            modules.append(code.co_filename.removeprefix(f"{ROOT}/"))

    for _ in range(3):
        answer = function.handler(context, event)
    assert (answer["persistence"]["status"], answer["inserted"]) == ("stored", False), answer
    sys.setprofile(note)
    try:
        function.handler(context, event)
    finally:
        sys.setprofile(None)
    return modules


def changes(modules: list[str]) -> Counter[tuple[str, str]]:
    """How often a call in one module was followed by one in another, by both."""
    return Counter((before, after) for before, after in pairwise(modules) if before != after)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Calls and changes of module of an event in a warm container.")
    parser.add_argument("--by-module", action="store_true", help="list calls by module, and changes by pair of modules")
    options = parser.parse_args()
    with endpoint() as events:
        context = SimpleNamespace()
        function.init(context)
        recorded = {named: record_modules(context, event) for named, event in events.items()}
    print(f"Python {platform.python_version()}")
    for named, modules in recorded.items():
        print(f"{named}: {changes(modules).total()} changes of module, {len(modules)} calls")
        if options.by_module:
            print_modules(modules)
    return 0


def print_modules(modules: list[str]) -> None:
    """Calls by module, and changes by pair of modules, the most frequent first."""
    for module, count in Counter(modules).most_common():
        print(f"  {count:6} calls    {module}")
    for (before, after), count in changes(modules).most_common(40):
        print(f"  {count:6} changes  {before} -> {after}")


if __name__ == "__main__":
    sys.exit(main())
