from __future__ import annotations

import pytest
from pydantic import ValidationError

from scdp_flows.schemas.report import ReportDoc


def test_the_identifier_follows_from_the_content() -> None:
    first = ReportDoc.from_files("Demo", files=["report.html"], summary={"nmae_percent": 0.3})
    again = ReportDoc.from_files("Demo", files=["report.html"], summary={"nmae_percent": 0.3})
    other = ReportDoc.from_files("Demo", files=["report.html"], summary={"nmae_percent": 0.4})
    assert first.report_id == again.report_id != other.report_id


@pytest.mark.parametrize("name", ["/tmp/report.html", "../report.html"])  # noqa: S108
def test_files_stay_in_the_folder_of_the_report(name: str) -> None:
    with pytest.raises(ValidationError, match="relative"):
        ReportDoc.from_files("Demo", files=[name], summary={})
