"""Quantum ESPRESSO: labels of crystals, and self-consistency started from a density."""

from scdp_flows.dft.espresso.inputs import EspressoSettings
from scdp_flows.dft.espresso.jobs import EspressoCode

__all__ = ["EspressoCode", "EspressoSettings"]
