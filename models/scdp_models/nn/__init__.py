"""Equivariant networks from a structure to density coefficients."""
