"""`python -m local_vast`: the endpoint as a process."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from .server import DEFAULT_VERSION, IDLE_SECONDS, LocalVast


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. The first line on stdout is `LOCAL_VAST_URL=<url>`."""
    options = _parser().parse_args(arguments)
    options.bucket = options.bucket or ["exr"]
    try:
        server = _start(options)
    except (ValueError, OSError) as error:
        print(f"local_vast: {error}", file=sys.stderr)
        return 2
    with server:
        print(f"LOCAL_VAST_URL={server.url}", flush=True)
        print(
            "local_vast is a development endpoint. It is not VAST: no performance, durability or compatibility is promised.\n"
            f"access key {server.access_key!r}, buckets {', '.join(options.bucket)}, announced version {server.version}, "
            f"data in {options.data or 'memory'}. Stop with Ctrl-C.",
            flush=True,
        )
        _wait_for_signal()
    return 0


def _start(options: argparse.Namespace) -> LocalVast:
    return LocalVast(
        data=options.data,
        buckets=options.bucket,
        access_key=options.access_key,
        secret_key=options.secret_key,
        version=options.version,
        objects=options.objects,
        trigger_url=options.trigger_url,
        trigger_suffix=options.trigger_suffix,
        latency_ms=options.latency_ms,
        faults=options.fault,
        deviates=options.deviate,
        port=options.port,
        cell_limit=options.cell_limit,
        idle_seconds=options.idle_seconds,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="local_vast", description="A VAST endpoint for development and tests. It is not VAST.")
    parser.add_argument("--data", metavar="DIR", help="keep tables and, without --objects, objects here; default: memory")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free port")
    parser.add_argument("--bucket", metavar="NAME", nargs="+", action="extend", help="may be repeated; default: exr")
    parser.add_argument("--access-key", default="local")
    parser.add_argument("--secret-key", default="local-secret")
    parser.add_argument("--version", default=DEFAULT_VERSION, help=f"the VAST version to announce; default: {DEFAULT_VERSION}")
    parser.add_argument("--objects", metavar="DIR", help="S3 objects: first-level directories are buckets")
    parser.add_argument("--trigger-url", metavar="URL", help="post an element event here when an object is created or removed")
    parser.add_argument("--trigger-suffix", default=".exr", help="only for keys that end so; default: .exr")
    parser.add_argument("--latency-ms", type=float, default=0, help="added to every request")
    parser.add_argument("--fault", metavar="SPEC", action="append", default=[], help="such as 409@commit; see docs/LOCAL_VAST.md")
    parser.add_argument(
        "--deviate", metavar="NAME", action="append", default=[], help="such as nan-is-null; see docs/LOCAL_VAST.md"
    )
    parser.add_argument("--cell-limit", type=int, metavar="BYTES", help="the largest cell; default: what the version allows")
    parser.add_argument(
        "--idle-seconds", type=float, metavar="N", default=IDLE_SECONDS,
        help=f"a transaction idle for longer expires; default: {IDLE_SECONDS:g}; inf: never",
    )  # fmt: skip
    return parser


def _wait_for_signal() -> None:
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    stopped.wait()


if __name__ == "__main__":
    sys.exit(main())
