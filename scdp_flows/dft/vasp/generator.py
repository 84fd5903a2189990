"""Wrap the input set of a VASP Maker so that the folders it writes are seeded."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self, get_args

from monty.json import MontyDecoder, MSONable
from pymatgen.io.vasp.inputs import VaspInput

from scdp_flows.dft.vasp.folder import JobIdentity, seed_folder
from scdp_flows.dft.vasp.policy import Strategy
from scdp_flows.errors import CalculationError, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.dft.vasp.sources import SeedSource

__all__ = ["SeededInput", "SeededInputGenerator"]

_LOGGER = logging.getLogger(__name__)
_OWN = ("inner", "source", "strategy", "unseeded_sample")
_KEY = "scdp_seed"


class SeededInput(VaspInput):
    """Write the inputs of a calculation and seed the folder they go to.

    Parameters
    ----------
    inputs
        The inputs.
    source
        Where the density comes from.
    strategy, unseeded_sample
        As in :func:`scdp_flows.dft.vasp.folder.seed_folder`.
    """

    def __init__(
        self,
        inputs: VaspInput,
        source: SeedSource,
        *,
        strategy: Strategy,
        unseeded_sample: float,
    ) -> None:
        dict.__init__(self, inputs)
        self.__dict__.update(inputs.__dict__)
        self._seed_source = source
        self._strategy: Strategy = strategy
        self._unseeded_sample = unseeded_sample

    def write_input(self, output_dir: str | Path = ".", *args: Any, **kwargs: Any) -> None:
        """Write all files as pymatgen does, then seed.

        A folder that cannot be seeded runs as it would have without: the reason is logged, and
        recorded where there is a record.
        """
        super().write_input(output_dir, *args, **kwargs)
        try:
            seed_folder(
                output_dir,
                self._seed_source,
                strategy=self._strategy,
                unseeded_sample=self._unseeded_sample,
                job=JobIdentity.current(),
            )
        except CalculationError as error:
            _LOGGER.warning("not seeded: %s", error)


class SeededInputGenerator(MSONable):
    """Stand in for an input set generator: the same in everything, but its folders are seeded.

    Attributes are read from and written to the inner generator, and the serialised form is that of
    the inner one with another class and one key more. So whatever changes an atomate2 generator,
    before or after, changes this one too.

    Parameters
    ----------
    inner
        The generator, of pymatgen's ``VaspInputSet`` kind.
    source
        Where the density comes from.
    strategy, unseeded_sample
        As in :func:`scdp_flows.dft.vasp.folder.seed_folder`.
    """

    inner: Any
    source: SeedSource
    strategy: Strategy
    unseeded_sample: float

    def __init__(
        self,
        inner: Any,
        source: SeedSource,
        *,
        strategy: Strategy = "cold",
        unseeded_sample: float = 0.0,
    ) -> None:
        if strategy not in get_args(Strategy) or not 0 <= unseeded_sample <= 1:
            raise SettingsError(
                f"strategy {strategy!r} and unseeded_sample {unseeded_sample!r}; expected one of "
                f"{', '.join(get_args(Strategy))}, and a share from 0 to 1"
            )
        if isinstance(inner, SeededInputGenerator):
            inner = inner.inner
        for name, value in zip(_OWN, (inner, source, strategy, unseeded_sample), strict=True):
            object.__setattr__(self, name, value)

    def get_input_set(self, *args: Any, **kwargs: Any) -> Any:
        """Return the inputs that the inner generator makes; writing them will seed the folder."""
        made = self.inner.get_input_set(*args, **kwargs)
        if not isinstance(made, VaspInput):
            return made
        return SeededInput(
            made, self.source, strategy=self.strategy, unseeded_sample=self.unseeded_sample
        )

    def __getattr__(self, name: str) -> Any:
        if name in _OWN or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)  # not yet made, or asked for by pickle and copy
        return getattr(self.inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.inner, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.inner, self.source, self.strategy, self.unseeded_sample)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SeededInputGenerator) and self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SeededInputGenerator({self.inner!r}, {self.source!r})"

    def as_dict(self) -> dict[str, Any]:
        """Return the serialised inner generator under this class, with the seed in one key."""
        document: dict[str, Any] = self.inner.as_dict()
        own = {
            "module": document["@module"],
            "name": document["@class"],
            "source": self.source.as_dict(),  # type: ignore[attr-defined]
            "strategy": self.strategy,
            "unseeded_sample": self.unseeded_sample,
        }
        return document | {
            "@module": type(self).__module__,
            "@class": type(self).__name__,
            _KEY: own,
        }

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> Self:
        """Rebuild what ``as_dict`` returned, with changes that were made to it since."""
        document = {key: value for key, value in d.items() if not key.startswith("@")}
        own = document.pop(_KEY)
        inner_class = getattr(import_module(own["module"]), own["name"])
        source = MontyDecoder().process_decoded(own["source"])
        return cls(
            inner_class.from_dict(document),
            source,
            strategy=own["strategy"],
            unseeded_sample=own["unseeded_sample"],
        )


def _rebuilt(
    inner: Any, source: SeedSource, strategy: Strategy, unseeded_sample: float
) -> SeededInputGenerator:
    return SeededInputGenerator(inner, source, strategy=strategy, unseeded_sample=unseeded_sample)
