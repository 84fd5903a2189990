"""What the plane-wave codes have in common: pseudopotentials, waves, symmetry, fits, starts."""
