"""Describe densities that are offered to the store, and read them in any process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scdp_flows.errors import DensityError, ScdpFlowsError
from scdp_flows.io.base import read_density
from scdp_flows.io.density_names import without_compression
from scdp_flows.io.mp_json import density_from_chgcar_dict
from scdp_flows.io.plausibility import judge
from scdp_flows.io.quantity import Quantity, guess_quantity
from scdp_flows.io.structures import check_structure, structure_from_arrays, structure_hash
from scdp_flows.io.vasp_run import VaspRun, find_output, read_outcar
from scdp_flows.kind import DensityKind
from scdp_flows.schemas.identity import content_hash, symbols

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scdp_flows.density import ChargeDensity

__all__ = ["IngestRules", "Offer", "Prepared", "prepare"]

_REQUIRED = ("electrons", "pseudopotential", "functional", "basis")


@dataclass(frozen=True)
class IngestRules:
    """Say how offers are read and judged."""

    kind: Mapping[str, str] = field(default_factory=dict)
    """Fields of the density kind that win over what the runs say."""
    format: str | None = None
    """Format of the files; None: judged from their content."""
    electrons: Mapping[str, float] | None = None
    """Electrons of a neutral atom by chemical symbol."""
    doubtful: bool = False
    """Whether to take densities that look wrong."""

    def key(self) -> str:
        """Return what identifies these rules; who accepts doubts looks at the same densities."""
        electrons = None if self.electrons is None else dict(self.electrons)
        return content_hash([dict(self.kind), self.format, electrons])[:16]


@dataclass(frozen=True)
class Offer:
    """One density that is offered: a file, a place in one, or a document."""

    name: str
    """Where it came from, for people."""
    fingerprint: str
    """What changes when it changes, known without reading it."""
    path: Path | None = None
    """The file."""
    index: int | None = None
    """Which density of a file that holds several."""
    is_copy: bool = False
    """Whether the file is a scratch copy, to be removed."""
    document: Mapping[str, Any] | None = None
    """What ``Chgcar.as_dict`` gave, in place of a file."""
    run: VaspRun | None = None
    """What the run says of itself; None: read from the folder of the file."""
    error: ScdpFlowsError | None = None
    """Why it cannot be read at all."""


class Prepared(NamedTuple):
    """A density that was read, in the precision of the store."""

    density: ChargeDensity
    structure_hash: str
    settings_hash: str
    n_electrons: float | None
    doubts: list[str]
    labels: list[str]
    """Labels that the run gives, such as its pseudopotentials."""


def prepare(offer: Offer, rules: IngestRules) -> Prepared | ScdpFlowsError:
    """Read and judge what is offered; errors are returned, since they cross processes."""
    try:
        return _prepare(offer, rules)
    except ScdpFlowsError as error:
        return error


def _prepare(offer: Offer, rules: IngestRules) -> Prepared:
    """Read, identify and judge a density."""
    run = _run_of(offer)
    density = _load(offer, rules)
    density = replace(density, kind=_kind(rules, run, density, offer.name))
    expected = _expected(density, rules, run, offer.name)
    # Double precision is judged, single is stored.
    quantity = Quantity.DENSITY if offer.path is None else guess_quantity(offer.path)
    verdict = judge(density, quantity=quantity, n_electrons=expected)
    cell = density.cell if any(density.pbc) else None
    structure = structure_from_arrays(density.numbers, density.positions, cell, density.pbc)
    check_structure(structure)
    stored = _in_single_precision(density)
    content = [density.kind.key() if density.kind else "", *_digests(stored)]
    labels = sorted({f"potcar:{title}" for title in (run.potcars if run else ())})
    return Prepared(
        stored,
        structure_hash(structure),
        content_hash(content)[:16],
        expected,
        list(verdict.reasons),
        labels,
    )


def _in_single_precision(density: ChargeDensity) -> ChargeDensity:
    """Return what is stored."""
    moments, vector = density.magnetization, density.magnetization_vector
    return replace(
        density,
        values=np.ascontiguousarray(density.values, dtype=np.float32),
        magnetization=None if moments is None else moments.astype(np.float32),
        magnetization_vector=None if vector is None else vector.astype(np.float32),
    )


def _digests(density: ChargeDensity) -> Iterator[str]:
    """Yield what identifies the values; both orders of an antiferromagnet have the same density."""
    for grid in (density.values, density.magnetization, density.magnetization_vector):
        if grid is not None:
            yield hashlib.sha256(np.ascontiguousarray(grid).tobytes()).hexdigest()


def _load(offer: Offer, rules: IngestRules) -> ChargeDensity:
    if offer.error is not None:
        raise offer.error
    if offer.document is not None:
        return density_from_chgcar_dict(offer.document, source=offer.name)
    if offer.path is None:
        raise DensityError(f"{offer.name}: neither a file nor a document; nothing to read")
    return read_density(offer.path, format=rules.format, index=offer.index)


def _run_of(offer: Offer) -> VaspRun | None:
    """Return what the run says, which VASP's OUTCAR beside the density tells."""
    if offer.run is not None or offer.path is None:
        return offer.run
    name = without_compression(offer.path.name)
    # The density CHGCAR.relax1 has its log in OUTCAR.relax1, where there are several.
    end = name.removeprefix("CHGCAR") if name.startswith("CHGCAR.") else ""
    logs = (find_output(offer.path.parent, f"OUTCAR{each}") for each in (end, ""))
    outcar = next(filter(None, logs), None)
    if outcar is None or "CHGCAR" not in name.upper():
        return None
    try:
        return read_outcar(outcar)
    except ScdpFlowsError:
        # A damaged log says nothing against the density; the kind must be given then.
        return None


def _kind(
    rules: IngestRules, run: VaspRun | None, density: ChargeDensity, name: str
) -> DensityKind:
    """Put together what the file, the run and the rules say; what is given wins."""
    is_paired = density.magnetization is None and density.magnetization_vector is None
    spin = "restricted" if is_paired else "unrestricted"
    told = {"electrons": "valence", "spin": spin}
    fields = {**told, **(run.kind() if run else {}), **rules.kind}
    missing = [field for field in _REQUIRED if field not in fields]
    if missing:
        raise DensityError(
            f"{name}: what the density is cannot be told from its folder: {', '.join(missing)} "
            "missing; give them as kind, for instance functional=PBE"
        )
    return DensityKind.from_dict(fields)


def _expected(
    density: ChargeDensity, rules: IngestRules, run: VaspRun | None, name: str
) -> float | None:
    """Return the number of electrons that the run says, or neutral atoms have."""
    if rules.electrons is None:
        return run.n_electrons if run else None
    named = symbols(density.numbers)
    unknown = sorted(set(named) - set(rules.electrons))
    if unknown:
        raise DensityError(
            f"{name}: the field electrons says nothing of {', '.join(unknown)}; add the number "
            "of electrons of that atom"
        )
    return sum(rules.electrons[symbol] for symbol in named)
