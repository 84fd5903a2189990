"""PySCF with k-points: labels of crystals, and self-consistency started from a density."""

from scdp_flows.dft.pyscf_crystals.inputs import PyscfCrystalSettings
from scdp_flows.dft.pyscf_crystals.jobs import PyscfCrystalCode

__all__ = ["PyscfCrystalCode", "PyscfCrystalSettings"]
