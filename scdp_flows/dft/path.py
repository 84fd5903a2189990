"""What calculations along a path of geometries have in common, whatever the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.dft.base import SpinDensities
from scdp_flows.errors import CalculationError, ScdpFlowsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.dft.base import StartDensity
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.predictors.base import Predictor

__all__ = ["predicted_start", "weights_to_one"]

_RIDGE = 1e-4
_SMALLEST = 1e-12


def predicted_start(
    predictor: Predictor, structure: AtomicStructure, *, needs_spin: bool
) -> StartDensity:
    """Predict what a calculation can start from.

    Parameters
    ----------
    predictor
        Who predicts.
    structure
        Of which structure.
    needs_spin
        Whether the calculation has two spins.

    Raises
    ------
    CalculationError
        If it cannot be predicted, with the reason.
    """
    try:
        found = next(iter(predictor.predict_many([structure])))
    except ScdpFlowsError as error:
        raise CalculationError(str(error)) from error
    if found.spin_density is not None:
        return SpinDensities(found.density, found.spin_density)
    if needs_spin:
        raise CalculationError(
            "open shells are not started from a total density alone, and this predictor knows "
            "no spin densities"
        )
    return found.density


def weights_to_one(gram: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights that sum to one and combine earlier geometries to a new one.

    Least squares of the distance to the newest geometry, with a small ridge that keeps the weights
    from growing where geometries nearly repeat.

    Parameters
    ----------
    gram
        Products of the differences of all earlier geometries but the newest to the newest,
        ``(n - 1, n - 1)``.
    right
        Products of these with the difference of the new geometry, ``(n - 1,)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, the newest geometry last.
    """
    ridge = np.diag(_RIDGE * gram.diagonal() + _SMALLEST)
    weights = np.linalg.solve(gram + ridge, right)
    return np.append(weights, 1 - weights.sum())
