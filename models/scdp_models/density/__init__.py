"""Densities as sums of Gaussian shells, and everything in closed form about them."""
