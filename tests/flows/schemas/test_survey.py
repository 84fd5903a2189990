"""What a survey says."""

from __future__ import annotations

from scdp_flows.schemas.survey import SurveyGroup, SurveyReport


def test_groups_are_summed() -> None:
    group = SurveyGroup(
        potcars=["PAW_PBE Si 05Jan2001"],
        functional="PBE",
        encut_ev=520.0,
        ispin=1,
        hubbard_u_ev=[],
        n_runs=3,
        n_with_density=1,
        n_atoms=2,
        largest=2,
        density_bytes=10,
        missing_core_hours=0.5,
        problems=[],
    )
    report = SurveyReport(
        place="runs",
        groups=[group, group],
        other_densities={},
        unreadable=[],
        conflicts=[],
        trainable={},
    )
    assert (report.n_runs, report.n_with_density) == (6, 2)
