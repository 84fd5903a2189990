"""Take densities that other programs have written into the store."""

from __future__ import annotations

import glob
import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jobflow import job

from scdp_flows.errors import DatasetError, DensityError, ScdpFlowsError, StoreError
from scdp_flows.io.base import read_density
from scdp_flows.io.plausibility import check_plausible
from scdp_flows.io.structures import check_structure, structure_from_arrays, structure_hash
from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.batches import raise_first
from scdp_flows.kind import DensityKind
from scdp_flows.progress import track
from scdp_flows.schemas.density import DensityDoc
from scdp_flows.schemas.identity import content_hash, symbols
from scdp_flows.schemas.outputs import LabelOutput, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.density import ChargeDensity
    from scdp_flows.stores.densities import DensityStore

__all__ = ["IngestMaker"]

_NOUN = "files"


@dataclass(kw_only=True)
class IngestMaker(StepMaker):
    """Make the job that reads files of densities into the store.

    A file that was read before, also under another name or compressed, is recognised by its
    content. What cannot be a density of its atoms is refused.
    """

    name: str = "ingest"
    kind: dict[str, str]
    """What the densities are, as :meth:`scdp_flows.kind.DensityKind.as_dict` writes it."""
    format: str | None = None
    """Format of the files; None: judged from their content."""
    electrons: dict[str, float] | None = None
    """Electrons of a neutral atom by chemical symbol; given, the integral must agree with it."""
    doubtful: bool = False
    """Whether to take densities that look wrong; see
    :func:`scdp_flows.io.plausibility.check_plausible`."""

    @job(output_schema=LabelOutput)
    def make(self, files: Sequence[str], tags: Sequence[str] = ()) -> LabelOutput:
        """Ingest files.

        Parameters
        ----------
        files
            Paths, or patterns such as ``"runs/*/CHGCAR.gz"``.
        tags
            Free labels that the documents get.

        Raises
        ------
        DatasetError
            If a pattern matches no file.
        ScdpFlowsError
            If not a single file could be taken; otherwise the output lists those.
        StoreError
            If the store cannot be written.
        """
        paths = find_files(files)
        kind = DensityKind.from_dict(self.kind)
        start = time.monotonic()
        found: dict[str, bool] = {}
        errors: dict[int, ScdpFlowsError] = {}
        with self.open_stores() as stores:
            for index, path in track(enumerate(paths), "ingest", total=len(paths)):
                try:
                    density = self._read(path, kind)
                    doc, is_new = self._store(density, path, list(tags), stores.densities)
                except StoreError:
                    raise
                except ScdpFlowsError as error:
                    errors[index] = error
                else:
                    found[doc.density_id] = is_new or found.get(doc.density_id, False)
        if not found:
            raise_first(errors, "ingested", noun=_NOUN)
        return LabelOutput(
            density_ids=list(found),
            failed=[Refusal.from_error(i, str(paths[i]), e) for i, e in sorted(errors.items())],
            n_items=len(paths),
            n_new=sum(found.values()),
            n_reused=len(found) - sum(found.values()),
            seconds=time.monotonic() - start,
        )

    def _read(self, path: Path, kind: DensityKind) -> ChargeDensity:
        """Read a density and refuse what cannot be one."""
        density = replace(read_density(path, format=self.format), kind=kind)
        doubts = check_plausible(density, n_electrons=self._expected(density, path))
        if doubts and not self.doubtful:
            raise DensityError(
                f"{path}: {'; '.join(doubts)}; check what the file is, or take it nonetheless with "
                "doubtful=True"
            )
        return density

    def _expected(self, density: ChargeDensity, path: Path) -> float | None:
        """Return the number of electrons that neutral atoms have."""
        if self.electrons is None:
            return None
        named = symbols(density.numbers)
        unknown = sorted(set(named) - set(self.electrons))
        if unknown:
            raise DensityError(
                f"{path}: the field electrons says nothing of {', '.join(unknown)}; add the number "
                "of electrons of that atom"
            )
        return sum(self.electrons[symbol] for symbol in named)

    def _store(
        self, density: ChargeDensity, path: Path, tags: list[str], densities: DensityStore
    ) -> tuple[DensityDoc, bool]:
        """Store a density; return its document and whether it is new."""
        cell = density.cell if any(density.pbc) else None
        structure = structure_from_arrays(density.numbers, density.positions, cell, density.pbc)
        check_structure(structure)
        values = np.ascontiguousarray(density.values, dtype=np.float32)
        digest = hashlib.sha256(values.tobytes()).hexdigest()
        content = [density.kind.key() if density.kind else "", digest]
        found, settings = structure_hash(structure), content_hash(content)[:16]
        known = densities.find(structure_hash=found, settings_hash=settings)
        if known is not None:
            if not set(tags) <= set(known.tags):
                known = densities.put(known.updated(tags=sorted({*known.tags, *tags})))
            return known, False
        moments = density.magnetization
        stored = replace(
            density,
            values=values,
            magnetization=None if moments is None else moments.astype(np.float32),
        )
        doc = DensityDoc.from_charge_density(
            stored, structure_hash=found, settings_hash=settings, source=path.name
        ).updated(tags=sorted(set(tags)), n_electrons=self._expected(density, path))
        return densities.put(doc, {"grid": stored.to_arrays()}), True


def find_files(patterns: Sequence[str]) -> list[Path]:
    """Return the files that paths and patterns name, each once.

    Raises
    ------
    DatasetError
        If there is no pattern, or one matches no file.
    """
    if not patterns:
        raise DatasetError("there are no files to ingest; give at least one path or pattern")
    found: dict[Path, None] = {}
    for pattern in patterns:
        plain = Path(pattern).expanduser()
        # A name with brackets is a pattern only where no such file exists.
        matches = [plain] if plain.exists() else [Path(p) for p in glob.glob(str(plain))]  # noqa: PTH207
        if not matches:
            raise DatasetError(f"{pattern!r} matches no file; correct the path or the pattern")
        found |= dict.fromkeys(path.absolute() for path in sorted(matches))
    return list(found)
