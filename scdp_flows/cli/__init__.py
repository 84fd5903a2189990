"""Give the steps of the pipeline to the command line, as ``scdp``."""

from scdp_flows.cli.app import app

__all__ = ["app"]
