"""Gaussian basis sets in which densities are expanded."""
