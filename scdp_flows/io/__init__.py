"""Read and write densities and structures; needs neither a workflow engine nor torch."""
