"""DFT codes: one folder each, behind the interface of ``base``."""
