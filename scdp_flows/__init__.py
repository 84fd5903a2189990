"""Workflows that learn charge densities and restart DFT from them."""

__version__ = "0.1.0"
