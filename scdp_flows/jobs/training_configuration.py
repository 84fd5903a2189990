"""What the fields of the train Maker stand for: a preset, and what differs from it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scdp_models.nn.config import NetworkConfig
    from scdp_models.nn.presets import Preset
    from scdp_models.training.config import TrainingConfig

__all__ = [
    "Configurations",
    "PresetChoices",
    "check_for_dataset",
    "configurations",
    "preset_choices",
    "second_stage_training",
    "setting_names",
]

# Of the published recipe: 2e-5 of 1e-3, and 300k steps after 500k.
_SECOND_RATE, _SECOND_STEPS = 0.02, 0.6


@dataclass(frozen=True)
class PresetChoices:
    """What a preset says of the dataset and of the stages."""

    basis: str
    """Shells that the model predicts."""
    target: Literal["delta", "total"]
    """``"delta"`` or ``"total"``."""
    keep_grid: bool
    """Whether a loss needs grids."""
    two_stages: bool
    """Whether exponents are scaled in a second stage."""


@dataclass(frozen=True)
class Configurations:
    """A network and how it is trained."""

    network: NetworkConfig
    training: TrainingConfig


def preset_choices(name: str) -> PresetChoices:
    """Return what a preset says beyond network and training.

    Raises
    ------
    SettingsError
        If there is none of this name.
    """
    preset = _preset(name)
    chosen = configurations(name, preset.network.target, {}, {})
    return PresetChoices(
        basis=preset.basis,
        target="total" if preset.network.target == "total" else "delta",
        keep_grid=chosen.training.needs_grid or preset.fine_tuning is not None,
        two_stages=preset.fine_tuning is not None,
    )


def configurations(
    preset: str | None, target: str, network: Mapping[str, Any], training: Mapping[str, Any]
) -> Configurations:
    """Return the configurations that a preset and what differs from it stand for.

    Parameters
    ----------
    preset
        Its name; None: the defaults of both configurations.
    target
        Of a network that neither the preset nor its settings give one.
    network, training
        Fields that differ.

    Raises
    ------
    SettingsError
        If there is no such preset, a field is unknown, or fields do not fit together.
    """
    from scdp_models.errors import ScdpModelsError
    from scdp_models.nn.config import NetworkConfig
    from scdp_models.training.config import TrainingConfig

    chosen = None if preset is None else _preset(preset)
    base_network = {"target": target} if chosen is None else chosen.network.to_dict()
    base_training = {} if chosen is None else chosen.training
    try:
        return Configurations(
            NetworkConfig.from_dict({**base_network, **network}),
            TrainingConfig.from_dict({**base_training, **training}),
        )
    except (ScdpModelsError, TypeError) as error:
        raise SettingsError(f"fields network and training of the job: {error}") from error


def check_for_dataset(chosen: Configurations, name: str, recipe: Mapping[str, Any]) -> None:
    """Refuse settings that do not fit a dataset.

    Parameters
    ----------
    chosen
        The settings.
    name
        Of the dataset.
    recipe
        Its ``target`` (``"delta"`` by default) and whether it has grids, ``keep_grid``.

    Raises
    ------
    SettingsError
        If they do not fit, or name a file.
    """
    network, training = chosen.network, chosen.training
    target = recipe.get("target", "delta")
    if network.target != target:
        raise SettingsError(
            f"network target {network.target!r} does not fit dataset {name!r}, whose target is "
            f"{target!r}; build a dataset for it, or leave the target out"
        )
    if training.needs_grid and not recipe.get("keep_grid"):
        raise SettingsError(
            f"loss {training.loss!r} or one added to it needs grids and dataset {name!r} has none; "
            "build it with keep_grid=True"
        )
    if training.initial_weights is not None:
        raise SettingsError(
            "training setting initial_weights is a file that a job may not find; give the name or "
            "identifier of the model to make() as start_from"
        )


def second_stage_training(preset: str | None, training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the training configuration of a second stage, which scales exponents.

    They are those of the first stage, with a fiftieth of the learning rate and 0.6 times as many
    steps, as published; fields that the first does not set itself are those of the preset's second
    stage, where it has one. Scaled exponents have no fitted coefficients, so a loss on those
    becomes ``"coulomb_g"``, its counterpart on the grid.

    Parameters
    ----------
    preset, training
        Of the first stage.

    Raises
    ------
    SettingsError
        As :func:`configurations`.
    """
    first = configurations(preset, "delta", {}, training).training
    changes: dict[str, Any] = {
        "learning_rate": _SECOND_RATE * first.learning_rate,
        "n_steps": max(1, round(_SECOND_STEPS * first.n_steps)),
    }
    if first.schedule == "paper":
        changes["schedule"] = "paper_fine_tuning"
    published = None if preset is None else _preset(preset).fine_tuning
    changes |= {k: v for k, v in (published or {}).items() if k not in training}
    if first.needs_fit:
        changes |= {"loss": "coulomb_g", "loss_weights": {}, "loss_switch": None}
    return {**training, **changes}


def setting_names() -> dict[str, list[str]]:
    """Return the names of the fields of ``network`` and ``training``."""
    from scdp_models.nn.config import NetworkConfig
    from scdp_models.training.config import TrainingConfig

    return {
        "network": [one.name for one in fields(NetworkConfig)],
        "training": [one.name for one in fields(TrainingConfig)],
    }


def _preset(name: str) -> Preset:
    from scdp_models.errors import ScdpModelsError
    from scdp_models.nn.presets import find_preset

    try:
        return find_preset(name)
    except ScdpModelsError as error:
        raise SettingsError(f"field preset of the job: {error}") from error
