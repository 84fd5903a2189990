"""Fit densities that are given on grids, whatever program wrote them."""
