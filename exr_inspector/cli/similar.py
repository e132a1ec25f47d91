"""Which stored files were made like this one, and why?

    %(prog)s shot/beauty.1001.exr              an EXR on disk is enough
    %(prog)s FILE_ID --by channels --top 5     or a stored file, by its file_id or its path

`--by metadata` compares how files were made, `--by channels` which channels they have. Distances are cosine distances: 0 is
alike; by metadata the same setup lies below about 0.05. One frame stands for its sequence. Below the files stands what makes the
distances, each difference once: `-` what the reference alone has, `+` what the others have instead.
Exit status: 0 with an answer, also an empty one; 2 for a reference that is none; 1 where the database did not answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from exr_inspector.catalogue import output
from exr_inspector.cli import asking, common
from exr_inspector.cli.subcommand import program, subcommand
from exr_inspector.errors import VASTDatabaseError
from exr_inspector.terminal import json_text

if TYPE_CHECKING:
    from exr_inspector.catalogue.connection import Target
    from exr_inspector.catalogue.similarity import Neighbour, Reference
    from exr_inspector.embedding.vectors import BlockDistance

NEGLIGIBLE = 1e-6
"""Below this a block's distance is rounding."""
NAMES_SHOWN = 6
LARGEST_TOP = 1000
SAME_TEXTS = {
    "layer and channel names": "the same channel names, different counts",
    "pixel types, sampling and number of channels": "the same channels, different counts or sampling",
    "views and parts": "the same part names and views, different channels in the parts",
}
"""Field -> what to say where its distance comes from no value that one of the two alone has."""
OTHER_SAME_TEXTS = "the same values, different counts"


@subcommand(__doc__)
def main(
    reference: Annotated[str, typer.Argument(metavar="PATH|FILE_ID", help="what others are compared with")],
    by: Annotated[Literal["metadata", "channels"], typer.Option(help="what is compared")] = "metadata",
    top: Annotated[int, typer.Option(parser=common.count_to(LARGEST_TOP), metavar="N", help="answers at most")] = 10,
    show: Annotated[str | None, typer.Option(metavar="TEXT", help="only files of this show")] = None,
    every_frame: Annotated[bool, typer.Option("--every-frame", help="list frames of one sequence by themselves")] = False,
    explain: Annotated[bool, typer.Option("--explain/--no-explain", help="say what makes the distances")] = True,
    exact: Annotated[bool, typer.Option("--exact", help="scan all vectors, also where there is a vector index")] = False,
    form: asking.Form = "table",
    output: asking.Output = None,
    columns: asking.Columns = None,
    wide: asking.Wide = False,
    safe_csv: asking.SafeCsv = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.attempt(answer, locals())


def answer(options: common.Options) -> None:
    """Find, and say."""
    from exr_inspector.catalogue import similarity

    target = common.target_of(options)
    reference = similarity.reference(target, options.reference, options.by)
    neighbours = _nearest(target, reference, options)
    if options.form == "json" and not options.columns:
        _write_json([as_dict(one, reference, explained=options.explain) for one in neighbours], options)
        return
    _write_table(neighbours, reference, options)
    if options.form == "table" and not options.every_frame and similarity.has_siblings(target, reference):
        output.complain(f"{program()}: frames of its own sequence are left out (--every-frame)")


def _write_json(entries: list[dict[str, Any]], options: common.Options) -> None:
    text = json_text(entries, indent=2)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


def _write_table(neighbours: Sequence[Neighbour], reference: Reference, options: common.Options) -> None:
    import pyarrow as pa

    rows = [as_dict(one, reference, explained=False) for one in neighbours]
    if options.form == "table" and not options.wide and not options.columns:
        rows = [{name: row[name] for name in ("file_path", "distance")} for row in rows]
        rows = [row | {"distance": round(float(row["distance"]), 6)} for row in rows]
    title = f"Nearest to {reference.name.rpartition('/')[2]} by cosine distance"
    output.write(pa.Table.from_pylist(rows), asking.destination(options), title)
    if options.form == "table" and options.output is None:
        output.say_lines(_explain(neighbours, reference) if options.explain else ())
        output.say_lines([] if neighbours else ["no other stored file has vectors of this version"])


def _nearest(target: Target, reference: Reference, options: common.Options) -> list[Neighbour]:
    from exr_inspector.catalogue import similarity

    search = {"show": options.show, "every_frame": options.every_frame}
    if options.exact:
        return similarity.nearest(target, reference, options.by, options.top, **search, index=False)
    try:
        return similarity.nearest(target, reference, options.by, options.top, **search)
    except VASTDatabaseError as error:
        # The index is asked through the query engine, which an endpoint may not have; reading through the SDK settles it.
        output.complain(f"{program()}: the vector index cannot be used ({error.code}); scanning")
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


def _explain(neighbours: Sequence[Neighbour], reference: Reference) -> Iterator[str]:
    """What makes the distances, field by field, each difference once with the files that have it."""
    from exr_inspector.catalogue import places

    shared = places.common_folder(one.file_path for one in neighbours)
    names = {one.file_id: places.file(one.file_path).below(shared) for one in neighbours}
    everywhere = tuple(dict.fromkeys(names.values()))
    for field, facts in _facts_by_field(neighbours, reference, names).items():
        yield ""
        yield field
        united: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for fact, having in facts.items():
            united[tuple(dict.fromkeys(having))].append(fact)
        for files, listed in united.items():
            where = "" if files == everywhere else f"{', '.join(files)}: "
            yield f"  {where}{_brief(listed)}"


def _facts_by_field(
    neighbours: Sequence[Neighbour], reference: Reference, names: dict[str, str]
) -> dict[str, dict[str, list[str]]]:
    """Field -> difference -> the files that have it; the field that makes most of the distances first."""
    by_field: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    weights: Counter[str] = Counter()
    for one in neighbours:
        for entry in as_dict(one, reference, explained=True)["explanation"]:
            weights[entry["field"]] += entry["distance"]
            signed = [("-", entry["only_reference"]), ("+", entry["only_other"])]
            for fact in [f"{sign}{text}" for sign, texts in signed for text in texts] or [
                SAME_TEXTS.get(entry["field"], OTHER_SAME_TEXTS)
            ]:
                by_field[entry["field"]][fact].append(names[one.file_id])
    return {field: by_field[field] for field, _ in weights.most_common()}


def _brief(facts: Sequence[str]) -> str:
    return ", ".join(facts[:NAMES_SHOWN]) + (f" and {len(facts) - NAMES_SHOWN} more" if len(facts) > NAMES_SHOWN else "")
