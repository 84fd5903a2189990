"""Predict densities by a trained model."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from monty.json import MSONable

from scdp_flows.errors import ModelError
from scdp_flows.io.structures import as_arrays
from scdp_flows.kind import DensityKind
from scdp_flows.predictors.base import Predicted, check_predictable, electronic_state
from scdp_flows.predictors.checkpoints import find_checkpoint, load_model
from scdp_flows.predictors.lanes import share
from scdp_flows.schemas.identity import symbols
from scdp_flows.schemas.training import file_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from jobflow import OutputReference

    from scdp_flows.io.structures import AtomicStructure
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity
    from scdp_models.predict import Model

__all__ = ["DEFAULT_MODEL", "ScdpPredictor"]

_LOGGER = logging.getLogger(__name__)

DEFAULT_MODEL = "small-molecules-pbe-gth"
"""The model that ships with the package."""


@dataclass(frozen=True)
class ScdpPredictor(MSONable):
    """Predict densities by a trained model.

    Examples
    --------
    >>> ScdpPredictor().model
    'small-molecules-pbe-gth'
    """

    model: str | OutputReference = DEFAULT_MODEL
    """Path, identifier or name; see :func:`scdp_flows.predictors.checkpoints.find_checkpoint`."""
    store_path: str | None = None
    """Folder of the embedded stores in which the model is sought; None: those of the settings."""
    dtype: str = "float32"
    """``"float32"`` or ``"float64"``."""
    batch_size: int = 8
    """Structures that are taken and held at a time; as many of them as fit into `memory_mb` pass
    through the network together."""
    memory_mb: float | None = None
    """MiB that a pass through the network may need beside its weights; larger structures are
    refused. None: as much as is quickest, and single structures however large."""
    device: str = "auto"
    """``"cpu"``, one or several GPUs such as ``"cuda:1"`` or ``"cuda:0,cuda:2"``, or ``"auto"``:
    all GPUs that torch finds, and the CPU for one that fails, as it does when its memory runs out.
    Several share the batches."""
    name: str = "scdp"
    """Name in documents and tables."""

    def kind(self) -> DensityKind | None:
        """Return which density the model was trained on."""
        return DensityKind.from_dict(self._load().kind)

    def model_id(self) -> str | None:
        """Return the sha256 of the checkpoint."""
        return file_sha256(find_checkpoint(self.model, self.store_path))

    def atoms(self) -> AtomicReference:
        """Return the neutral atoms that the model's labels are relative to."""
        return self._load().reference

    def predict(self, structure: AtomicStructure) -> OrbitalDensity:
        """Return the predicted total density of one structure.

        Raises
        ------
        StructureError
            If the structure is malformed, or charged or an open shell and the model knows none.
        ModelError
            If the model cannot be loaded or does not know an element.
        """
        return next(self.predict_many([structure])).density

    def predict_many(self, structures: Iterable[AtomicStructure]) -> Iterator[Predicted]:
        """Yield the predicted total density of each structure, in order.

        Only one batch of structures per device is taken and held at a time.
        """
        lanes = [self._lane(device) for device in self._devices()]
        remaining = iter(structures)
        batches = iter(lambda: list(islice(remaining, max(1, self.batch_size))), [])
        for found in share(lanes, batches):
            yield from found

    def _devices(self) -> list[str]:
        if self.device != "auto":
            return self.device.split(",")
        import torch

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return [f"cuda:{number}" for number in range(count)] or ["cpu"]

    def _load(self, device: str | None = None) -> Model:
        chosen = device or self._devices()[0]
        return load_model(self.model, self.store_path, self.dtype, chosen)

    def _lane(self, device: str) -> Callable[[list[AtomicStructure]], list[Predicted]]:
        """Return what predicts batches on one device, and on the CPU if that fails and may."""
        model: Model | None = None

        def predict(batch: list[AtomicStructure]) -> list[Predicted]:
            nonlocal device, model
            model = model or self._load(device)
            try:
                return self._predict_batch(model, batch)
            except RuntimeError as error:  # of torch; ours are no RuntimeErrors
                if device == "cpu" or self.device != "auto":
                    raise
                _LOGGER.warning(
                    "prediction on %s failed (%s); it goes on on the CPU", device, error
                )
                device = "cpu"
                model = self._load(device)
                return self._predict_batch(model, batch)

        return predict

    def _predict_batch(self, model: Model, batch: list[AtomicStructure]) -> list[Predicted]:
        from scdp_models.errors import ScdpModelsError
        from scdp_models.predict import Geometry

        for structure in batch:
            check_predictable(
                structure, charged=model.handles_charge, open_shells=model.handles_spin
            )
            self._check_elements(model, structure)
        start = time.perf_counter()
        memory = None if self.memory_mb is None else int(self.memory_mb * 2**20)
        geometries = [Geometry(*as_arrays(one), state=electronic_state(one)) for one in batch]
        try:
            found = model.predict_batch(geometries, memory=memory)
        except ScdpModelsError as error:
            formulas = ", ".join(structure.formula for structure in batch)
            raise ModelError(f"model {self.model!r} failed on {formulas}: {error}") from error
        seconds = (time.perf_counter() - start) / len(batch)
        return [
            Predicted(one.density, one.excess_electrons, seconds, spin_density=one.spin_density)
            for one in found
        ]

    def _check_elements(self, model: Model, structure: AtomicStructure) -> None:
        unknown = sorted(set(as_arrays(structure)[0].tolist()) - set(model.elements))
        if unknown:
            missing, known = ", ".join(symbols(unknown)), ", ".join(symbols(model.elements))
            raise ModelError(
                f"{structure.formula}: model {self.model!r} does not know {missing}; it knows "
                f"{known}: choose a model trained on these elements or train one"
            )
