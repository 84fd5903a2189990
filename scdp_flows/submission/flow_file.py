"""Read a flow from a YAML file: which Maker, which fields, which structures."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass, replace
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import Maker
from pydantic import BaseModel, ConfigDict, Field

from scdp_flows.errors import SettingsError, UnknownNameError
from scdp_flows.io.structures import read_structures
from scdp_flows.yaml_text import read_mapping, validated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobflow import Flow, Job

__all__ = ["FlowFile", "read_flow"]

_MAKERS = {
    "active_learning": "scdp_flows.flows.active_learning:ActiveLearningMaker",
    "doctor": "scdp_flows.jobs.doctor:DoctorMaker",
    "label": "scdp_flows.flows.label:LabelFlowMaker",
    "pipeline": "scdp_flows.flows.pipeline:PipelineMaker",
    "predict": "scdp_flows.flows.predict:PredictFlowMaker",
    "seeded_scf": "scdp_flows.flows.seeded_scf:SeededScfMaker",
    "train": "scdp_flows.flows.train:TrainFlowMaker",
}


class FlowFile(BaseModel):
    """Describe a flow in plain data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    maker: str = Field(description="Short name, or module:Class of a Maker.")
    fields: dict[str, Any] = Field(
        default_factory=dict,
        description="Fields of the Maker; those that are Makers take a mapping of their fields, "
        "and 'class' in it another class (module:Class).",
    )
    structures: dict[str, list[str] | str] = Field(
        default_factory=dict, description="Argument of make → files of structures."
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="Other arguments of make, as they are."
    )

    def build(self, folder: Path) -> Flow | Job:
        """Build the flow.

        Parameters
        ----------
        folder
            Where relative paths of structures start.

        Raises
        ------
        SettingsError
            If a class, field or argument is unknown.
        StructureError
            If a file of structures cannot be read.
        """
        kind = _class(_MAKERS.get(self.maker, self.maker))
        if not (isinstance(kind, type) and issubclass(kind, Maker)):
            raise SettingsError(f"maker: {self.maker} is no jobflow Maker")
        maker = _made(kind, self.fields)
        given = {
            name: [
                structure
                for path in ([paths] if isinstance(paths, str) else paths)
                for structure in read_structures(folder / path)
            ]
            for name, paths in self.structures.items()
        }
        try:
            # A job looks at its arguments only when it runs.
            signature(maker.make).bind(**given, **self.arguments)
            return maker.make(**given, **self.arguments)  # type: ignore[no-any-return]
        except TypeError as error:
            raise SettingsError(
                f"{self.maker}: {error}; correct structures and arguments"
            ) from error


def read_flow(path: str | Path) -> Flow | Job:
    """Read a file and build its flow.

    Raises
    ------
    SettingsError
        If the file cannot be read or describes no flow; see :class:`FlowFile`.
    """
    file = Path(path)
    described = validated(FlowFile, read_mapping(file), source=str(file))
    return described.build(file.parent)


def _made(kind: Any, given: Mapping[str, Any]) -> Any:
    """Return an instance of a dataclass with some fields of its own choice."""
    needed = {
        one.name
        for one in fields(kind)
        if one.default is MISSING and one.default_factory is MISSING
    }
    if missing := needed - set(given):
        raise SettingsError(
            f"{kind.__name__} needs {', '.join(sorted(missing))}; give these fields"
        )
    start = kind(**{name: _value(None, given[name]) for name in needed})
    return _changed(start, {name: new for name, new in given.items() if name not in needed})


def _changed(value: Any, given: Mapping[str, Any]) -> Any:
    """Return a dataclass with other fields; nested mappings change nested dataclasses."""
    known = {one.name for one in fields(value)}
    for name in given:
        if name not in known:
            where = type(value).__name__
            raise SettingsError(str(UnknownNameError(name, known, what=f"field of {where}")))
    return replace(
        value, **{name: _value(getattr(value, name), new) for name, new in given.items()}
    )


def _value(old: Any, new: Any) -> Any:
    if isinstance(new, dict) and "class" in new:
        return _made(_class(str(new["class"])), {k: v for k, v in new.items() if k != "class"})
    return _changed(old, new) if isinstance(new, dict) and is_dataclass(old) else new


def _class(place: str) -> Any:
    module, _, name = place.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            f"maker: {place!r} is not found ({error}); give one of {', '.join(sorted(_MAKERS))}, "
            "or module:Class"
        ) from error
