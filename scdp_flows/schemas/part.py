"""Provide the base class of everything that is stored, documents and their parts alike."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

__all__ = ["ScdpPart", "Vector3"]

Vector3 = tuple[float, float, float]


class ScdpPart(BaseModel):
    """Hold immutable, JSON-safe values whose unknown fields and non-finite numbers are errors.

    Examples
    --------
    >>> class Wheel(ScdpPart):
    ...     radius: float
    >>> Wheel(radius=2.0).updated(radius=3.0)
    Wheel(radius=3.0)
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _drop_foreign_keys(cls, data: Any) -> Any:
        # jobflow writes "@module", "@class" and "@version" beside the fields; MongoDB adds "_id".
        # Neither is ours, and neither says that the document is wrong.
        if isinstance(data, dict):
            return {k: v for k, v in data.items() if k != "_id" and not str(k).startswith("@")}
        return data

    def updated(self, **changes: Any) -> Self:
        """Return a validated copy in which the named fields have new values."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate({**fields, **changes})

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return self.model_dump(mode="json")
