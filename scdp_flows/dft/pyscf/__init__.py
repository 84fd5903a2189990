"""PySCF: labels of molecules, and self-consistency started from a density."""

from scdp_flows.dft.pyscf.inputs import PyscfSettings
from scdp_flows.dft.pyscf.jobs import PyscfCode

__all__ = ["PyscfCode", "PyscfSettings"]
