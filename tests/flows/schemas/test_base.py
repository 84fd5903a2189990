from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

import scdp_flows.schemas
from scdp_flows.schemas.base import SCHEMA_VERSION, ScdpDoc
from scdp_flows.schemas.part import ScdpPart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

for _found in iter_modules(scdp_flows.schemas.__path__):
    import_module(f"scdp_flows.schemas.{_found.name}")


def _parts(base: type[ScdpPart]) -> Iterator[type[ScdpPart]]:
    for child in base.__subclasses__():
        if child.__module__.startswith("scdp_flows."):
            yield child
            yield from _parts(child)


DOCUMENTS = [d for d in _parts(ScdpDoc) if issubclass(d, ScdpDoc) and hasattr(d, "doc_type")]


def _holds(found: Any, stored: Any) -> bool:
    """Tell whether all that was stored is found; fields that came later may stand beside it."""
    if isinstance(stored, dict):
        return all(name in found and _holds(found[name], stored[name]) for name in stored)
    if isinstance(stored, list):
        return len(found) == len(stored) and all(map(_holds, found, stored))
    return bool(found == stored)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.__name__)
def test_the_stored_example_of_version_1_still_loads(
    document: type[ScdpDoc], example: Callable[[str], dict[str, Any]]
) -> None:
    stored = example(document.doc_type)
    doc = document.model_validate(stored)
    assert doc.schema_version == 1
    assert doc.identifier == stored[document.id_field]
    assert _holds(doc.to_dict(), stored)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.__name__)
def test_a_document_of_the_future_says_so(
    document: type[ScdpDoc], example: Callable[[str], dict[str, Any]]
) -> None:
    stored = example(document.doc_type) | {"schema_version": SCHEMA_VERSION + 1}
    with pytest.raises(ValidationError, match="upgrade scdp-flows"):
        document.model_validate(stored)


def test_every_field_is_described() -> None:
    undescribed = [
        f"{part.__name__}.{name}"
        for part in _parts(ScdpPart)
        for name, field in part.model_fields.items()
        if not field.description
    ]
    assert len(DOCUMENTS) >= 10
    assert not undescribed


def test_same_content_ignores_who_wrote_it(example: Callable[[str], dict[str, Any]]) -> None:
    document = next(d for d in DOCUMENTS if d.doc_type == "report")
    stored = example("report")
    doc = document.model_validate(stored)
    later = document.model_validate({k: v for k, v in stored.items() if k != "provenance"})
    assert doc.provenance != later.provenance
    assert doc.same_content(later)
    assert not doc.same_content(doc.updated(title="another"))
