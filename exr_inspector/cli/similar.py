"""Which stored files were made like this one?

    %(prog)s shot/beauty.1001.exr              an EXR on disk is enough
    %(prog)s FILE_ID --by channels --top 5     or a stored file, by its file_id or its path

`--by metadata` compares how files were made, `--by channels` which channels they have. Distances are cosine distances: 0 is
alike; by metadata the same setup lies below about 0.09. One frame stands for its sequence. `--explain` says what makes each
distance: `-` what the reference alone has, `+` what the other alone has.
Exit status: 0 with an answer, also an empty one; 2 for a reference that is none; 1 where the database did not answer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from exr_inspector.catalogue import output
from exr_inspector.cli import common
from exr_inspector.errors import InspectorError, VASTDatabaseError
from exr_inspector.terminal import json_text

if TYPE_CHECKING:
    from exr_inspector.catalogue.connection import Target
    from exr_inspector.catalogue.similarity import Neighbour, Reference
    from exr_inspector.embedding.vectors import BlockDistance

VECTORS = ("metadata", "channels")
NEGLIGIBLE = 1e-6
"""Below this a block's distance is rounding."""
NAMES_SHOWN = 6
LARGEST_TOP = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    from exr_inspector.catalogue import similarity

    try:
        target = common.target_of(options)
        reference = similarity.reference(target, options.reference, options.by)
        neighbours = _nearest(target, reference, options)
    except (InspectorError, OSError) as error:
        return common.refuse(error)
    if options.format == "json":
        print(json_text([as_dict(one, reference, explained=options.explain) for one in neighbours], indent=2))
    else:
        _show(neighbours, reference, explained=options.explain)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = common.plain_parser(__doc__)
    parser.add_argument("reference", metavar="FILE.exr|FILE_ID")
    parser.add_argument("--by", choices=VECTORS, default="metadata")
    parser.add_argument(
        "--top", type=common.count_to(LARGEST_TOP), default=10, metavar="N", help="answers at most (default: %(default)s)"
    )
    parser.add_argument("--show", metavar="NAME", help="only files of this show")
    parser.add_argument("--every-frame", action="store_true", help="list frames of one sequence by themselves")
    parser.add_argument("--explain", action="store_true", help="say which fields make the distance")
    parser.add_argument("--exact", action="store_true", help="scan all vectors, also where there is a vector index")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    common.add_database(parser)
    return parser


def _nearest(target: Target, reference: Reference, options: argparse.Namespace) -> list[Neighbour]:
    from exr_inspector.catalogue import similarity

    search = {"show": options.show, "every_frame": options.every_frame}
    if options.exact:
        return similarity.nearest(target, reference, options.by, options.top, **search, index=False)
    try:
        return similarity.nearest(target, reference, options.by, options.top, **search)
    except VASTDatabaseError as error:
        # The index is asked through the query engine, which an endpoint may not have; reading through the SDK settles it.
        output.complain(f"{common.program()}: the vector index cannot be used ({error.code}); scanning")
        return similarity.nearest(target, reference, options.by, options.top, **search, index=False)


def as_dict(neighbour: Neighbour, reference: Reference, *, explained: bool) -> dict[str, Any]:
    """A neighbour as plain data; `explained` adds what each block contributes and what differs in it."""
    entry: dict[str, Any] = {
        "file_id": neighbour.file_id,
        "file_path": neighbour.file_path,
        "show_name": neighbour.show_name,
        "shot_name": neighbour.shot_name,
        "distance": neighbour.distance,
    }
    if explained:
        entry["explanation"] = [
            _explanation(block, neighbour, reference) for block in neighbour.blocks if block.distance > NEGLIGIBLE
        ]
    return entry


def _explanation(block: BlockDistance, neighbour: Neighbour, reference: Reference) -> dict[str, Any]:
    from exr_inspector.catalogue.differences import differences

    mine, theirs = differences(block.block, reference.payload, neighbour.payload)
    return {"field": block.label, "distance": block.distance, "only_reference": mine, "only_other": theirs}


def _show(neighbours: Sequence[Neighbour], reference: Reference, *, explained: bool) -> None:
    rows = [(round(one.distance, 6), one.show_name, one.shot_name, one.file_path, one.file_id[:12]) for one in neighbours]
    output.show(("distance", "show", "shot", "file", "file_id"), rows, sys.stdout, title=f"Nearest to {reference.name}")
    if not explained:
        return
    for one in neighbours:
        lines = [
            (round(entry["distance"], 6), entry["field"], _brief("-", entry["only_reference"]), _brief("+", entry["only_other"]))
            for entry in as_dict(one, reference, explained=True)["explanation"]
        ]
        lines.sort(key=itemgetter(0), reverse=True)
        output.show(("distance", "field", "only the reference", "only this file"), lines, sys.stdout, title=one.file_path)


def _brief(sign: str, names: Sequence[str]) -> str:
    shown = ", ".join(f"{sign}{name}" for name in names[:NAMES_SHOWN])
    return shown + (f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else "")
