from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from scdp_flows.reports.sections import group_section, origin_section, training_section

if TYPE_CHECKING:
    from scdp_flows.stores.factory import Stores


def test_a_missing_label_costs_one_figure_only(stores: Stores, study: Any) -> None:
    results = study.results()
    html = group_section(stores, results.groups[0], results.series, number=0)
    assert html.count("<svg") == 3
    assert "This figure is missing: unknown density" in html
    assert "water model" in html


def test_without_restarts_there_is_no_such_section(stores: Stores, study: Any) -> None:
    results = study._replace(seeds=[]).results()
    html = group_section(stores, results.groups[0], results.series, number=0)
    assert "DFT restarted" not in html
    assert html.count("<svg") == 1


def test_each_group_has_identifiers_of_its_own(stores: Stores, study: Any) -> None:
    results = study._replace(seeds=[]).results()
    html = group_section(stores, results.groups[0], results.series, number=7)
    assert set(re.findall(r'id="(g\d+)-', html)) == {"g7"}


def test_training_is_drawn_with_its_time(study: Any) -> None:
    html = training_section(study.results())
    assert "<svg" in html
    assert "water model: 12 s" in html


def test_a_model_without_history_is_named(study: Any) -> None:
    results = study._replace(model=study.model.updated(history=[])).results()
    html = training_section(results)
    assert "<svg" not in html
    assert "No training history is stored with: water model" in html


def test_the_origin_names_machine_versions_and_commands(study: Any) -> None:
    provenance = study.model.provenance.updated(
        command="scdp train <dataset>", code="pyscf", code_version="2.14", machine="A CPU, 2 cores"
    )
    results = study._replace(model=study.model.updated(provenance=provenance)).results()
    html = origin_section(results)
    assert "scdp train &lt;dataset&gt;" in html
    assert "A CPU, 2 cores" in html
    assert "pyscf 2.14" in html
    assert study.model.model_id in html
