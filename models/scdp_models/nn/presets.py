"""Named settings: the paper's models by the names of its table, and smaller ones for CPUs.

A name such as ``K8L6-b1.3-vo-sf`` reads: 8 layers, degrees up to 6, even-tempered ratio 1.3,
virtual orbitals on bond midpoints, exponent scaling learnt in a second stage (Fu et al., NeurIPS
2024, table 1; hyper-parameters from its appendix and published configuration).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from scdp_models.errors import CheckpointError
from scdp_models.nn.config import NetworkConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PRESETS", "Preset", "find_preset"]


@dataclass(frozen=True)
class Preset:
    """Settings of basis, network and training that belong together.

    Attributes
    ----------
    basis
        Text that :func:`scdp_models.basis.named.basis_from_spec` understands.
    network
        Hyper-parameters of the network.
    training
        Fields of :class:`scdp_models.training.config.TrainingConfig`.
    fine_tuning
        The same of a second stage, which starts from the averaged weights of the first and learns
        the scaling of exponents too; None where there is none.
    note
        What differs from the publication.
    """

    basis: str
    network: NetworkConfig
    training: Mapping[str, Any] = field(hash=False)
    fine_tuning: Mapping[str, Any] | None = field(default=None, hash=False)
    note: str = ""

    def second_stage(self) -> NetworkConfig:
        """Return the network of the second stage: the same, with scaled exponents."""
        return replace(self.network, scale_exponents=True)

    def legacy(self) -> Preset:
        """Return the same with the published arithmetic, defects included.

        Raises
        ------
        CheckpointError
            If the trunk is not the published one.
        """
        network = replace(
            self.network,
            mode="legacy",
            activation="s2",
            readout="tensor_product",
            project_charge=False,
        )
        return replace(self, network=network)


_ESCN = NetworkConfig(
    trunk="escn",
    target="total",
    readout="tensor_product",
    n_channels=128,
    n_hidden=256,
    edge_channels=128,
    cutoff=6.0,
)
# Batches of 4 on each of 4 devices.
_PAPER: dict[str, Any] = {
    "loss": "grid_mae",
    "schedule": "paper",
    "learning_rate": 1e-3,
    "betas": (0.9, 0.999),
    "gradient_clip": 0.5,
    "ema_decay": 0.995,
    "batch_size": 16,
    "n_steps": 500_000,
}
_SECOND: dict[str, Any] = {
    **_PAPER,
    "schedule": "paper_fine_tuning",
    "learning_rate": 2e-5,
    "n_steps": 300_000,
    "patience": 20,
}
_PROBES, _PROBES_WITH_MIDPOINTS = 100_000, 60_000


def _published(size: tuple[int, int], beta: str, *, midpoints: bool, scaled: bool) -> Preset:
    n_layers, lmax = size
    probes = {"n_probes": _PROBES_WITH_MIDPOINTS if midpoints else _PROBES}
    return Preset(
        basis=f"etb-{beta}{'+o' if midpoints else ''}",
        network=replace(_ESCN, n_layers=n_layers, lmax=lmax),
        training={**_PAPER, **probes},
        fine_tuning={**_SECOND, **probes} if scaled else None,
    )


def _table() -> dict[str, Preset]:
    """Return the rows of the paper's table 1."""
    rows = {}
    sizes = [((4, 3), "2.0", False), ((8, 6), "2.0", False), ((8, 6), "1.5", False)]
    sizes += [((8, 6), beta, True) for beta in ("2.0", "1.5", "1.3")]
    for size, beta, midpoints in sizes:
        for scaled in (False, True):
            suffix = ("-vo" if midpoints else "") + ("-sf" if scaled else "")
            name = f"K{size[0]}L{size[1]}-b{beta}{suffix}"
            rows[name] = _published(size, beta, midpoints=midpoints, scaled=scaled)
    return rows


def _other_data() -> dict[str, Preset]:
    """Return the paper's settings for its MD and Cubic data sets."""
    md, cubic = {"n_probes": 125_000}, {"n_probes": 25_000}
    return {
        "md": Preset(
            basis="etb-1.5+o",
            network=replace(_ESCN, n_layers=4, lmax=3),
            training={**_PAPER, **md, "n_steps": 250_000},
            fine_tuning={**_SECOND, **md, "n_steps": 50_000},
        ),
        "cubic": Preset(
            basis="etb-1.5+o",
            network=replace(_ESCN, n_layers=8, lmax=4),
            training={**_PAPER, **cubic},
            note=(
                "published with a basis from def2-universal-JKFIT, virtual nodes from Voronoi "
                "vertices and functions that end at 4 Å; here def2-QZVPPD, bond midpoints, no end"
            ),
        ),
    }


def _small() -> dict[str, Preset]:
    """Return settings that train in minutes to hours on a CPU."""
    coulomb = {"loss": "coulomb", "schedule": "linear"}
    escn = NetworkConfig(
        trunk="escn",
        n_layers=2,
        lmax=4,
        n_channels=32,
        n_hidden=64,
        edge_channels=32,
        cutoff=5.0,
        readout="linear",
    )
    return {
        "small": Preset(basis="lean", network=NetworkConfig(), training=coulomb),
        "small-vo": Preset(basis="lean-l13+small", network=NetworkConfig(), training=coulomb),
        "small-escn": Preset(
            basis="lean", network=escn, training={**coulomb, "learning_rate": 2e-3}
        ),
    }


PRESETS: Mapping[str, Preset] = {
    **_table(),
    **_other_data(),
    **_small(),
    "recommended": _small()["small"],
}
"""Name → settings. ``recommended`` is what did best at equal cost in our comparisons."""


def find_preset(name: str) -> Preset:
    """Return a preset; upper and lower case are the same.

    Raises
    ------
    CheckpointError
        If there is none of this name; the message lists what there is, closest first.

    Examples
    --------
    >>> find_preset("K8L6-b1.3-vo-sf").basis
    'etb-1.3+o'
    """
    known = {key.casefold(): key for key in PRESETS}
    wanted = name.strip().casefold()
    if wanted not in known:
        close = [known[key] for key in get_close_matches(wanted, known, n=3)]
        others = [key for key in PRESETS if key not in close]
        msg = f"no preset {name!r}; there are: {', '.join([*close, *others])}"
        raise CheckpointError(msg)
    return PRESETS[known[wanted]]
