"""Provide the steps of the pipeline: one Maker each, which names no DFT code and no predictor."""
