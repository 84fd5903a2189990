"""Define the document of a labelled density and the references to its arrays."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from scdp_flows.errors import DensityError
from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.identity import hill_formula, symbols
from scdp_flows.schemas.part import ScdpPart, Vector3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from scdp_flows.density import ChargeDensity

__all__ = ["BlobReference", "DensityDoc", "FitInfo", "GridInfo", "ScfInfo"]


class BlobReference(ScdpPart):
    """Point to bytes that are stored once, under the checksum of their content."""

    key: str = Field(
        pattern="^[0-9a-f]{64}$", description="sha256 of the uncompressed content, hexadecimal."
    )
    size: int = Field(ge=0, description="Size of the uncompressed content in bytes.")
    compression: str = Field(description="Name of the codec that the file is compressed with.")
    media: Literal["arrays", "bytes"] = Field(
        description="'arrays' for a dictionary of named arrays, 'bytes' for anything else."
    )
    names: list[str] = Field(
        default_factory=list, description="Names of the arrays, sorted; empty for bytes."
    )


class GridInfo(ScdpPart):
    """Describe a uniform grid without its values."""

    shape: tuple[int, int, int] = Field(description="Number of voxels along each cell vector.")
    origin: Vector3 = Field(description="Position of voxel (0, 0, 0) in Å, shape (3,).")
    cell: tuple[Vector3, Vector3, Vector3] = Field(
        description="Vectors that span the grid in Å, shape (3, 3), one per row."
    )
    spacing: Vector3 = Field(description="Length of one step along each cell vector in Å.")
    n_points: int = Field(ge=1, description="Number of voxels.")

    @classmethod
    def from_charge_density(cls, density: ChargeDensity) -> Self:
        """Describe the grid of a density."""
        return cls(
            shape=density.shape,
            origin=tuple(density.origin.tolist()),
            cell=tuple(tuple(row) for row in density.cell.tolist()),
            spacing=tuple(float(step) for step in density.spacing),
            n_points=int(density.values.size),
        )


class FitInfo(ScdpPart):
    """Describe how well a few Gaussians stand for a density."""

    basis: str = Field(description="Name of the auxiliary basis and its parameters.")
    n_functions: int = Field(ge=1, description="Number of basis functions.")
    nmae_percent: float | None = Field(
        default=None, ge=0, description="Integral of |fit - label| over the electron count, in %."
    )
    coulomb_error_ha: float = Field(
        description="Coulomb self-energy of (fit - label), (d|d)/2, in Ha."
    )
    residual_charge_e: float = Field(
        description="Electrons of the fit less those of the label, in e."
    )
    spin_coulomb_error_ha: float | None = Field(
        default=None,
        description="The same self-energy for the spin density, None for closed shells.",
    )


class ScfInfo(ScdpPart):
    """Record how a self-consistent calculation went."""

    iterations: int = Field(ge=0, description="Number of SCF iterations.")
    converged: bool = Field(description="Whether the calculation met its thresholds.")
    fock_builds: int = Field(ge=0, description="Number of Fock matrices that were built.")
    cpu_s: float = Field(ge=0, description="Processor time in s, all threads together.")
    wall_s: float = Field(ge=0, description="Elapsed time in s.")
    n_orbitals: int = Field(ge=1, description="Number of atomic orbitals in the basis.")
    grid_level: int | None = Field(
        default=None, description="Level of the integration grid, where the code has one."
    )
    conv_tol_ha: float = Field(gt=0, description="Energy threshold of convergence in Ha.")
    correction: str | None = Field(
        default=None,
        description="What was changed to make it converge, and why; None if nothing.",
    )


class DensityDoc(ScdpDoc):
    """Describe one structure and its density, or why there is none."""

    doc_type: ClassVar[str] = "density"
    id_field: ClassVar[str] = "density_id"

    density_id: str = Field(description="Hash of structure_hash and settings_hash; see make_id.")
    structure_hash: str = Field(description="Hash of atoms, positions, cell, charge and spin.")
    settings_hash: str = Field(description="Hash of everything that defines the calculation.")
    numbers: list[int] = Field(min_length=1, description="Atomic numbers, shape (n_atoms,).")
    positions: list[Vector3] = Field(description="Positions in Å, shape (n_atoms, 3).")
    cell: tuple[Vector3, Vector3, Vector3] | None = Field(
        default=None, description="Cell vectors in Å, shape (3, 3), or None for a molecule."
    )
    pbc: tuple[bool, bool, bool] = Field(
        default=(False, False, False), description="Periodicity along each cell vector, shape (3,)."
    )
    formula: str = Field(description="Formula in Hill order, such as 'C2H6O'.")
    elements: list[str] = Field(description="Chemical symbols that occur, sorted.")
    n_atoms: int = Field(ge=1, description="Number of atoms.")
    charge: int = Field(default=0, description="Total charge in e.")
    spin_multiplicity: int = Field(default=1, ge=1, description="2S + 1.")
    kind: dict[str, Any] = Field(description="What the density is: DensityKind.as_dict().")
    kind_key: str = Field(description="Hash of the kind: DensityKind.key().")
    n_electrons: float | None = Field(
        default=None, description="Number of electrons that the density should hold, in e."
    )
    integral_e: float | None = Field(
        default=None, description="Raw integral of the stored values in e, never rescaled."
    )
    grid: GridInfo | None = Field(default=None, description="Grid of the stored values.")
    blobs: dict[str, BlobReference] = Field(
        default_factory=dict,
        description="Stored arrays by role: 'grid', 'orbital', 'spin', 'density_matrix', ...",
    )
    fit: FitInfo | None = Field(default=None, description="Quality of the fitted density.")
    energy_ev: float | None = Field(default=None, description="Total energy in eV.")
    scf: ScfInfo | None = Field(default=None, description="How the calculation went.")
    tags: list[str] = Field(default_factory=list, description="Free labels for curation.")
    source: str | None = Field(
        default=None, description="File, or dataset and index, that the structure came from."
    )
    status: Literal["ok", "refused"] = Field(
        default="ok", description="'refused' when the structure has no usable density."
    )
    reason: str | None = Field(default=None, description="Why it was refused.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.positions) != len(self.numbers):
            raise ValueError(
                f"{len(self.numbers)} numbers but {len(self.positions)} positions; give one "
                "position per atom"
            )
        if self.density_id != self.make_id(self.structure_hash, self.settings_hash):
            raise ValueError("density_id does not belong to the two hashes; use DensityDoc.make_id")
        if self.status == "refused" and not self.reason:
            raise ValueError("a refused structure needs a reason")
        return self

    @classmethod
    def make_id(cls, structure: str, settings: str) -> str:
        """Return the identifier of a structure's density under given settings.

        Parameters
        ----------
        structure
            The structure hash.
        settings
            The settings hash.

        Returns
        -------
        str
            24 hexadecimal digits.
        """
        return hashlib.sha256((structure + settings).encode()).hexdigest()[:24]

    @classmethod
    def structure_fields(
        cls,
        numbers: ArrayLike,
        positions: ArrayLike,
        *,
        cell: ArrayLike | None = None,
        pbc: Sequence[bool] = (False, False, False),
    ) -> dict[str, Any]:
        """Return the fields that follow from the atoms alone, ready for the constructor.

        Parameters
        ----------
        numbers
            Atomic numbers, shape ``(n_atoms,)``.
        positions
            Positions in Å, shape ``(n_atoms, 3)``.
        cell
            Cell vectors in Å, shape ``(3, 3)``, or None.
        pbc
            Periodicity along each cell vector.

        Raises
        ------
        StructureError
            If a number is not that of an element.
        """
        named = symbols(numbers)
        return {
            "numbers": np.asarray(numbers, dtype=int).tolist(),
            "positions": np.asarray(positions, dtype=float).tolist(),
            "cell": None if cell is None else np.asarray(cell, dtype=float).tolist(),
            "pbc": [bool(flag) for flag in pbc],
            "formula": hill_formula(numbers),
            "elements": sorted(set(named)),
            "n_atoms": len(named),
        }

    @classmethod
    def from_charge_density(
        cls,
        density: ChargeDensity,
        *,
        structure_hash: str,
        settings_hash: str,
        charge: int = 0,
        spin_multiplicity: int = 1,
        source: str | None = None,
    ) -> Self:
        """Describe a density on a grid; energies, fits and tags follow with ``updated``.

        Parameters
        ----------
        density
            The density; its kind must be known.
        structure_hash
            Hash of the structure.
        settings_hash
            Hash of the settings of the calculation, or of the file that was read.
        charge
            Total charge in e.
        spin_multiplicity
            2S + 1.
        source
            File, or dataset and index, that the density came from.

        Raises
        ------
        DensityError
            If the density has no kind.
        """
        if density.kind is None:
            raise DensityError("the density has no kind; give ChargeDensity(kind=DensityKind(...))")
        # The grid of a molecule lies in a box, which is no cell of the molecule.
        cell = density.cell if any(density.pbc) else None
        atoms = cls.structure_fields(density.numbers, density.positions, cell=cell, pbc=density.pbc)
        return cls(
            **atoms,
            density_id=cls.make_id(structure_hash, settings_hash),
            structure_hash=structure_hash,
            settings_hash=settings_hash,
            charge=charge,
            spin_multiplicity=spin_multiplicity,
            kind=density.kind.as_dict(),
            kind_key=density.kind.key(),
            integral_e=density.integral(),
            grid=GridInfo.from_charge_density(density),
            source=source,
        )
