"""Say what plane-wave codes have in common: pseudopotential files, k-points, spin."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from monty.json import MSONable

from scdp_flows.dft.plane_waves.pseudo import file_sha256, read_pseudopotential
from scdp_flows.errors import SettingsError
from scdp_flows.kind import DensityKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scdp_flows.dft.plane_waves.pseudo import Pseudopotential

__all__ = ["PlaneWaveSettings"]

# How to run it, not what is computed.
_NO_PHYSICS = ("command", "diagonalization", "pseudo_dir", "pseudopotentials")


@dataclass(frozen=True)
class PlaneWaveSettings(MSONable):
    """Describe calculations of crystals with plane waves; see the settings of each code.

    Raises
    ------
    SettingsError
        If a value is impossible or a pseudopotential file is missing.
    """

    code: ClassVar[str]
    """Name of the code in documents."""
    program: ClassVar[str]
    """Name of the program in messages."""
    positive: ClassVar[tuple[str, ...]] = ("max_cycle", "charge_tolerance")
    """Fields that must be positive."""

    pseudopotentials: dict[str, str] = field(hash=False)
    """Element → name of its file."""
    pseudo_dir: str = "/usr/share/espresso/pseudo"
    """Folder of the files, made absolute; the default is that of Debian's package
    ``quantum-espresso-data``."""
    sha256: dict[str, str] = field(default_factory=dict, hash=False)
    """Element → SHA-256 of its file; taken from the files where left out, and checked later."""
    kpoints: tuple[int, int, int] = (1, 1, 1)
    """Monkhorst-Pack grid."""
    kshift: tuple[int, int, int] = (0, 0, 0)
    """1 shifts the grid by half a step."""
    smearing: Literal["none", "gaussian", "mp", "mv", "fd"] = "none"
    """Of the occupations; metals need one."""
    spin: Literal["restricted", "unrestricted"] = "restricted"
    """Whether there are two spin densities."""
    starting_magnetization: dict[str, float] = field(default_factory=dict, hash=False)
    """Element → initial spin polarisation, -1 to 1."""
    max_cycle: int = 100
    """Most SCF cycles."""
    forces: bool = False
    """Whether forces are computed."""
    charge_tolerance: float = 1e-3
    """Largest difference of a label's integral from the electron count, electrons."""
    command: str = ""
    """How to start the program, such as ``mpirun -n 4 pw.x``."""

    def __post_init__(self) -> None:
        """Refuse impossible values and take the checksums of files that have none."""
        for name in self.positive:
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} is {getattr(self, name)}; expected a positive number")
        if not self.pseudopotentials:
            raise SettingsError("pseudopotentials is empty; name a file for each element")
        if self.spin not in ("restricted", "unrestricted"):
            raise SettingsError(f"spin is {self.spin!r}; expected restricted or unrestricted")
        if self.spin == "unrestricted" and self.smearing == "none":
            raise SettingsError("two spins with fixed occupations; set a smearing, such as 'mv'")
        for name in ("kpoints", "kshift"):  # JSON knows no tuples
            values = tuple(int(n) for n in getattr(self, name))
            if len(values) != 3 or min(values) < (name == "kpoints"):
                raise SettingsError(f"{name} is {values}; expected three whole numbers")
            object.__setattr__(self, name, values)
        sums = dict(self.sha256)
        # Jobs run in folders of their own, where a relative one would lead nowhere.
        folder = str(Path(self.pseudo_dir).expanduser().absolute())
        object.__setattr__(self, "pseudo_dir", folder)
        for symbol, name in self.pseudopotentials.items():
            if symbol not in sums:
                sums[symbol] = file_sha256(Path(self.pseudo_dir) / name)
        object.__setattr__(self, "sha256", sums)

    @property
    @abstractmethod
    def orbital_cutoff_ry(self) -> float:
        """Cut-off of the orbitals, Rydberg."""

    @property
    @abstractmethod
    def cutoff_ry(self) -> float:
        """Cut-off of the density, Rydberg."""

    @property
    def gamma_only(self) -> bool:
        """Whether orbitals are real, so that one half of the waves says it all."""
        return self.kpoints == (1, 1, 1) and not any(self.kshift)

    @property
    def n_spins(self) -> int:
        """Spin densities in a file."""
        return 1 if self.spin == "restricted" else 2

    def pseudopotential(self, symbol: str) -> Pseudopotential:
        """Return the pseudopotential of an element.

        Raises
        ------
        SettingsError
            If there is none, or its file has changed.
        """
        if symbol not in self.pseudopotentials:
            known = ", ".join(self.pseudopotentials)
            raise SettingsError(
                f"no pseudopotential for {symbol} (there are {known}); add its file"
            )
        path = Path(self.pseudo_dir) / self.pseudopotentials[symbol]
        found, expected = file_sha256(path), self.sha256[symbol]
        if found != expected:
            raise SettingsError(
                f"{path} has SHA-256 {found}, expected {expected}; use the file that the settings "
                "were made with, or make them anew"
            )
        return read_pseudopotential(path)

    def all_pseudopotentials(self, symbols: Iterable[str] | None = None) -> list[Pseudopotential]:
        """Return the pseudopotentials of some elements, by default of all.

        Raises
        ------
        SettingsError
            If one is missing, is for another element, or they are of several functionals.
        """
        wanted = sorted(set(self.pseudopotentials if symbols is None else symbols))
        files = [self.pseudopotential(symbol) for symbol in wanted]
        for symbol, pseudo in zip(wanted, files, strict=True):
            if pseudo.symbol != symbol:
                raise SettingsError(
                    f"{self.pseudopotentials[symbol]} is for {pseudo.symbol}, not for {symbol}"
                )
        if len({pseudo.functional for pseudo in files}) > 1:
            found = ", ".join(f"{pseudo.name}: {pseudo.functional}" for pseudo in files)
            raise SettingsError(f"the functionals differ ({found}); use files of one functional")
        return files

    def kind(self) -> DensityKind:
        """Return which density these settings produce.

        Analytical pseudopotentials have the name of their set, so that a model can be used with
        several codes; others that of their files, with the first digits of the checksums.
        """
        files = self.all_pseudopotentials()
        named = [
            pseudo.name if pseudo.is_gth else f"{pseudo.name}@{self.sha256[pseudo.symbol][:8]}"
            for pseudo in files
        ]
        return DensityKind(
            electrons="valence",
            pseudopotential=",".join(sorted(set(named))),
            functional=files[0].functional,
            basis=f"pw-{self.orbital_cutoff_ry:g}Ry",
            spin=self.spin,
            code=self.code,
        )

    def settings_hash(self) -> str:
        """Return an identifier that is equal for equal settings, 16 hexadecimal digits."""
        values = {name: value for name, value in asdict(self).items() if name not in _NO_PHYSICS}
        text = json.dumps({"code": self.code, **values}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
