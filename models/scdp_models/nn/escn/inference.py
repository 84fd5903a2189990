"""Messages without gradients: the arithmetic of the layers in an order that costs least.

Three things are exact and make it quick. The first matrices of the SO(2) layers are applied to the
features of the nodes, before these are turned into the frames of their edges: many edges share a
node, and only |m| <= mmax is wanted of the frame. What one node turns into, and what one node
receives, is one matrix product. And everything between is done for some hundred edges at a time,
components before edges before channels, so that it stays in the caches and grids are plain matrix
products.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from scdp_models.nn.escn.wigner import order_slices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_models.nn.escn.config import EscnConfig
    from scdp_models.nn.escn.edges import EdgeData
    from scdp_models.nn.escn.layers import MessageBlock

__all__ = ["MessagePlan", "planned", "quick_messages", "runs_quickly"]

# So many edges have matrix products at full speed, and their values fit in the caches.
_EDGES_AT_ONCE = 256


class _End(NamedTuple):
    """Edges sorted by the node at one of their ends.

    ``slices``: which belong to each node; ``rows``: for each order m the rows +m and -m of the
    Wigner matrices, all degrees side by side, ``(n_edges, 1 or 2, (lmax + 1)^2 - m^2)``.
    """

    slices: list[slice]
    rows: list[torch.Tensor]


class MessagePlan(NamedTuple):
    """What the edges of a graph have in common for all layers.

    ``source``, ``target``: edges at both ends, sorted by that node; ``places`` ``(n_edges,)``:
    where the edges, sorted by target, are among those sorted by source; ``back``
    ``(n_rows n_edges, (lmax + 1)^2)``: Wigner matrices, for each target row after row; ``chunks``:
    ranges of targets to take at once.
    """

    source: _End
    target: _End
    places: torch.Tensor
    back: torch.Tensor
    chunks: list[range]


def _slices(nodes: torch.Tensor, n_nodes: int) -> list[slice]:
    ends = torch.bincount(nodes, minlength=n_nodes).cumsum(0).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _collapsed(wigner: torch.Tensor, slices: Sequence[slice]) -> list[torch.Tensor]:
    """Sum the rows of one order, each of which is zero outside its own degree."""
    rows = []
    for m, part in enumerate(slices):
        own = wigner[:, part].unflatten(1, (2 if m else 1, -1)).sum(2)
        rows.append(own[:, :, m * m :].contiguous())
    return rows


def _chunks(slices: Sequence[slice]) -> list[range]:
    """Put nodes together until they have enough edges."""
    chunks, start = [], 0
    for node, part in enumerate(slices):
        if part.stop - slices[start].start >= _EDGES_AT_ONCE or node + 1 == len(slices):
            chunks.append(range(start, node + 1))
            start = node + 1
    return chunks


def runs_quickly(tensor: torch.Tensor) -> bool:
    """Tell whether messages are computed here: on a CPU, in full precision, without gradients."""
    gradients = torch.is_grad_enabled() or torch.is_autocast_enabled("cpu")
    return tensor.device.type == "cpu" and not gradients


def planned(edges: EdgeData, n_nodes: int, config: EscnConfig) -> EdgeData:
    """Sort the edges of a graph by target, and prepare what all layers have in common."""
    edges = edges.permuted(torch.argsort(edges.target, stable=True))
    slices = order_slices(config.lmax, config.mmax)
    by_source = torch.argsort(edges.source, stable=True)
    rows = _collapsed(edges.wigner, slices)
    target = _End(_slices(edges.target, n_nodes), rows)
    source = _End(_slices(edges.source, n_nodes), [row[by_source] for row in rows])
    wigner = edges.wigner
    if edges.strength is not None:
        wigner = wigner * edges.strength[:, None, None]
    back = torch.cat([wigner[part].transpose(0, 1).flatten(0, 1) for part in target.slices])
    places = torch.argsort(by_source)
    plan = MessagePlan(source, target, places, back, _chunks(target.slices))
    return edges._replace(wigner=wigner[:0], plan=plan)


def _node_features(first: Sequence[Sequence[torch.Tensor]], x: torch.Tensor) -> list[torch.Tensor]:
    """Apply the first matrices of all orders to ``((lmax + 1)^2, n_nodes, n_channels)``.

    Returns
    -------
    list of torch.Tensor
        For each order m, ``((lmax + 1)^2 - m^2, n_nodes, width)``; the width is that of all its
        matrices together.
    """
    size, n_nodes, channels = x.shape
    found = []
    for m, weights in enumerate(first):
        hidden, width = weights[0].shape
        out = x.new_empty(size - m * m, n_nodes, hidden * len(weights))
        for part, weight in enumerate(weights):
            columns = slice(part * hidden, (part + 1) * hidden)
            for l in range(m, m + width // channels):
                own = weight[:, (l - m) * channels : (l - m + 1) * channels]
                into = out[l * l - m * m : (l + 1) ** 2 - m * m].flatten(0, 1)[:, columns]
                torch.mm(x[l * l : (l + 1) ** 2].flatten(0, 1), own.T, out=into)
        found.append(out)
    return found


def _turned(features: Sequence[torch.Tensor], end: _End, nodes: range) -> list[torch.Tensor]:
    """Turn the features of some nodes into the frames of their edges.

    Returns
    -------
    list of torch.Tensor
        For each order, ``(n_edges, 1 or 2, width)``.
    """
    first, last = end.slices[nodes.start].start, end.slices[nodes.stop - 1].stop
    found = []
    for rows, own in zip(end.rows, features, strict=True):
        out = own.new_empty(last - first, rows.shape[1], own.shape[2])
        for node in nodes:
            part = end.slices[node]
            into = out[part.start - first : part.stop - first].flatten(0, 1)
            torch.mm(rows[part].flatten(0, 1), own[:, node], out=into)
        found.append(out)
    return found


def _gate(turned: torch.Tensor, gates: torch.Tensor, *, imaginary: bool, out: torch.Tensor) -> None:
    """Write gated features, ``(n_edges, 1 or 2, width)``, to ``(1 or 2, n_edges, width)``.

    Of the complex product y+ = F_r(x+) - F_i(x-), y- = F_r(x-) + F_i(x+) the imaginary parts are
    put where they are needed, with their signs, so that the second matrices are one.
    """
    hidden = gates.shape[1] // (2 if imaginary else 1)
    for sign in range(len(out)):
        torch.mul(turned[:, sign, :hidden], gates[:, :hidden], out=out[sign, :, :hidden])
    if imaginary:
        gate = gates[:, hidden:]
        torch.mul(turned[:, 1, hidden:], -gate, out=out[0, :, hidden:])
        torch.mul(turned[:, 0, hidden:], gate, out=out[1, :, hidden:])


class _Layer:
    """The messages of one layer.

    Parameters
    ----------
    block
        Holds the weights.
    x
        Node features, ``(n_nodes, n_channels, (lmax + 1)^2)``.
    edges, plan
        Edges sorted by target.
    """

    def __init__(
        self, block: MessageBlock, x: torch.Tensor, edges: EdgeData, plan: MessagePlan
    ) -> None:
        self.block, self.plan = block, plan
        self.sides = (block.so2_block_source, block.so2_block_target)
        self.x_edge = block.edge_block(edges)
        components = x.permute(2, 0, 1).contiguous()
        ends = [_node_features(side.first_weights(), components) for side in self.sides]
        self.sent = _turned(ends[0], plan.source, range(len(x)))
        self.held = ends[1]
        # For each order (degrees, channels, hidden of both ends).
        both = zip(*(side.second_weights() for side in self.sides), strict=True)
        self.second = [torch.cat([*a, *b], dim=1).unflatten(0, (-1, x.shape[1])) for a, b in both]
        self.slices = self.sides[0].slices

    def hidden(self, nodes: range, edges: slice) -> list[torch.Tensor]:
        """Return what the second matrices act on, for each order ``(1 or 2, n_edges, hidden)``."""
        x_edge = self.x_edge[edges]
        sent = [own[self.plan.places[edges]] for own in self.sent]
        held = _turned(self.held, self.plan.target, nodes)
        gates = [side.gates(x_edge) for side in self.sides]
        found = []
        for m, second in enumerate(self.second):
            out = x_edge.new_empty(2 if m else 1, len(x_edge), second.shape[2])
            for turned, gate, part in zip((sent, held), gates, out.chunk(2, dim=2), strict=True):
                imaginary = m > 0 and self.sides[0].imaginary
                _gate(turned[m], gate[m], imaginary=imaginary, out=part)
            found.append(out)
        return found

    def mixed(self, nodes: range, edges: slice) -> torch.Tensor:
        """Return what the SO(2) layers make of some edges, ``(n_rows, n_edges, n_channels)``."""
        hidden = self.hidden(nodes, edges)
        n_edges, channels = hidden[0].shape[1], self.second[0].shape[1]
        out = hidden[0].new_empty(self.slices[-1].stop, n_edges, channels)
        for part, own, second in zip(self.slices, hidden, self.second, strict=True):
            into = out[part].unflatten(0, (len(own), -1))
            for sign, values in enumerate(own):
                expanded = values.expand(len(second), -1, -1)
                torch.bmm(expanded, second.transpose(1, 2), out=into[sign])
        return out


def quick_messages(
    block: MessageBlock, x: torch.Tensor, edges: EdgeData, plan: MessagePlan
) -> torch.Tensor:
    """Return what `block` returns, ``(n_nodes, n_channels, (lmax + 1)^2)``, without gradients.

    Parameters
    ----------
    block, x, edges
        As in :class:`~scdp_models.nn.escn.layers.MessageBlock`.
    plan
        From :func:`planned`.
    """
    out = x.new_zeros(len(x), x.shape[2], x.shape[1])
    layer = _Layer(block, x, edges, plan)
    n_rows = layer.slices[-1].stop
    for nodes in plan.chunks:
        first = plan.target.slices[nodes.start].start
        own = slice(first, plan.target.slices[nodes.stop - 1].stop)
        mixed = layer.mixed(nodes, own)
        for node in nodes:
            part = plan.target.slices[node]
            received = block.activation.quick(mixed[:, part.start - first : part.stop - first])
            back = plan.back[n_rows * part.start : n_rows * part.stop]
            torch.mm(back.T, received.flatten(0, 1), out=out[node])
    return out.transpose(1, 2)
