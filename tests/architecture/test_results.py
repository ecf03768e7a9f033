"""Figures in the README come from the generated reports, which say how they were made."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
REPORTS = sorted((ROOT / "docs" / "results").glob("*.md"))


README = (ROOT / "README.md").read_text()
MARKS = re.findall(r"^<!-- (\w+) -->$", README, re.MULTILINE)


def test_the_readme_has_marks():
    assert "main_job" in MARKS


@pytest.mark.parametrize("mark", MARKS)
def test_every_row_of_the_readme_stands_in_a_report(mark):
    table = README.split(f"<!-- {mark} -->")[1].split(f"<!-- /{mark} -->")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    report = (ROOT / "docs" / "results" / f"{mark}.md").read_text()
    assert len(rows) > 5
    assert [row for row in rows if row not in report] == []


def test_reports_name_command_versions_and_cpu():
    assert REPORTS
    for report in REPORTS:
        head = "\n".join(report.read_text().splitlines()[:8])
        assert "Made by `python tools/" in head
        assert "- CPU: " in head
        assert "intvit 0." in head


def test_reports_hold_no_failed_promise():
    text = (ROOT / "docs" / "results" / "main_job.md").read_text()
    assert "DIFFERENT" not in text
    assert "| False |" not in text
