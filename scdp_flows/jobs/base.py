"""Give all Makers of the steps their common fields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from jobflow import Maker

from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from scdp_flows.stores.factory import Stores

__all__ = ["StepMaker"]


@dataclass
class StepMaker(Maker):
    """Make the job of one step, which reads and writes the stores.

    Fields say how a step works; what it works on is given to ``make``. Outputs are small documents:
    arrays lie in the stores, where the next step finds them by identifiers.
    """

    name: str = "step"
    """Name of the job."""
    store_path: str | None = None
    """Folder of the embedded stores; None: the stores that the settings name where the job runs."""

    def __post_init__(self) -> None:
        """Make the path absolute: jobs may run in folders of their own."""
        if self.store_path is not None:
            self.store_path = str(Path(self.store_path).expanduser().absolute())

    def in_store(self, path: str | None) -> Self:
        """Return this Maker for the stores in a folder; None leaves it as it is."""
        return self if path is None else replace(self, store_path=path)

    def open_stores(self) -> Stores:
        """Open the stores of this step; close them when done."""
        return open_stores(self.store_path)
