"""From a bucket upload to a row: what happens to an object, and what the database says of it afterwards.

    scripts/upload_demo

Starts an object store, a database, an element trigger and the function on loopback, uploads with boto3, and stops everything.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from exr_inspector.arguments import Parser
from exr_inspector.cli.cloud import BUCKET, Cloud, local_cloud
from exr_inspector.operations.samples import SAMPLES, write_samples

PART_BYTES = 5 * 1024**2
Step = tuple[str, str, Callable[[], object]]


def steps(cloud: Cloud, files: dict[str, bytes]) -> Iterator[Step]:
    """What is done, to which key, and how."""
    first, second = (files[name] for name in SAMPLES if "beauty/v003" in name and "1003" not in name)
    notes = next(data for name, data in files.items() if name.endswith("notes.exr"))
    key, odd = "apollo/beauty.1001.exr", "apollo/übung #1 + 50%.exr"
    yield "upload", key, partial(cloud.put, key, first)
    yield "the same again", key, partial(cloud.put, key, first)
    yield "overwrite", key, partial(cloud.put, key, second)
    yield "copy", "apollo/copy.exr", partial(copy, cloud, key, "apollo/copy.exr")
    yield "multipart upload", "apollo/large.exr", partial(multipart, cloud, "apollo/large.exr", first + bytes(PART_BYTES))
    yield "an odd key", odd, partial(cloud.put, odd, first)
    yield "cut short", "apollo/cut.exr", partial(cloud.put, "apollo/cut.exr", first[: len(first) // 2])
    yield "text named .exr", "apollo/notes.exr", partial(cloud.put, "apollo/notes.exr", notes)
    yield "not an EXR", "apollo/readme.md", partial(cloud.put, "apollo/readme.md", notes)
    yield "delete", key, partial(cloud.delete, key)
    yield "upload again", key, partial(cloud.put, key, second)


def copy(cloud: Cloud, source: str, target: str) -> None:
    """Copy an object within the bucket."""
    cloud.s3.copy_object(Bucket=BUCKET, Key=target, CopySource={"Bucket": BUCKET, "Key": source})
    cloud.settle()


def multipart(cloud: Cloud, key: str, data: bytes) -> None:
    """Upload an object in parts of five megabytes; it exists, and makes an event, when the last call completes it."""
    place = {"Bucket": BUCKET, "Key": key}
    upload = cloud.s3.create_multipart_upload(**place)["UploadId"]
    parts = []
    for number, start in enumerate(range(0, len(data), PART_BYTES), 1):
        body = data[start : start + PART_BYTES]
        answer = cloud.s3.upload_part(**place, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"ETag": answer["ETag"], "PartNumber": number})
    cloud.settle()
    cloud.s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts})
    cloud.settle()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line, which has no options of its own: do it, step by step, and print the rows after each."""
    parser = Parser(prog="scripts/upload_demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    console = Console()
    # What the clients and the function log on the way is not what is to be shown here.
    logging.disable(logging.ERROR)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        paths = write_samples(Path(folder))
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    shown = Table("what was done", "key", "rows (status, inspections)", title_justify="left")
    with local_cloud() as cloud:
        for what, key, act in steps(cloud, files):
            with console.status(what):
                act()
                shown.add_row(what, key, "\n".join(standing(cloud, key)) or "none")
        counts = cloud.trigger.counts
    console.print(shown)
    console.print(f"{counts.events} events, {counts.delivered} delivered, {counts.dead} dead letters")


def standing(cloud: Cloud, key: str) -> Iterator[str]:
    """One line for each row of the object in `files`."""
    for row in cloud.of(key):
        place = "removed" if row["deleted_at"] else "current" if row["is_current"] else "older version"
        yield f"{row['status']}, {row['inspection_count']}, {place}"


if __name__ == "__main__":
    main()
