"""The table of benchmarks/pixel_stats/README.md: who has the same figures for which file, and why not.

python -m benchmarks.pixel_stats.agreement DIRECTORY
"""

from __future__ import annotations

import sys
from pathlib import Path

from exr_inspector.errors import BadHeader

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
import pixel_agreement


def main() -> None:
    """One line for each file below the directory, as a Markdown table."""
    print("| file | parts, channels | OpenImageIO | NumPy over OpenEXR |\n|---|---|---|---|")
    for path in sorted(Path(sys.argv[1]).rglob("*.exr")):
        print(f"| {path.name} | {' | '.join(line(path))} |", flush=True)


def line(path: Path) -> tuple[str, str, str]:
    """What was read of a file, and what the two others say of it."""
    try:
        stats = pixel_agreement.ours(path)
    except BadHeader as error:
        return f"damaged header: {error.code}", "", ""
    rows = pixel_agreement.complete_rows(stats)
    partial = sum(part["is_partial"] for part in stats["parts"])
    read = f"{len(stats['parts'])}, {len(stats['channels'])}" + (f"; {partial} partial" if partial else "")
    return read, str(pixel_agreement.with_openimageio(path, rows)), str(pixel_agreement.with_numpy(path, rows))


if __name__ == "__main__":
    main()
