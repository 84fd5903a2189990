"""What jobs hand on survives JSON and names what failed."""

from __future__ import annotations

from scdp_flows.errors import StructureError
from scdp_flows.schemas.outputs import LabelOutput, Refusal


def test_a_refusal_names_item_class_and_reason() -> None:
    refusal = Refusal.from_error(3, "H2", StructureError("atoms overlap"))
    assert (refusal.index, refusal.item, refusal.error) == (3, "H2", "StructureError")
    assert refusal.reason == "atoms overlap"


def test_an_output_survives_json() -> None:
    output = LabelOutput(
        density_ids=["a", "b"], failed=[Refusal.from_error(0, "H2", StructureError("x"))]
    )
    assert LabelOutput.model_validate(output.to_dict()) == output
