"""Equivariant models of the electron density in Gaussian basis sets."""
