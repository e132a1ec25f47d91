"""The checks of documents find what is planted, and let pass what is right: a check that finds nothing is worse than none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import docs_blocks
import docs_names
import docs_run
from docs_commands import Commands, commands
from project import ROOT

HERE = ROOT / "docs/PLANTED.md"


@pytest.mark.parametrize("target", ["GONE.md", "#no-such-heading", "ARCHITECTURE.md#no-such-heading", "../docs/no/where.sql"])
def test_a_broken_link_is_found(target: str) -> None:
    """To a file, to a heading of the page, to a heading of another."""
    assert docs_names.broken_links(f"# Planted\n\nSee [that]({target}).\n", HERE) == [target]


def test_a_link_that_holds_is_let_pass() -> None:
    """Headings with code type and punctuation have anchors as well; other sites are not asked."""
    text = "# `a_b`, and more\n\n[here](#a_b-and-more) [there](ARCHITECTURE.md#errors) [far](https://example.com/#x)\n"
    assert docs_names.broken_links(text, HERE) == []


def test_a_file_that_is_gone_is_found() -> None:
    """With or without its folder."""
    text = "`scripts/gone.py`, `gone.toml`, `main.py`, `EVENT.json`"
    assert docs_names.missing_files(text, HERE) == {"scripts/gone.py", "gone.toml"}


@pytest.mark.parametrize(
    "name",
    ["no_such_function()", "NoSuchClass", "vast_schemas.NO_SUCH", "files.no_such_column", "EXR_NO_SUCH_SETTING", "_private_gone"],
)
def test_a_name_that_stands_nowhere_is_found(name: str) -> None:
    """Functions, classes, members of modules, columns, settings."""
    assert docs_names.unknown_names(f"It has `{name}`.")


@pytest.mark.parametrize(
    "name", ["persist_to_vast_database()", "BadHeader", "vast_schemas.FILES_SCHEMA", "files.is_current", "zip"]
)
def test_a_name_of_the_project_is_let_pass(name: str) -> None:
    """And words that are no names."""
    assert docs_names.unknown_names(f"It has `{name}`.") == set()


def test_a_name_in_a_block_is_left_to_the_block() -> None:
    """Blocks are run."""
    assert docs_names.unknown_names("```python\nno_such_name_at_all = 1\n```\n") == set()


def test_a_flag_that_no_program_has_is_found() -> None:
    """And no other."""
    assert docs_names.unknown_flags("`--no-such-flag` and `--endpoint`") == {"--no-such-flag"}


def test_a_repeated_sentence_is_found() -> None:
    """However its lines are broken; a short one may be the same by chance."""
    long = "A file version is a path and a header, whatever the object store says of it."
    broken = long.replace(" and ", " and\n")
    texts = {"a.md": f"# A\n\n{long} Short one.\n", "b.md": f"Before. {broken} Short one.\n"}
    assert len(docs_names.repeated(texts)) == 1
    assert docs_names.repeated({"a.md": texts["a.md"], "c.md": "# C\n\nShort one.\n"}) == []


def test_a_paragraph_in_nearly_the_same_words_is_found() -> None:
    """Another beginning and another end do not hide it."""
    core = "the function reads the header with one ranged request, computes both vectors, and writes every row in one transaction"
    assert docs_names.repeated({"a.md": f"When an EXR lands, {core} at once.\n", "b.md": f"So {core}, then it answers.\n"})


def test_a_measured_number_without_a_command_is_found() -> None:
    """In its section; that another section has a command does not help."""
    text = "# Speed\n\nIt takes 12.5 ms.\n\n## Other\n\n`scripts/run` shows it.\n"
    assert docs_names.uncommanded(text) == ["12.5 ms"]
    assert docs_names.uncommanded(text, whole=True) == []
    assert docs_names.uncommanded("# Speed\n\nIt takes 12.5 ms (`python -m benchmarks.header.speed`).\n") == []


@pytest.mark.parametrize(
    "block",
    [
        "```bash\nls\n```\n",
        "```\nls\n```\n",
        "<!-- rows: 0 -->\n```console\nls\n```\n",
        "<!-- exit: 2 -->\n\nNo block.\n",
        "<!-- exit: 2 -->\nText between.\n```console\nls\n```\n",
    ],
)
def test_a_block_that_no_convention_knows_is_found(tmp_path: Path, block: str) -> None:
    """Another language, a directive that does not go with it, or one that stands before no block."""
    path = tmp_path / "planted.md"
    path.write_text(f"# Planted\n\n{block}", encoding="utf-8")
    with pytest.raises(docs_blocks.BadBlock):
        docs_blocks.read(path)


def test_several_directives_belong_to_the_block_below(tmp_path: Path) -> None:
    """A catalogue in an output is one of them."""
    path = tmp_path / "planted.md"
    path.write_text("<!-- exit: 2 -->\n<!-- output(catalogue): ls x -->\n\n```text\nx\n```\n", encoding="utf-8")
    (example,) = docs_blocks.read(path)
    block = docs_blocks.block_of(example)
    assert block.directives == {"exit": "2", "output": "ls x", "catalogue": ""}
    assert (block.line, block.body, block.status) == (4, "x\n", 2)


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("vastde functions logs x", "vastde has no command 'functions logs'"),
        ("vastde pipelines deploy x --wait", "vastde pipelines deploy has no --wait"),
        ("vastde build x", "vastde has no command 'build x'"),
        ("cd x && scripts/gone.py", "there is no scripts/gone.py"),
        ("scripts/stage --target build/stage", "scripts/stage has no --target"),
        ("scripts/make_samples --date x", "-m scripts.samples has no --date"),
        ("frobnicate --all", "the program 'frobnicate' is not known"),
    ],
)
def test_a_command_that_does_not_exist_is_found(script: str, fault: str) -> None:
    """A program, a command of it, a flag of that."""
    assert Commands().unknown(script) == [fault]


def test_commands_that_exist_are_let_pass() -> None:
    """With assignments, continued lines, pipes and quotes."""
    script = (
        "A=1 vastde functions build x \\\n  -t build/stage # why\nvastde logs get 'a b' -o json | grep -v x; ./scripts/stage\n"
    )
    assert Commands().unknown(script) == []
    assert [command[0] for command in commands(script)] == ["vastde", "vastde", "grep", "./scripts/stage"]


class Bare:
    """Stages for blocks that need no server: every stage is a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self) -> object:
        """The folder with an environment of its own."""
        return docs_run.Stage(self.folder, None, {"PATH": "/usr/bin:/bin", "VAST_DB_ENDPOINT": "http://127.0.0.1:1"})  # type: ignore[arg-type]


@pytest.fixture
def running(tmp_path: Path) -> Callable[[str], docs_run.Running]:
    """A planted document."""

    def planted(text: str) -> docs_run.Running:
        path = tmp_path / "planted.md"
        path.write_text(text, encoding="utf-8")
        return docs_run.Running(path, Bare(tmp_path))  # type: ignore[arg-type]

    return planted


@pytest.mark.parametrize(
    "text",
    [
        "```python\nassert 1 == 2\n```\n",
        "```console\nfalse\n```\n",
        "<!-- exit: 3 -->\n```console\ntrue\n```\n",
        "```console\necho 'Traceback (most recent call last)'\n```\n",
        "<!-- until: ready -->\n```console\necho no\n```\n",
        "```json\n{'a': 1}\n```\n",
        "```toml\na =\n```\n",
        "```yaml\na: [1\n```\n",
        "```text\nsame    80 vectors\n```\n",
        '```text\n{"status": "ok"}\n```\n',
        "<!-- output: echo one -->\n```text\ntwo\n```\n",
        "<!-- printed -->\n```text\nnothing was run\n```\n",
        "<!-- output: false -->\n```text\n```\n",
        "```sql\nSELECT DISTINCT status FROM files\n```\n",
    ],
)
def test_a_block_that_does_not_hold_fails_with_its_place(running: Callable[[str], docs_run.Running], text: str) -> None:
    """Whatever its language."""
    document = running(text)
    with pytest.raises(docs_run.Failed, match=r"planted\.md:\d"):
        document.check(document.examples[0].line)


@pytest.mark.parametrize(
    "text",
    [
        "<!-- exit: 3 -->\n```console\nexit 3\n```\n",
        "<!-- until: ready -->\n```console\necho ready\nsleep 60\n```\n",
        "```yaml\na: 1\n---\nb: 2\n```\n",
        "```text\na -> b\n```\n",
        "<!-- output: pwd -->\n```text\n/home/td/exr-inspector\n```\n",
        "<!-- exit: 2 -->\n<!-- output: echo two; exit 2 -->\n```text\ntwo\n```\n",
    ],
)
def test_a_block_that_holds_passes(running: Callable[[str], docs_run.Running], text: str) -> None:
    """An expected status, a server that was ready, an output whose folder is masked."""
    document = running(text)
    document.check(document.examples[0].line)


def test_a_document_runs_from_top_to_bottom(running: Callable[[str], docs_run.Running]) -> None:
    """Whichever block is asked for first: names, files and what was printed come from the blocks above."""
    text = (
        "```python\none = 1\n```\n\n```console\necho two >file\n```\n\n"
        "```python\nfrom pathlib import Path\nprint(one, Path('file').read_text(), end='')\n```\n\n"
        "<!-- printed -->\n```text\n1 two\n```\n"
    )
    document = running(text)
    document.check(document.examples[-1].line)
    assert document.rewritten() == text


def test_what_is_shown_wrongly_is_written_again(running: Callable[[str], docs_run.Running]) -> None:
    """Two outputs of different lengths, and nothing else of the document."""
    text = "# A\n\n<!-- output: seq 3 -->\n```text\nold\n```\n\nBetween.\n\n<!-- output: echo x -->\n```text\n```\n\nEnd.\n"
    expected = text.replace("old\n", "1\n2\n3\n").replace("echo x -->\n```text\n", "echo x -->\n```text\nx\n")
    assert running(text).rewritten() == expected
