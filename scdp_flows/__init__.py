"""Label, train, predict and reuse charge densities as jobflow workflows."""

__version__ = "0.1.0"
