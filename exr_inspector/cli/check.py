"""Look for rows that contradict each other, and mend what can be mended from what is stored.

    %(prog)s [--repair [--dry-run]]

Looks for orphans, duplicates, several current versions of a path or none, counts that disagree, statistics and findings that
contradict their row of files, vectors that are missing, not of unit length or not finite, vectors of an older algorithm, and a
raw_output that is not the columns'. Every finding names its remedy. Repairs are small transactions; an interrupted run leaves
whole repairs behind, and a second one does the rest.
Exit status: 0 sound, or mended; 3 findings are left; others as in `exr-inspector -h`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from exr_inspector.cli import common
from exr_inspector.cli.subcommand import subcommand

if TYPE_CHECKING:
    from exr_inspector.operations.integrity import Discrepancy

SHOWN = 20


@subcommand(__doc__)
def main(
    repair: Annotated[bool, typer.Option("--repair", help="repair what can be repaired; with --dry-run only say what")] = False,
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(examine, locals())


def examine(options: common.Options) -> common.Answer:
    """Find, mend where that is asked for, and find again."""
    from exr_inspector.cli.progress import bars
    from exr_inspector.operations import integrity, migrations, repair

    store = common.store_of(options)
    if "files" not in migrations.read_state(store).tables:
        raise common.absent(store, f"{store.place}: there is no table files", "Run `exr-inspector schema init`")
    findings = integrity.check(store)
    repaired: Counter[str] = Counter()
    if options.repair and not options.dry_run:
        repair.repair_all(store, findings, bars(quiet=options.json))
        left = integrity.check(store)
        repaired = Counter(finding.kind for finding in findings) - Counter(finding.kind for finding in left)
        findings = left
    return _answer(store.place, findings, repaired)


def _answer(place: str, findings: Sequence[Discrepancy], repaired: Counter[str]) -> common.Answer:
    from exr_inspector.operations.integrity import REMEDIES

    counts = Counter(finding.kind for finding in findings)
    lines = [f"repaired: {count} {kind}" for kind, count in repaired.items()]
    lines += [f"{kind}: {count}; {REMEDIES[kind]}" for kind, count in counts.items()]
    lines += [f"  {one.table} {one.subject}: {one.detail}" for one in findings[:SHOWN]]
    if len(findings) > SHOWN:
        lines.append(f"  and {len(findings) - SHOWN} more: --json names all")
    entries = [asdict(finding) | {"remedy": REMEDIES[finding.kind]} for finding in findings]
    answer: common.Answer = {"ok": not findings, "place": place, "counts": counts, "repaired": repaired, "findings": entries}
    return answer | {"lines": lines or [f"{place}: sound"]}
