"""Many uploads at once, with faults on every way: afterwards each object has exactly one current row, and all tables are sound.

    scripts/python -m benchmarks.uploads.storm [--uploads 1000] [--keys 900] [--threads 16] [--faults 0.05] [--kills 1] [--seed 1]
                                               [--waves 10] [--group 1 100] [--header-only]

The local endpoint and the uploading threads run in this process, the function in one of its own behind the function host, with
statistics and validation switched on. With the probability `--faults` each, an upload brings along one fault of S3, one of the
database, and its event is delivered twice, refused, or loses its answer. `--kills` times another process takes over while events
are at work, and the former one is killed. Fewer keys than uploads make overwrites, by threads that race;
`--uploads 10000 --keys 50` shows whether memory stays flat. Retries of events wait a tenth of VAST's 2, 4 and 8 seconds. Exit
status 1: a row is missing, double or wrong in any of the tables, or the metrics of the last process differ from its log.

Uploads come in `--waves`, each of which waits for the events of the one before. With several numbers after `--group`, as many
storms follow one another, with VAST_DB_GROUP set to each of them. Compared are their uploads a second, and their events a second
without the first and the last tenth: at first the uploads keep this process busy, while tables are made, and in the end a few
events wait to be delivered again, with groups and without. `--header-only` leaves statistics out, which take most of the time of
an event.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import boto3
import vastdb
from botocore.config import Config
from prometheus_client.parser import text_string_to_metric_families

import vast_db_persistence as persistence
from exr_inspector.operations import integrity
from exr_inspector.operations.samples import SAMPLES, write_samples
from exr_inspector.settings import Settings
from local_vast import LocalVast
from local_vast.trigger import ElementTrigger, TriggerFaults
from vast_schemas import TABLES as ROWS_OF

ROOT = Path(__file__).resolve().parent.parent.parent
TABLES, SHOWS, SCHEMA = "tables", "shows", "exr"
S3_FAULTS = ("503@object", "500@object", "reset@object", "lost@object")
DATABASE_FAULTS = ("409@commit", "lost@commit", "503@insert", "503@query", "reset@begin", "500@update", "reset@query")
WAITS = (0.2, 0.4, 0.8)
# What a killed process left open keeps its rows locked for so long.
IDLE_SECONDS = 30
# What the platform sends one container at a time.
EVENTS = 20
HOST = """
import sys
sys.modules["adbc_driver_vastdb"] = None  # the image has no query engine driver; with one, every transaction costs more
from exr_inspector.function import host
sys.exit(host.main())
"""


@dataclass(slots=True)
class Run:
    """What is measured: milliseconds of uploads, kilobytes of the function's memory as the run goes on, seconds in all.

    `kills`: for each process that was killed, whether deliveries were unsettled.
    """

    upload_ms: list[float] = field(default_factory=list)
    memory_kb: list[int] = field(default_factory=list)
    seconds: float = 0.0
    kills: list[bool] = field(default_factory=list)


@dataclass(slots=True)
class Containers:
    """The function's processes, all of them ready: the first one is at work, until it is killed and the next one takes over."""

    trigger: ElementTrigger
    ready: list[tuple[str, subprocess.Popen[bytes]]]

    def __post_init__(self) -> None:
        self.trigger.url = self.ready[0][0]

    def kill(self) -> bool:
        """Let the next process take over, and kill the one at work; whether deliveries were unsettled."""
        _, former = self.ready.pop(0)
        self.trigger.url = self.ready[0][0]
        busy = not self.trigger.drain(0)
        former.kill()
        return busy

    def memory_kb(self) -> int:
        """Resident memory of the process at work."""
        command = ["ps", "-o", "rss=", "-p", str(self.ready[0][1].pid)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@contextmanager
def function(vast: LocalVast, log: Path, chosen: Mapping[str, str]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """URL and process of a function host that is ready."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VAST", "S3_", "EXR_"))}
    for name in ("VAST_DB", "S3"):
        named = {"ENDPOINT": vast.url, "ACCESS_KEY": vast.access_key, "SECRET_KEY": vast.secret_key}
        environment |= {f"{name}_{key}": value for key, value in named.items()}
    environment |= {"VAST_DB_BUCKET": TABLES, "VAST_DB_SCHEMA": SCHEMA}
    environment |= {"EXR_STATS": "full", "EXR_VALIDATE": "true", "EXR_REPORT_PASSES": "false", **chosen}
    command = [sys.executable, "-c", HOST, "--port", "0", "--log-format", "json"]
    pipe = subprocess.PIPE
    with log.open("ab") as errors, subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=errors) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["message"].removeprefix("listening on ")
        try:
            while not ready(url):
                time.sleep(0.05)
            yield url, process
        finally:
            process.terminate()


def ready(url: str) -> bool:
    """Whether `init` is done."""
    try:
        with urlopen(f"{url}/readiness"):  # noqa: S310  (loopback)
            return True
    except HTTPError as error:
        error.close()
        return False


def client(vast: LocalVast) -> Any:
    """A client as a pipeline has one: it tries again."""
    return boto3.client(
        "s3",
        endpoint_url=vast.url,
        region_name="us-east-1",
        aws_access_key_id=vast.access_key,
        aws_secret_access_key=vast.secret_key,
        config=Config(
            s3={"addressing_style": "path"}, retries={"mode": "standard", "total_max_attempts": 6}, max_pool_connections=64
        ),
    )


def storm(vast: LocalVast, bodies: list[bytes], options: argparse.Namespace, containers: Containers) -> Run:
    """Upload everything, kill processes on the way, then wait until the last event is settled."""
    run, chance, s3 = Run(), random.Random(options.seed), client(vast)
    trigger = trigger_of(vast)

    def upload(number: int, faults: list[str]) -> float:
        vast.faults.add(*faults)
        started = time.perf_counter()
        key = f"sq{number % options.keys:05}/beauty v001.{number % options.keys:05}.exr"
        s3.put_object(Bucket=SHOWS, Key=key, Body=bodies[number % len(bodies)])
        spent = (time.perf_counter() - started) * 1000
        if number in deaths:
            run.kills.append(containers.kill())
        return spent

    wave = max(1, options.uploads // options.waves)
    # In the middle of a wave, where the queue is long.
    deaths = {(options.waves * (turn + 1) // (options.kills + 1)) * wave + wave // 2 for turn in range(options.kills)}
    started = time.perf_counter()
    with ThreadPoolExecutor(options.threads) as pool:
        drawn = [
            [chance.choice(kind) for kind in (S3_FAULTS, DATABASE_FAULTS) if chance.random() < options.faults]
            for _ in range(options.uploads)
        ]
        for start in range(0, options.uploads, wave):
            run.upload_ms += pool.map(upload, range(start, min(start + wave, options.uploads)), drawn[start : start + wave])
            run.memory_kb.append(containers.memory_kb())
            wait_for_backlog(trigger)
    if not trigger.drain(3600):
        raise SystemExit("events are still unsettled after an hour")
    run.memory_kb.append(containers.memory_kb())
    run.seconds = time.perf_counter() - started
    return run


def wait_for_backlog(trigger: ElementTrigger) -> None:
    """Uploads are faster than inspections: without a pause the queue, not the function, would be measured."""
    trigger.drain(60)


def trigger_of(vast: LocalVast) -> ElementTrigger:
    """The endpoint's trigger."""
    assert vast.trigger is not None
    return vast.trigger


def problems(vast: LocalVast, tables: Sequence[str]) -> Iterator[str]:
    """What is wrong: objects without their row, `tables` without rows, and all that the integrity check finds."""
    yield from find_misplaced(vast)
    keys = {"db_access_key": vast.access_key, "db_secret_key": vast.secret_key}
    store = persistence.open_store(Settings(db_endpoint=vast.url, **keys, db_bucket=TABLES, db_schema=SCHEMA))
    with store.session.transaction() as tx:
        schema = tx.bucket(TABLES).schema(SCHEMA)
        owners = {name: schema.table(name).select(["file_id"]).read_all()["file_id"].to_pylist() for name in ROWS_OF}
        files = schema.table("files").select(["file_id", "status", "is_deep"]).read_all().to_pylist()
    counts = {name: len(file_ids) for name, file_ids in owners.items()}
    print("rows: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    yield from (f"{name} is empty" for name in tables if not counts[name])
    # Pixels of deep samples are not read.
    flat = {row["file_id"] for row in files if row["status"] == "ok" and not row["is_deep"]}
    for name in sorted({"parts", "channels", "attributes", "pixel_stats"}.intersection(tables)):
        yield from (f"{file_id} has no {name}" for file_id in sorted(flat - {*owners[name]}))
    for finding in integrity.check(store):
        yield f"{finding.table} {finding.subject}: {finding.kind}: {finding.detail}"


def find_misplaced(vast: LocalVast) -> Iterator[str]:
    """Objects without exactly one current row that carries their ETag."""
    session = vastdb.connect(endpoint=vast.url, access=vast.access_key, secret=vast.secret_key)
    columns = ["file_path_normalized", "is_current", "etag", "deleted_at"]
    with session.transaction() as tx:
        rows = tx.bucket(TABLES).schema(SCHEMA).table("files").select(columns).read_all().to_pylist()
    current: dict[str, list[str]] = {}
    for row in rows:
        if row["is_current"]:
            current.setdefault(row["file_path_normalized"], []).append(row["etag"])
    pages = client(vast).get_paginator("list_objects_v2").paginate(Bucket=SHOWS)
    for item in (item for page in pages for item in page["Contents"]):
        etags = current.pop(f"s3://{SHOWS}/{item['Key']}", [])
        if [etag.strip('"') for etag in etags] != [item["ETag"].strip('"')]:
            yield f"{item['Key']}: {len(etags)} current rows, ETags {etags}, the object's is {item['ETag']}"
    yield from (f"{path}: a current row without an object" for path in current)


def read_events(log: Path) -> list[dict[str, Any]]:
    """The lines of a process about events; of one that was killed, those that it finished."""
    whole = (line for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}"))
    return [entry for entry in map(json.loads, whole) if "verdict" in entry]


def disagreements(url: str, log: Path) -> Iterator[str]:
    """Verdicts of which the page of metrics says another number than the log of its process."""
    with urlopen(f"{url}/metrics") as answer:  # noqa: S310  (loopback)
        families = list(text_string_to_metric_families(answer.read().decode()))
    shown: Counter[str] = Counter()
    for sample in (sample for family in families for sample in family.samples):
        if sample.name == "exr_inspector_events_total":
            shown[sample.labels["verdict"]] += int(sample.value)
    logged = Counter(entry["verdict"] for entry in read_events(log))
    print(f"events of the last process, by metrics {dict(shown)}, by log {dict(logged)}")
    if shown != logged:
        yield "metrics and log differ"


def report(run: Run, vast: LocalVast, entries: Sequence[dict[str, Any]], options: argparse.Namespace) -> None:
    """Print what was measured."""
    counts = trigger_of(vast).counts
    function_ms = [entry["timings_ms"]["total"] for entry in entries]
    raised = sum(entry["verdict"] == "retry" for entry in entries)
    print(f"{options.uploads} uploads of {options.keys} keys by {options.threads} threads, faults {options.faults:.0%}")
    print(f"{run.seconds:.1f} s, {options.uploads / run.seconds:.1f} uploads/s from the first upload to the last row")
    print(f"{steady_rate(entries):.1f} events/s without the first and the last tenth")
    print(f"upload:   {spread(run.upload_ms)}")
    print(f"function: {spread(function_ms)}; {raised} calls raised and were repeated")
    print(f"events {counts.events}, attempts {counts.attempts}, delivered {counts.delivered}, dead letters {counts.dead}")
    print("function's memory, MB: " + " ".join(f"{kb / 1024:.0f}" for kb in run.memory_kb))
    print(f"processes killed: {len(run.kills)}, {sum(run.kills)} of them with deliveries unsettled")
    print(f"peak {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB")


def steady_rate(entries: Sequence[dict[str, Any]]) -> float:
    """Events a second, without the first and the last tenth of them."""
    moments = sorted(datetime.fromisoformat(entry["time"]) for entry in entries)
    tenth = len(moments) // 10
    return (len(moments) - 2 * tenth - 1) / (moments[-1 - tenth] - moments[tenth]).total_seconds()


def spread(values: list[float]) -> str:
    """Median, 99th percentile and maximum of milliseconds."""
    cuts = quantiles(values, n=100)
    return f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, max {max(values):.1f} ms"


def run_storm(options: argparse.Namespace, group: int) -> tuple[list[str], tuple[float, float]]:
    """What is wrong after a storm; its uploads a second, and its events a second in between."""
    chosen = {"VAST_DB_GROUP": str(group)} | ({"EXR_STATS": "off"} if options.header_only else {})
    endpoint = LocalVast(
        buckets=(TABLES, SHOWS), trigger_url="http://127.0.0.1:9/", trigger_workers=EVENTS, idle_seconds=IDLE_SECONDS
    )
    with tempfile.TemporaryDirectory() as scratch, endpoint as vast:
        samples = Path(scratch) / "samples"
        logs = [Path(scratch) / f"function{number}.log" for number in range(options.kills + 1)]
        write_samples(samples)
        bodies = [(samples / name).read_bytes() for name in SAMPLES]
        with ExitStack() as stack:
            trigger = trigger_of(vast)
            containers = Containers(trigger, [stack.enter_context(function(vast, log, chosen)) for log in logs])
            trigger.waits = WAITS
            trigger.faults = TriggerFaults(duplicate=options.faults, refuse=options.faults, lose_answer=options.faults)
            run = storm(vast, bodies, options, containers)
            wrong = list(disagreements(containers.ready[0][0], logs[-1]))
        vast.faults.clear()
        wrong += problems(vast, [name for name in ROWS_OF if not (options.header_only and name == "pixel_stats")])
        entries = [entry for log in logs for entry in read_events(log)]
        report(run, vast, entries, options)
        letters = trigger.dead_letter.read_text(encoding="utf-8") if trigger.dead_letter.exists() else ""
    print(letters, end="")
    print("\n".join(wrong) or "every object has exactly one current row, with its ETag, and all tables are sound")
    return wrong, (options.uploads / run.seconds, steady_rate(entries))


def main() -> int:
    """Command line."""
    options = _parser().parse_args()
    sys.modules["adbc_driver_vastdb"] = None  # type: ignore[assignment]  # here as in the function: see HOST
    wrong: list[str] = []
    rates = []
    for group in options.group:
        print(f"VAST_DB_GROUP={group}")
        found, rate = run_storm(options, group)
        wrong += found
        rates.append(rate)
        whole, steady = (now / first for now, first in zip(rate, rates[0], strict=True))
        first = f"VAST_DB_GROUP={options.group[0]}"
        print(f"{whole:.1f} times the uploads a second of {first}, {steady:.1f} times the events a second in between\n")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Many uploads at once, with faults on every way.")
    parser.add_argument("--uploads", type=int, default=1000)
    parser.add_argument("--keys", type=int, default=900)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--faults", type=float, default=0.05, help="probability, 0 to 1")
    parser.add_argument("--kills", type=int, default=1, help="how many processes of the function are killed on the way")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--waves", type=int, default=10, help="uploads wait so often for events (default 10)")
    parser.add_argument("--group", type=int, nargs="+", default=[100], help="VAST_DB_GROUP of one storm each (default 100)")
    parser.add_argument("--header-only", action="store_true", help="no statistics of pixels")
    return parser


if __name__ == "__main__":
    sys.exit(main())
