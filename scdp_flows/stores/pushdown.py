"""Tell SQLite what it can decide about a MongoDB query by itself.

Decoding a document costs more than finding it, so SQLite leaves out what cannot match; the full
query is then evaluated on the rest. It decides equality with strings and integers, membership in
lists of them, and ranges of strings and numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["OTHER", "Condition", "certain_condition", "indexed_expression", "sql_prefilter"]

OTHER = "x''"
"""What stands in an index for whatever is no string and no number. It sorts after all of them."""

_LARGEST_SQL_INTEGER = 2**63 - 1
_LARGEST_EXACT_FLOAT = 2**53
# SQLite takes at most 32766 parameters in one statement.
_MOST_VALUES = 1000
# Looking for so many texts in a document takes as long as decoding it.
_MOST_TEXTS = 10
# SQLite reads decimal numbers with an error of a few units in the last place.
_SLACK = 1e-12
_LOWER, _UPPER = ("$gt", "$gte"), ("$lt", "$lte")


class Condition(NamedTuple):
    """An SQL condition on the column ``document`` and the values of its parameters."""

    sql: str
    parameters: list[str | int | float]


def indexed_expression(name: str) -> str | None:
    """Return the SQL expression of a field in the column ``document``, None if it has none.

    Strings and numbers stand for themselves. Everything else, missing fields and lists included,
    becomes one marker: MongoDB matches items of lists, which SQL does not, so such documents are
    left to the full evaluation.
    """
    if not name or any(character in name for character in "\"'\\\0") or name.startswith("$"):
        return None
    path = "$." + ".".join(f'"{part}"' for part in name.split("."))
    return (
        f"(CASE WHEN json_type(document, '{path}') IN ('text', 'integer', 'real', 'true', 'false') "
        f"THEN json_extract(document, '{path}') ELSE {OTHER} END)"
    )


def sql_prefilter(criteria: Mapping[str, Any]) -> Condition:
    """Return a condition that no matching document fails; an empty one says nothing.

    It covers the top level and ``$and``.
    """
    found: list[Condition] = []
    for name, wanted in criteria.items():
        if name == "$and" and isinstance(wanted, list):
            found += [sql_prefilter(part) for part in wanted if isinstance(part, Mapping)]
            continue
        expression = indexed_expression(name)
        if expression is not None:
            found.append(_equality(expression, wanted) or _range(expression, wanted))
    return _all_of(found)


def certain_condition(criteria: Mapping[str, Any]) -> Condition | None:
    """Return a condition under which a document matches for sure, None if SQL cannot tell.

    SQL can where every part of the query is equality with, or membership in, strings.
    """
    found: list[Condition] = []
    for name, wanted in criteria.items():
        expression, values = indexed_expression(name), _values(wanted)
        exclusive = not isinstance(wanted, Mapping) or len(wanted) == 1
        if expression is None or not values or not exclusive:
            return None
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) < len(values):
            return None
        found.append(Condition(f"{expression} IN ({_marks(values)})", list(texts)))
    return _all_of(found) if found else None


def _all_of(conditions: list[Condition]) -> Condition:
    kept = [condition for condition in conditions if condition.sql]
    parameters = [value for condition in kept for value in condition.parameters]
    return Condition(" AND ".join(condition.sql for condition in kept), parameters)


def _equality(expression: str, wanted: Any) -> Condition | None:
    values = _values(wanted)
    if values is None:
        return None
    equal = f"{expression} IN ({OTHER}{', ' if values else ''}{_marks(values)})"
    texts = [json.dumps(value) for value in values if isinstance(value, str)]
    if not texts or len(texts) < len(values) or len(texts) > _MOST_TEXTS:
        return Condition(equal, [*values])
    # Wherever it is, the string stands in the text of the document, quoted: a look for that costs
    # a tenth of parsing it.
    inside = " OR ".join(["instr(document, ?)"] * len(texts))
    return Condition(f"({inside}) AND {equal}", [*texts, *values])


def _values(wanted: Any) -> list[str | int] | None:
    """Return the values that a field must have one of, None where SQL cannot compare them."""
    if isinstance(wanted, Mapping):
        candidates = wanted.get("$in") if "$in" in wanted else [wanted.get("$eq")]
    else:
        candidates = [wanted]
    if not isinstance(candidates, list) or len(candidates) > _MOST_VALUES:
        return None
    return candidates if all(_comparable(value) for value in candidates) else None


def _comparable(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) <= _LARGEST_SQL_INTEGER
    # SQLite ends a text at the first NUL, and half a surrogate pair is no UTF-8 at all: neither is
    # printable.
    return isinstance(value, str) and value.isprintable()


def _range(expression: str, wanted: Any) -> Condition:
    if not isinstance(wanted, Mapping):
        return Condition("", [])
    bounds = [
        (f"{expression} {sign} ?", limit)
        for names, sign, slack in ((_LOWER, ">=", -_SLACK), (_UPPER, "<=", _SLACK))
        for name in names
        if name in wanted and (limit := _limit(wanted[name], slack)) is not None
    ]
    if not bounds:
        return Condition("", [])
    inside = " AND ".join(sql for sql, _ in bounds)
    return Condition(f"(({inside}) OR {expression} = {OTHER})", [limit for _, limit in bounds])


def _limit(value: Any, slack: float) -> str | float | None:
    """Return the limit of a range, a little wider than asked for where numbers are rounded."""
    if isinstance(value, str) and value.isprintable():
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not abs(value) <= _LARGEST_EXACT_FLOAT:
        return None
    return float(value) + slack * max(abs(value), 1e-300)


def _marks(values: list[str | int]) -> str:
    return ", ".join("?" * len(values))
