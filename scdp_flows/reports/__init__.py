"""Turn stored results into figures, tables and one self-contained page."""
