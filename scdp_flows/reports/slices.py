"""Cut densities along a plane of the molecule and draw them with their errors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.errors import DensityError
from scdp_flows.reports.style import MUTED, new_figure
from scdp_flows.schemas.identity import symbols

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from numpy.typing import ArrayLike, NDArray

    from scdp_flows.density import ChargeDensity

__all__ = ["Plane", "molecular_plane", "sample_plane", "slice_figure"]

_MARGIN = 1.6
_STEP = 0.04
# Atoms nearer to the plane than that are drawn as lying in it.
_IN_PLANE = 0.4
_CONTOURS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
# The scale of an error map covers all but the largest values, which sit on a few points.
_SCALE_QUANTILE = 0.998
_ROUND_STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 20)
_MAX_COLUMNS = 4
_WIDTH = 9.2


@dataclass(frozen=True, eq=False)
class Plane:
    """Describe a rectangle in space, with a regular grid of points on it."""

    corner: NDArray[np.float64]
    """Position of the first point (3,), Å."""
    axes: NDArray[np.float64]
    """Two orthonormal vectors (2, 3) that span the plane."""
    shape: tuple[int, int]
    """Number of points along each of them."""
    step: float
    """Distance of neighbouring points in Å."""

    @property
    def extent(self) -> tuple[float, float]:
        """The lengths of the two sides in Å."""
        return (self.shape[0] - 1) * self.step, (self.shape[1] - 1) * self.step

    def points(self) -> NDArray[np.float64]:
        """Return the points, (n1, n2, 3), Å."""
        first, second = (np.arange(n) * self.step for n in self.shape)
        offsets = first[:, None, None] * self.axes[0] + second[None, :, None] * self.axes[1]
        places: NDArray[np.float64] = self.corner + offsets
        return places

    def project(self, positions: ArrayLike) -> NDArray[np.float64]:
        """Return two coordinates in the plane and the height above it, (n, 3), Å."""
        normal = np.cross(self.axes[0], self.axes[1])
        frame = np.vstack([self.axes, normal])
        projected: NDArray[np.float64] = (np.asarray(positions, float) - self.corner) @ frame.T
        return projected


def molecular_plane(numbers: ArrayLike, positions: ArrayLike, *, step: float = _STEP) -> Plane:
    """Return the plane that lies closest to the heavy atoms, wide enough for the whole molecule.

    With fewer than three heavy atoms hydrogen counts too. The longer side of the molecule comes
    first. Linear molecules and atoms get one of the planes that hold them.

    Parameters
    ----------
    numbers
        Atomic numbers (n_atoms,).
    positions
        Positions (n_atoms, 3), Å.
    step
        Distance of neighbouring points in Å.
    """
    places = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    heavy = places[np.asarray(numbers) > 1]
    chosen = heavy if len(heavy) > 2 else places
    centre = chosen.mean(axis=0)
    # The right singular vectors come by falling spread; the third is the normal.
    axes = np.linalg.svd(chosen - centre, full_matrices=True)[2][:2]
    flat = (places - centre) @ axes.T
    low, high = flat.min(axis=0) - _MARGIN, flat.max(axis=0) + _MARGIN
    n1, n2 = (int(np.ceil(length / step)) + 1 for length in high - low)
    return Plane(centre + low @ axes, axes, (n1, n2), step)


def sample_plane(density: ChargeDensity, plane: Plane) -> NDArray[np.float64]:
    """Interpolate a density on a plane with cubic splines.

    Parameters
    ----------
    density
        Density on a grid; outside of it the nearest value holds, or the next cell if periodic.
    plane
        Where to look.

    Returns
    -------
    numpy.ndarray
        Shape of the plane, e/Å^3.
    """
    from scipy.ndimage import map_coordinates

    fractional = (plane.points() - density.origin) @ np.linalg.inv(density.cell)
    voxels = np.moveaxis(fractional * density.shape, -1, 0)
    mode = "grid-wrap" if any(density.pbc) else "nearest"
    values = np.asarray(density.values, dtype=np.float64)
    sampled: NDArray[np.float64] = map_coordinates(values, voxels, order=3, mode=mode)
    return sampled


def slice_figure(
    label: ChargeDensity,
    predictions: Mapping[str, NDArray[np.floating]],
    *,
    magnified: Sequence[str],
) -> Figure:
    """Draw a label and the signed errors of predictions along the plane of the molecule.

    Parameters
    ----------
    label
        The density that is right.
    predictions
        By name, the predicted values on the grid of the label, in e/Å^3. Their errors share the
        colour scale of the first.
    magnified
        Names whose error is drawn a second time, on one colour scale of their own.

    Raises
    ------
    DensityError
        If a prediction does not have the shape of the label.
    """
    plane = molecular_plane(label.numbers, label.positions)
    density = sample_plane(label, plane)
    errors = {
        name: sample_plane(_error(label, values, name), plane)
        for name, values in predictions.items()
    }
    panels = _panels(errors, magnified)
    columns = 1 + len(panels)
    columns = columns if columns <= _MAX_COLUMNS else -(-columns // 2)
    lines = -(-(1 + len(panels)) // columns)
    width, height = plane.extent
    size = _WIDTH / columns
    with new_figure(_WIDTH, lines * (size * height / width + 0.68)) as figure:
        grid = figure.subplots(lines, columns, squeeze=False).ravel()
        _draw_density(figure, grid[0], density, plane)
        for axes, (title, error, scale) in zip(grid[1:], panels, strict=False):
            _draw_error(figure, axes, error, scale=scale, plane=plane)
            _contour_lines(axes, density, plane, alpha=0.35)
            axes.set_title(title, fontsize=9)
        for axes in grid:
            axes.set_axis_off()
        for axes in grid[: 1 + len(panels)]:
            _draw_atoms(axes, label, plane)
    return figure


def _panels(
    errors: Mapping[str, NDArray[np.float64]], magnified: Sequence[str]
) -> list[tuple[str, NDArray[np.float64], float]]:
    """Return title, error and colour scale of each error map."""
    shared = _scale([next(iter(errors.values()))]) if errors else 1.0
    own = _scale([errors[name] for name in magnified])
    panels = [(f"{name}\nerror, e/Å³", error, shared) for name, error in errors.items()]
    return panels + [
        (f"{name}\nerror, colours {shared / own:.0f} times finer", errors[name], own)
        for name in magnified
    ]


def _error(label: ChargeDensity, values: NDArray[np.floating], name: str) -> ChargeDensity:
    if np.shape(values) != label.shape:
        raise DensityError(
            f"the prediction {name!r} has the shape {np.shape(values)}, the label {label.shape}; "
            "evaluate it on the grid of the label"
        )
    difference = np.asarray(values) - np.asarray(label.values)
    return replace(label, values=difference, magnetization=None)


def _scale(errors: Sequence[NDArray[np.float64]]) -> float:
    """Return the value at the end of the colour scale, a round number."""
    largest = max((float(np.quantile(abs(e), _SCALE_QUANTILE)) for e in errors), default=0.0)
    if largest <= 0:
        return 1e-6
    power = 10.0 ** math.floor(math.log10(largest))
    return float(power * next(step for step in _ROUND_STEPS if step * power >= largest))


def _bounds(plane: Plane) -> tuple[float, float, float, float]:
    width, height = plane.extent
    half = plane.step / 2
    return -half, width + half, -half, height + half


def _draw_density(figure: Figure, axes: Axes, density: NDArray[np.float64], plane: Plane) -> None:
    from matplotlib.colors import LogNorm

    norm = LogNorm(_CONTOURS[0] / 4, max(float(density.max()), 2 * _CONTOURS[0]))
    shown = np.maximum(density, norm.vmin or 0.0).T
    image = axes.imshow(
        shown, origin="lower", extent=_bounds(plane), norm=norm, cmap="Blues", interpolation="none"
    )
    _contour_lines(axes, density, plane, alpha=0.8)
    axes.set_title("DFT label\ndensity, e/Å³", fontsize=9)
    _colour_bar(figure, axes, image, ticks=[0.01, 0.1, 1.0])


def _draw_error(
    figure: Figure, axes: Axes, error: NDArray[np.float64], *, scale: float, plane: Plane
) -> None:
    image = axes.imshow(
        error.T,
        origin="lower",
        extent=_bounds(plane),
        cmap="PuOr_r",
        vmin=-scale,
        vmax=scale,
        interpolation="none",
    )
    _colour_bar(figure, axes, image, ticks=[-scale, 0.0, scale])


def _colour_bar(figure: Figure, axes: Axes, image: AxesImage, *, ticks: Sequence[float]) -> None:
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", fraction=0.05, pad=0.02)
    signed = min(ticks) < 0
    texts = [f"{tick:+g}" if signed and tick else f"{tick:g}" for tick in ticks]
    bar.set_ticks(list(ticks), labels=[text.replace("-", "−") for text in texts])
    bar.ax.tick_params(labelsize=8)
    bar.ax.minorticks_off()
    bar.outline.set_edgecolor(MUTED)


def _contour_lines(axes: Axes, density: NDArray[np.float64], plane: Plane, *, alpha: float) -> None:
    # Every other point is enough for lines, which are a large part of the file.
    first, second = (np.arange(0, n, 2) * plane.step for n in plane.shape)
    levels = [level for level in _CONTOURS if level < density.max()]
    if levels:
        values = density[::2, ::2].T
        lines = axes.contour(first, second, values, levels=levels, colors="#444444", alpha=alpha)
        lines.set_linewidth(0.5)


def _draw_atoms(axes: Axes, label: ChargeDensity, plane: Plane) -> None:
    names = symbols(label.numbers)
    for name, (first, second, height) in zip(names, plane.project(label.positions), strict=True):
        if abs(height) > _IN_PLANE:
            axes.plot(first, second, marker="o", ms=3.5, mec="#333333", mew=0.6, mfc="none")
            continue
        size = 8.0 if name == "H" else 11.0
        axes.plot(first, second, marker="o", ms=size, mec="#222222", mew=0.8, mfc="white")
        text = axes.text(first, second, name, ha="center", va="center_baseline")
        text.set(fontsize=6.5, color="#111111")
