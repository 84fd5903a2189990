"""Send flows to a workflow engine, every step to the right kind of worker.

What a step needs is said once, in :mod:`scdp_flows.submission.work`. A :class:`Cluster` says where
that is found, and each engine has a module that writes it in the engine's own words.
"""

from __future__ import annotations

from scdp_flows.submission.cluster import Cluster, Placement
from scdp_flows.submission.placing import place

__all__ = ["Cluster", "Placement", "place"]
