"""ABINIT: labels of crystals, and self-consistency started from a density."""

from scdp_flows.dft.abinit.inputs import AbinitSettings
from scdp_flows.dft.abinit.jobs import AbinitCode

__all__ = ["AbinitCode", "AbinitSettings"]
