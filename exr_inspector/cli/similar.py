"""Which stored files were made like this one?

    exr-inspector similar shot/beauty.1001.exr              an EXR on disk is enough
    exr-inspector similar FILE_ID --by channels --top 5     or a stored file, by its file_id or its path

`--by metadata` compares how files were made, `--by channels` which channels they have. Distances are cosine distances: 0 is
alike; by metadata the same setup lies below about 0.09. One frame stands for its sequence. `--explain` says what makes each
distance: `-` what the reference alone has, `+` what the other alone has.
Exit status: 0 with an answer, also an empty one; 2 for a reference that is none; 1 where the database did not answer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from exr_inspector.arguments import Parser
from exr_inspector.catalogue import connection, output, similarity
from exr_inspector.catalogue.differences import differences
from exr_inspector.catalogue.similarity import Neighbour, Reference
from exr_inspector.cli import common
from exr_inspector.errors import InspectorError, VASTDatabaseError
from exr_inspector.terminal import json_text

# Below this a block's distance is rounding.
NEGLIGIBLE = 1e-6
NAMES_SHOWN = 6
LARGEST_TOP = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        target = connection.from_arguments(asked)
        wanted = similarity.reference(target, asked.reference, asked.by)
        found = _nearest(target, wanted, asked)
    except (InspectorError, OSError) as error:
        return common.refuse("find_similar.py", error)
    if asked.format == "json":
        print(json_text([as_dict(one, wanted, explained=asked.explain) for one in found], indent=2))
    else:
        _show(found, wanted, explained=asked.explain)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", metavar="FILE.exr|FILE_ID")
    parser.add_argument("--by", choices=tuple(similarity.VECTORS), default="metadata")
    parser.add_argument(
        "--top", type=common.count_to(LARGEST_TOP), default=10, metavar="N", help="answers at most (default: %(default)s)"
    )
    parser.add_argument("--show", metavar="NAME", help="only files of this show")
    parser.add_argument("--every-frame", action="store_true", help="list frames of one sequence by themselves")
    parser.add_argument("--explain", action="store_true", help="say which fields make the distance")
    parser.add_argument("--exact", action="store_true", help="scan all vectors, also where there is a vector index")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    connection.add_arguments(parser)
    return parser


def _nearest(target: connection.Target, wanted: Reference, asked: argparse.Namespace) -> list[Neighbour]:
    search = {"show": asked.show, "every_frame": asked.every_frame}
    if asked.exact:
        return similarity.nearest(target, wanted, asked.by, asked.top, **search, index=False)
    try:
        return similarity.nearest(target, wanted, asked.by, asked.top, **search)
    except VASTDatabaseError as error:
        # The index is asked through the query engine, which an endpoint may not have; reading through the SDK settles it.
        output.complain(f"find_similar.py: the vector index cannot be used ({error.code}); scanning")
        return similarity.nearest(target, wanted, asked.by, asked.top, **search, index=False)


def as_dict(found: Neighbour, wanted: Reference, *, explained: bool) -> dict[str, Any]:
    """A neighbour as plain data; `explained` adds what each block contributes and what differs in it."""
    entry: dict[str, Any] = {
        "file_id": found.file_id,
        "file_path": found.file_path,
        "show_name": found.show_name,
        "shot_name": found.shot_name,
        "distance": found.distance,
    }
    if explained:
        entry["explanation"] = [_explanation(block, found, wanted) for block in found.blocks if block.distance > NEGLIGIBLE]
    return entry


def _explanation(block: Any, found: Neighbour, wanted: Reference) -> dict[str, Any]:
    mine, theirs = differences(block.block, wanted.payload, found.payload)
    return {"field": block.label, "distance": block.distance, "only_reference": mine, "only_other": theirs}


def _show(found: Sequence[Neighbour], wanted: Reference, *, explained: bool) -> None:
    rows = [(round(one.distance, 6), one.show_name, one.shot_name, one.file_path, one.file_id[:12]) for one in found]
    output.show(("distance", "show", "shot", "file", "file_id"), rows, sys.stdout, title=f"Nearest to {wanted.name}")
    if not explained:
        return
    for one in found:
        lines = [
            (round(entry["distance"], 6), entry["field"], _brief("-", entry["only_reference"]), _brief("+", entry["only_other"]))
            for entry in as_dict(one, wanted, explained=True)["explanation"]
        ]
        lines.sort(key=lambda line: -line[0])
        output.show(("distance", "field", "only the reference", "only this file"), lines, sys.stdout, title=one.file_path)


def _brief(sign: str, names: Sequence[str]) -> str:
    shown = ", ".join(f"{sign}{name}" for name in names[:NAMES_SHOWN])
    return shown + (f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else "")
