"""The SCDP charge-density models: arrays in, orbital densities out."""
