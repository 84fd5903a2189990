"""Name, colour and order what a report compares, alike in every figure and table.

A series is one way to a density: the code's own guess, a predictor, one trained model, or the
converged density itself. Evaluations and restarts of the same way belong to the same series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scdp_flows.schemas.evaluation import EvaluationDoc
    from scdp_flows.schemas.seeding import SeedDoc, StartRecord
    from scdp_flows.schemas.seeding_benchmark import StartSummary
    from scdp_flows.schemas.training import ModelDoc

__all__ = ["ATOMIC", "DEFAULT", "EXACT", "Series", "arrange", "evaluation_key", "start_key"]

DEFAULT = "default"
ATOMIC = "atomic"
EXACT = "exact"

# Okabe and Ito's palette, which stays distinct for colour-blind readers; the default guess is grey
# because it is what the others are compared to.
_FIXED = {
    DEFAULT: ("default guess", "#8a8f98", "s"),
    ATOMIC: ("atomic", "#e69f00", "D"),
    EXACT: ("exact density", "#cc79a7", "v"),
}
_OTHERS = (("#0072b2", "o"), ("#009e73", "^"), ("#d55e00", "P"), ("#56b4e9", "X"))
_SHORT_ID = 8


@dataclass(frozen=True)
class Series:
    """Say how one series is called and drawn."""

    key: str
    """What tells it from the others: a fixed word, the identifier of a model, or a label."""
    name: str
    """What readers call it."""
    colour: str
    """Colour as ``#rrggbb``."""
    marker: str
    """Marker of matplotlib, so that colour is never the only difference."""

    @property
    def is_model(self) -> bool:
        """Whether it is none of the fixed points of comparison."""
        return self.key not in _FIXED


def evaluation_key(doc: EvaluationDoc) -> str:
    """Return the key of the series that an evaluation belongs to."""
    return doc.model_id or doc.predictor


def start_key(record: StartRecord | StartSummary) -> str:
    """Return the key of the series that a restart belongs to."""
    if record.start in _FIXED:
        return record.start
    return record.model_id or record.predictor or record.start


def arrange(
    models: Sequence[ModelDoc],
    evaluations: Iterable[EvaluationDoc] = (),
    seeds: Iterable[SeedDoc] = (),
) -> dict[str, Series]:
    """Collect the series of a report, in the order in which every figure shows them.

    Parameters
    ----------
    models
        Known models; they give their names, in the order in which they are to appear.
    evaluations, seeds
        Results, which may speak of further series.

    Returns
    -------
    dict of str to Series
        By key: default guess, atomic, the models, anything else, exact density. Models that no
        result speaks of are among them.
    """
    # A model that is not in the store, such as a shipped one, goes by what the results call it.
    labels = {start_key(record): record.start for doc in seeds for record in doc.starts}
    labels = {evaluation_key(doc): doc.predictor for doc in evaluations} | labels
    found = dict.fromkeys(labels)
    names = _model_names(models)
    others = [key for key in dict.fromkeys([*names, *found]) if key not in _FIXED]
    keys = [k for k in (DEFAULT, ATOMIC) if k in found] + others
    keys += [EXACT] if EXACT in found else []
    return {key: _series(key, names, labels, others) for key in keys}


def _series(
    key: str, names: Mapping[str, str], labels: Mapping[str, str], others: Sequence[str]
) -> Series:
    if key in _FIXED:
        return Series(key, *_FIXED[key])
    colour, marker = _OTHERS[others.index(key) % len(_OTHERS)]
    return Series(key, names.get(key) or labels.get(key, key), colour, marker)


def _model_names(models: Sequence[ModelDoc]) -> dict[str, str]:
    """Return the names of models by identifier; equal names get a piece of the identifier."""
    names = [model.name for model in models]
    return {
        model.model_id: model.name
        if names.count(model.name) == 1
        else f"{model.name} ({model.model_id[:_SHORT_ID]})"
        for model in models
    }
