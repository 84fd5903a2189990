"""Ask the Materials Project for densities, behind an interface that tests can replay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from scdp_flows.errors import CalculationError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MaterialsProject", "MpApiClient", "MpTask"]

_STATIC = ("GGA Static", "GGA+U Static", "PBESol Static", "r2SCAN Static")


class MpTask(NamedTuple):
    """One calculation of a material."""

    material_id: str
    """Such as ``"mp-149"``."""
    task_id: str
    """The calculation whose density it is; a material has several, which change with time."""
    document: Mapping[str, Any]
    """The task document as plain data."""


class MaterialsProject(Protocol):
    """What is asked of the Materials Project."""

    def static_tasks(self, material_ids: Sequence[str]) -> Sequence[MpTask]:
        """Return the static calculations of materials, those that have densities."""
        ...

    def charge_density(self, task_id: str) -> Mapping[str, Any] | None:
        """Return ``Chgcar.as_dict`` of a calculation, None if there is none."""
        ...


class MpApiClient:
    """Ask by the package ``mp-api``, which reads the key from ``MP_API_KEY``.

    Raises
    ------
    MissingDependencyError
        If the package is not installed.
    """

    def __init__(self) -> None:
        try:
            from mp_api.client import MPRester
        except ImportError as error:
            raise MissingDependencyError.for_package(
                "mp-api", extra="mp", purpose="asking the Materials Project"
            ) from error
        self._rester = MPRester(use_document_model=False, mute_progress_bars=True)

    def static_tasks(self, material_ids: Sequence[str]) -> Sequence[MpTask]:
        """Return the static calculations of materials.

        Raises
        ------
        CalculationError
            If the service does not answer as expected.
        """
        found: list[MpTask] = []
        try:
            materials = self._rester.materials.search(
                material_ids=list(material_ids), fields=["material_id", "calc_types"]
            )
            for material in materials:
                wanted = [
                    str(task)
                    for task, kind in material["calc_types"].items()
                    if str(getattr(kind, "value", kind)) in _STATIC
                ]
                for document in self._rester.materials.tasks.search(task_ids=wanted):
                    plain = dict(document)
                    task_id = str(plain["task_id"])
                    found.append(MpTask(str(material["material_id"]), task_id, plain))
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise _failed(error) from error
        return found

    def charge_density(self, task_id: str) -> Mapping[str, Any] | None:
        """Return the density of a calculation, None if the service has none.

        Raises
        ------
        CalculationError
            If the service does not answer.
        """
        try:
            found = self._rester.get_charge_density_from_task_id(task_id)
        except (KeyError, IndexError):
            return None
        except (TypeError, ValueError, OSError) as error:
            raise _failed(error) from error
        if found is None:
            return None
        document: Mapping[str, Any] = found if isinstance(found, Mapping) else found.as_dict()
        return document


def _failed(error: Exception) -> CalculationError:
    return CalculationError(
        f"the Materials Project did not answer as expected ({error}); check the network, "
        "MP_API_KEY and the version of mp-api"
    )
