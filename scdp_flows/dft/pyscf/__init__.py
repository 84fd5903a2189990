"""PySCF: labels of molecules, and self-consistency started from a density."""
