"""Parse JSON files of densities without building objects that they name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.reading import COPY_ANEW, read_bytes

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["load_json", "number_array"]

# A thousand times a hundred thousand points; the parsed numbers take several times as much.
_LARGEST = 2**30


def load_json(path: str | os.PathLike[str]) -> Any:
    """Return the plain content of a file, also compressed.

    Raises
    ------
    DensityFormatError
        If it is missing, damaged, too large or no JSON.
    """
    content = read_bytes(path, limit=_LARGEST)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DensityFormatError(f"is no JSON ({error})", file=path, fix=COPY_ANEW) from error


def number_array(
    value: object, shape: tuple[int | None, ...], *, file: str, field: str
) -> NDArray[np.float64]:
    """Convert nested lists to an array of known shape, in which None stands for any length.

    Raises
    ------
    DensityFormatError
        If they hold something else than finite numbers, or have another shape.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DensityFormatError(
            f"holds no numbers ({error})", file=file, field=field, fix=COPY_ANEW
        ) from error
    matches = len(array.shape) == len(shape) and all(
        wanted in {None, found} for wanted, found in zip(shape, array.shape, strict=True)
    )
    if not matches or array.size == 0:
        raise DensityFormatError(
            f"has the shape {array.shape}, expected {shape}", file=file, field=field, fix=COPY_ANEW
        )
    # JSON has no such numbers, and Python's parser reads them nonetheless.
    if not np.isfinite(array).all():
        raise DensityFormatError("holds NaN or infinity", file=file, field=field, fix=COPY_ANEW)
    return array
