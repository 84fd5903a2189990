"""Predict densities of structures: one file per predictor, behind the protocol of ``base``."""
