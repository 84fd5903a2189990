"""Open classic netCDF files with typed errors."""

from __future__ import annotations

import struct
import warnings
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.errors import DensityError, DensityFormatError
from scdp_flows.io.reading import COPY_ANEW, format_errors, read_bytes

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["NETCDF3_SIGNATURE", "Netcdf3File", "open_netcdf3"]

NETCDF3_SIGNATURE = "CDF"
"""First bytes of every classic netCDF file."""

# SciPy reads the header without checking it: damage shows as whatever the next statement raises.
_DAMAGE = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AssertionError,
    AttributeError,
    OverflowError,
    MemoryError,
    struct.error,
)


class Netcdf3File:
    """Read the variables of an open file by their names."""

    def __init__(self, variables: Any, file: str) -> None:
        self._variables = variables
        self.file = file

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a variable of that name."""
        return name in self._variables

    def array(self, name: str, dtype: str = "f8") -> NDArray[Any]:
        """Return a variable as numbers of a type.

        Raises
        ------
        DensityFormatError
            If there is none.
        """
        if name not in self._variables:
            raise self.error(f"is missing; the file holds {sorted(self._variables)}", field=name)
        return np.array(self._variables[name].data, dtype=dtype)

    def error(self, message: str, *, field: str, fix: str = COPY_ANEW) -> DensityFormatError:
        """Return an error that names a part of this file."""
        return DensityFormatError(message, file=self.file, field=field, fix=fix)


@contextmanager
def open_netcdf3(path: str | os.PathLike[str]) -> Iterator[Netcdf3File]:
    """Open a file, also compressed as a whole.

    Raises
    ------
    DensityFormatError
        If the file is missing or damaged.
    """
    from scipy.io import netcdf_file  # slow to import, rarely needed

    with format_errors(path):
        content = BytesIO(read_bytes(path))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # of arrays that are still in use
                with netcdf_file(content, "r", mmap=False) as opened:
                    yield Netcdf3File(opened.variables, str(path))
        except DensityError:
            raise
        except _DAMAGE as error:
            raise DensityFormatError(
                f"is no intact netCDF file ({error})", file=path, fix=COPY_ANEW
            ) from error
