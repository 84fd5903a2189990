"""Start VASP from given densities: folders, input sets, audit."""
