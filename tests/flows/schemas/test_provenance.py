from __future__ import annotations

import platform
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from scdp_flows import __version__
from scdp_flows.schemas.provenance import Provenance


def test_it_names_the_software() -> None:
    found = Provenance.collect(code="pyscf", code_version="2.14.0", command="scdp label a.xyz")
    assert found.scdp_flows_version == __version__
    assert found.packages["numpy"] == version("numpy")
    assert (found.code, found.code_version) == ("pyscf", "2.14.0")
    assert found.command == "scdp label a.xyz"


def test_it_names_the_machine_but_not_the_host() -> None:
    machine = Provenance.collect().machine
    assert machine.endswith("cores")
    assert platform.node() not in machine


def test_the_time_is_utc() -> None:
    created = datetime.fromisoformat(Provenance.collect().created_at)
    assert created.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)
