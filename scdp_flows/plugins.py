"""Find readers, predictors, DFT codes and stores by name.

The built-in ones are listed here, so that an uninstalled checkout works too. Other packages add
theirs by entry points of the group ``scdp_flows.<group>``. Nothing is imported before it is used.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType

from scdp_flows.errors import MissingDependencyError, UnknownNameError

__all__ = ["GROUPS", "available", "resolve"]

_BUILT_IN = MappingProxyType(
    {
        "readers": {
            "abinit_den": "scdp_flows.io.abinit_den:AbinitDenFormat",
            "abinit_netcdf": "scdp_flows.io.abinit_den:AbinitNetcdfFormat",
            "chgcar": "scdp_flows.io.chgcar:ChgcarFormat",
            "cube": "scdp_flows.io.cube:CubeFormat",
            "cubic_json": "scdp_flows.io.cubic_json:CubicJsonFormat",
            "espresso": "scdp_flows.io.espresso:EspressoFormat",
            "espresso_hdf5": "scdp_flows.io.espresso:EspressoHdf5Format",
            "espresso_plot": "scdp_flows.io.espresso_plot:EspressoPlotFormat",
            "mp_json": "scdp_flows.io.mp_json:MpJsonFormat",
            "npy_grid": "scdp_flows.io.npy_grid:NpyGridFormat",
            "npy_md": "scdp_flows.io.npy_md:NpyMdFormat",
            "openpmd": "scdp_flows.io.openpmd:OpenPmdFormat",
            "pyscf_chk": "scdp_flows.io.pyscf_chk:PyscfChkFormat",
            "xsf": "scdp_flows.io.xsf:XsfFormat",
            "xsf_angstrom": "scdp_flows.io.xsf:XsfAngstromFormat",
            "xsf_bohr": "scdp_flows.io.xsf:XsfBohrFormat",
        },
        "predictors": {
            "atomic": "scdp_flows.predictors.atomic:AtomicPredictor",
            "ensemble": "scdp_flows.predictors.ensemble:EnsemblePredictor",
            "scdp": "scdp_flows.predictors.scdp:ScdpPredictor",
        },
        "dft": {
            "abinit": "scdp_flows.dft.abinit:AbinitCode",
            "espresso": "scdp_flows.dft.espresso:EspressoCode",
            "pyscf": "scdp_flows.dft.pyscf:PyscfCode",
            "pyscf_crystals": "scdp_flows.dft.pyscf_crystals:PyscfCrystalCode",
        },
        "stores": {
            "files": "scdp_flows.stores.document_files:FilesStore",
            "sqlite": "scdp_flows.stores.sqlite:SqliteStore",
        },
    }
)

GROUPS = tuple(_BUILT_IN)
"""What can be looked up by name."""


def available(group: str) -> list[str]:
    """Return the known names of a group, sorted.

    Raises
    ------
    UnknownNameError
        If there is no such group.

    Examples
    --------
    >>> "chgcar" in available("readers")
    True
    """
    return sorted(_targets(group))


def resolve(group: str, name: str) -> object:
    """Import and return what a name stands for.

    Parameters
    ----------
    group
        One of ``GROUPS``.
    name
        One of ``available(group)``.

    Raises
    ------
    UnknownNameError
        If there is no such group or name; known names are listed, the closest first.
    MissingDependencyError
        If it cannot be imported.
    """
    targets = _targets(group)
    if name not in targets:
        raise UnknownNameError(name, targets, what=group.removesuffix("s"))
    module, _, attribute = targets[name].partition(":")
    try:
        found: object = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise MissingDependencyError(
            f"the {group.removesuffix('s')} {name!r} ({targets[name]}) cannot be imported: "
            f"{error}; install the package that provides it and what it needs"
        ) from error
    return found


def _targets(group: str) -> dict[str, str]:
    """Return name and ``module:attribute`` of a group; nobody can replace a built-in name."""
    if group not in _BUILT_IN:
        raise UnknownNameError(group, GROUPS, what="plugin group")
    return {**_external(group), **_BUILT_IN[group]}


@cache
def _external(group: str) -> dict[str, str]:
    """Return what other packages add; looking through all that is installed takes long."""
    return {point.name: point.value for point in entry_points(group=f"scdp_flows.{group}")}
