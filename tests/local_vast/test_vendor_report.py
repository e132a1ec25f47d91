"""The judgement of a run of the vendor's suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_vast import vendor_report
from local_vast.vendor_report import COVERAGE, Expected, coverage, read_report, regressions

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_a" name="test_one[x]"/>
<testcase classname="tests.test_a" name="test_one[y]"/>
<testcase classname="tests.test_a" name="test_two"><failure message="no"/></testcase>
<testcase classname="tests.test_b" name="test_three"><error message="no"/></testcase>
<testcase classname="" name="vastdb.tests.test_c"><skipped message="by the vendor"/></testcase>
</testsuite></testsuites>"""
EXPECTED = Expected(
    {"test_a::test_two": "needs a cluster", "test_b::test_three": "needs two"}, {"test_a": 2}, {"test_c": "skipped by the vendor"}
)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.xml"
    path.write_text(REPORT)
    return path


def test_a_run_as_expected_is_no_regression(report: Path) -> None:
    """Known failures are passed over, and each file is a line with the reasons."""
    outcome = read_report(report)
    assert regressions(outcome, EXPECTED) == []
    page = coverage(outcome, EXPECTED)
    assert "| test_a | 2 | 1 | 0 | test_two: needs a cluster |" in page
    assert "| test_c | 0 | 0 | 1 | skipped by the vendor |" in page
    assert page.endswith("| **all** | 2 | 2 | 1 |  |\n")


def test_each_difference_is_named(report: Path) -> None:
    """A failure that is not listed, a listed test that passes, and a file with too few passes."""
    expected = Expected({"test_a::test_one": "fails", "test_b::test_three": "needs two"}, {"test_a": 3, "test_d": 1}, {})
    assert regressions(read_report(report), expected) == [
        "test_a::test_two failed",
        "test_a::test_one passes: take it out of vendor_expected.toml",
        "test_a: 2 tests passed, 3 are expected",
        "test_d: 0 tests passed, 1 are expected",
    ]


def test_the_exit_status_says_whether_it_is_as_expected(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 or 1, and the page is written either way."""
    monkeypatch.setattr(vendor_report, "COVERAGE", tmp_path / "COVERAGE.md")
    assert vendor_report.main([str(report)]) == 1
    assert "test_a::test_two failed" in capsys.readouterr().err
    monkeypatch.setattr(Expected, "load", lambda: EXPECTED)
    assert vendor_report.main([str(report)]) == 0
    assert "as expected" in capsys.readouterr().out
    assert (tmp_path / "COVERAGE.md").read_text().count("\n| test_") == 3


def test_the_committed_page_agrees_with_the_list() -> None:
    """What COVERAGE.md shows has at least the passes that are expected, and no failure that is not."""
    counts = {}
    for line in COVERAGE.read_text().splitlines():
        if line.startswith("| test_"):
            name, passed, *_ = (cell.strip() for cell in line.strip("|").split("|"))
            counts[name] = int(passed)
    expected = Expected.load()
    assert all(counts[name] >= least for name, least in expected.passes.items())
    assert "not expected" not in COVERAGE.read_text()
