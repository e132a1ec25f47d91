"""The function: `init(ctx)` once per container, `handler(ctx, event)` for every event.

    python main.py EVENT.json|FILE.exr ... [--pretty | --summary] [--output FILE] [--verbose]

runs the same handler on a laptop and prints what it returns. Exit status: 0 done, 1 something was rejected, 2 wrong usage or
settings, 3 something may succeed later.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

from exr_inspector.errors import InspectorError, Reject, Retry, Verdict
from exr_inspector.function import context
from exr_inspector.function.events import is_batch
from exr_inspector.function.job import (
    EXHAUSTED,
    STATE,
    Answer,
    Job,
    exit_status,
    failures,
    make_runtime,
    runtime_of,
    say_nothing_is_stored,
)
from exr_inspector.settings import load
from exr_inspector.terminal import on_one_line


def init(ctx):  # type: ignore[no-untyped-def]  # the platform's command line rejects some annotations
    """Read the settings and build the clients, before the first event. A service that is out of reach is tried again by events.

    Raises BadSettings with every wrong setting at once, or BadPolicy where every file is to be judged by a policy that cannot be
    used: such a container never becomes ready, and so loses no event.
    """
    runtime = runtime_of(ctx)
    missing = runtime.settings.missing_for_database()
    if missing:
        context.write_log(ctx, "error", say_nothing_is_stored(missing))
    for connect in runtime.clients.connectors():
        try:
            connect()
        except InspectorError as error:
            context.write_log(ctx, "warning", {"message": "out of reach at the start", "error": error.as_dict()})


def handler(ctx, event):  # type: ignore[no-untyped-def]  # as init
    """Locate the object that the event is about; read, describe and store it, or its removal; answer with a summary.

    What is not ours (`skipped`) and what is hopeless (`rejected`, `unreadable`, `damaged`) is an answer as well. What may succeed
    later is raised, so that the platform delivers the event again. A batch of events is answered by a list of as many answers.
    """
    if is_batch(event):
        from exr_inspector.function.batch import answer_batch  # late: most deployments deliver events one by one

        return answer_batch(ctx, runtime_of(ctx), event)
    job = Job(ctx, runtime_of(ctx))
    try:
        requests = job.locate(event)
        answers = [job.answer(request) for request in requests]
        return job.finish(answers)
    except InspectorError as error:
        answer = job.finish([job.refusal(error)])
        if error.verdict is Verdict.RETRY:
            raise
        return answer
    except EXHAUSTED as error:
        return job.finish([job.exhaustion(error)])
    except Exception as error:  # noqa: BLE001 - the last line of defence: logged, and delivered again
        raise job.report_fault(error) from None


# Local invocation


class _Local(context.NoTelemetry):
    """The context of local invocation."""

    def __init__(self) -> None:
        """A logger, and what records nothing."""
        super().__init__()
        self.logger = _StandardError()


class _StandardError:
    """The logger of local invocation."""

    def info(self, line: str) -> None:
        """One line, whatever its level."""
        print(line, file=sys.stderr)

    warning = error = info


def main(arguments: Sequence[str] | None = None) -> int:
    """Local invocation; the exit status is the gravest of all inputs."""
    from exr_inspector.arguments import Parser  # late: the function needs none

    parser = Parser(prog="main.py", description="Inspect EXR files or run events as the function does.")
    parser.add_argument("inputs", nargs="+", metavar="EVENT.json|FILE.exr", help="an event, or the path of a file to inspect")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--pretty", action="store_true", help="JSON laid out to be read (default: on one line for each input)")
    form.add_argument("--summary", action="store_true", help="one line of text for each input")
    parser.add_argument("--verbose", action="store_true", help="write the log line of each event to the standard error")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead of to the standard output")
    options = parser.parse_args(arguments)
    try:
        return inspect(options.inputs, choose_form(options), options.output, verbose=options.verbose)
    except (OSError, ValueError, Reject) as error:
        parser.error(str(error))


def inspect(
    inputs: Sequence[str], form: Callable[[Answer], str], path: Path | None = None, *, verbose: bool = False, **overrides: Any
) -> int:
    """Hand each input to the handler and print its answer, to the file at `path` if there is one; the gravest exit status.

    `overrides` are settings. Raises OSError, ValueError and Reject before the first input where one of them cannot be used.
    """
    ctx = _Local()
    events = list(_events(inputs))
    _allow_named_paths(ctx, inputs, verbose=verbose, **overrides)
    with path.open("w", encoding="utf-8") if path else nullcontext(sys.stdout) as stream:
        return max([_invoke(ctx, event, stream, form) for event in events])


def _is_event(argument: str) -> bool:
    return Path(argument).suffix.lower() == ".json"


def _events(arguments: Sequence[str]) -> Iterator[Any]:
    """One event for each argument: what a .json file holds, and for any other path a plain event that names it."""
    for argument in arguments:
        if _is_event(argument):
            try:
                yield json.loads(Path(argument).read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{argument} is not a JSON event: {error}") from None
        else:
            yield {"data": {"path": argument}}


def _allow_named_paths(ctx: Any, arguments: Sequence[str], *, verbose: bool, **overrides: Any) -> None:
    """Give the context settings of its own: the whole payload is the answer, and what is named on the command line may be read.

    Whoever types a path has the right to read it already; the allowed roots are about paths that come in events.
    """
    settings = load()
    named = (Path(argument).resolve() for argument in arguments if not _is_event(argument))
    level = settings.log_level if verbose else "CRITICAL"
    runtime = make_runtime(ctx, full_payload=True, local_roots=(*settings.local_roots, *named), log_level=level, **overrides)
    setattr(ctx, STATE, runtime)


def choose_form(options: Any) -> Callable[[Answer], str]:
    """How answers are printed."""
    from exr_inspector.payload import text

    if options.summary:
        return _summary
    return text.pretty if options.pretty else _compact


def _compact(answer: Answer) -> str:
    return json.dumps(answer, separators=(",", ":"))


def _summary(answer: Answer) -> str:
    """One line about each object of an event, with the reason wherever the exit status is not 0."""
    from exr_inspector.payload import text

    if "results" in answer:
        return "\n".join(map(_summary, answer["results"]))
    line = text.summary_line(answer) if "file" in answer else _refusal_line(answer)
    return "  ".join([line, *failures(answer)])


def _refusal_line(answer: Answer) -> str:
    """One line about an event that has no payload."""
    reasons = [answer["reason"]] if answer.get("reason") else answer["errors"]
    words = (answer["status"], str(answer.get("path") or "-"), *(reason["message"] for reason in reasons))
    return "  ".join(map(on_one_line, words))


def _invoke(ctx: Any, event: Any, stream: IO[str], form: Callable[[Answer], str]) -> int:
    """Print what the handler answers, and return the exit status that goes with it."""
    answer: Answer
    try:
        answer = handler(ctx, event)  # type: ignore[no-untyped-call]
    except Retry as error:
        answer = {"status": "retry", "errors": [error.as_dict()], "persistence": {}}
    # A file's name need not be UTF-8, and then it cannot be written as it is.
    print(form(answer).encode("utf-8", "backslashreplace").decode(), file=stream, flush=True)
    return exit_status(answer)


if __name__ == "__main__":
    sys.exit(main())
