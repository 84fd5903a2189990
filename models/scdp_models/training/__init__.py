"""Training of density networks with Lightning."""
