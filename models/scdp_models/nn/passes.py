"""How many structures go through a network together: as many as fit into the memory allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_models.errors import GraphError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scdp_models.graph import AtomGraph
    from scdp_models.nn.config import NetworkConfig

__all__ = ["DEFAULT_MEMORY", "passes", "prediction_bytes"]

DEFAULT_MEMORY = 128 * 2**20
"""Bytes of one pass where nothing is asked for: larger ones are no faster on a CPU."""


def prediction_bytes(config: NetworkConfig, graph: AtomGraph, *, itemsize: int = 4) -> int:
    """Estimate what a prediction needs beside the weights, within a factor of two.

    Counted are the arrays that live at once where most do, without gradients and on a CPU. On a
    GPU eSCN trunks take the features of the ends of all edges at once, and need several times more.

    Parameters
    ----------
    config
        Hyper-parameters of the network.
    graph
        One structure or a batch.
    itemsize
        Bytes of a number.
    """
    count = _compact_numbers if config.trunk == "compact" else _escn_numbers
    return itemsize * count(config, graph.n_nodes, len(graph.source))


def _compact_numbers(config: NetworkConfig, n_nodes: int, n_edges: int) -> int:
    """Count three grids per edge, and the filters they are made of."""
    from scdp_models.nn.sphere import n_points

    size, points = (config.lmax + 1) ** 2, n_points(config.lmax)
    channels = config.n_channels
    per_edge = channels * (3 * points + size) + 2 * size + 3 * config.radial_hidden
    per_node = channels * (3 * points + (config.n_layers + 2) * size)
    return per_edge * n_edges + per_node * n_nodes


def _escn_numbers(config: NetworkConfig, n_nodes: int, n_edges: int) -> int:
    """Count matrices and hidden values per edge, and hidden components per node."""
    from scdp_models.nn.escn.wigner import order_slices

    size, parts = (config.lmax + 1) ** 2, 2 if config.legacy else 1
    rows: int = order_slices(config.lmax, config.mmax)[-1].stop
    orders = range(1, config.mmax + 1)
    turned = config.n_hidden * (1 + 2 * parts * config.mmax)
    gaussians = int(config.cutoff / config.distance_spacing)
    per_edge = 2 * rows * size + gaussians + turned + 4 * config.edge_channels
    columns = size + sum(parts * (size - m * m) for m in orders)
    per_node = 2 * config.n_hidden * columns + 4 * size * config.n_channels
    # Second matrices side by side, and what is done for some hundred edges at a time.
    widths = config.lmax + 1 + sum(parts * (config.lmax + 1 - m) for m in orders)
    fixed = 2 * widths * config.n_channels * config.n_hidden
    at_once = min(n_edges, 300) * (5 * turned + 2 * rows * config.n_channels)
    return per_edge * n_edges + per_node * n_nodes + fixed + at_once


def passes(
    graphs: Iterable[AtomGraph],
    config: NetworkConfig,
    *,
    itemsize: int = 4,
    memory: int | None = None,
) -> Iterator[list[AtomGraph]]:
    """Cut a sequence of structures into parts that fit into memory, taking them one by one.

    Parameters
    ----------
    graphs
        Structures.
    config, itemsize
        As in :func:`prediction_bytes`.
    memory
        Bytes that a part may need. None: parts of :data:`DEFAULT_MEMORY`, and single structures
        however large.

    Raises
    ------
    GraphError
        If one structure alone needs more than the memory given.
    """
    part: list[AtomGraph] = []
    held = 0
    for graph in graphs:
        wanted = prediction_bytes(config, graph, itemsize=itemsize)
        if memory is not None and wanted > memory:
            msg = (
                f"a structure of {graph.n_nodes} centres and {len(graph.source)} edges needs about "
                f"{wanted / 2**20:.0f} MiB and {memory / 2**20:.0f} MiB are allowed; allow more, "
                "or use a smaller network or cell"
            )
            raise GraphError(msg)
        if part and held + wanted > (DEFAULT_MEMORY if memory is None else memory):
            yield part
            part, held = [], 0
        part.append(graph)
        held += wanted
    if part:
        yield part
