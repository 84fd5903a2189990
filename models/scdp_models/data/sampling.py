"""Reproducible sampling: every draw is a function of its key, never of what was drawn before.

Resuming from any step therefore continues exactly as the uninterrupted run would have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["StepBatches", "keyed_generator", "probe_indices"]


def keyed_generator(*key: int) -> np.random.Generator:
    """Return a generator determined by integers such as (seed, epoch, structure, step)."""
    # The length is part of the key, since numpy takes trailing zeros for nothing.
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((len(key), *key))))


def probe_indices(n_voxels: int, n_probes: int, *key: int) -> NDArray[np.int64]:
    """Draw flat voxel indices uniformly, with replacement when more are asked for than exist."""
    return keyed_generator(*key).integers(0, n_voxels, size=n_probes)


class StepBatches:
    """Indices of the batches of a range of training steps.

    Samples are shuffled anew in every pass over the data; a batch may reach over the boundary of
    two passes, so that no sample is ever dropped.

    Parameters
    ----------
    n_samples, batch_size
        Size of the data set and of a batch.
    seed
        Key of the shuffles.
    steps
        First and last (exclusive) global step.

    Examples
    --------
    >>> [sorted(batch) for batch in StepBatches(4, 2, seed=0, steps=(0, 0))]
    []
    >>> sorted(i for batch in StepBatches(4, 2, seed=0, steps=(0, 2)) for i in batch)
    [0, 1, 2, 3]
    """

    def __init__(
        self, n_samples: int, batch_size: int, *, seed: int, steps: tuple[int, int]
    ) -> None:
        self.n_samples, self.batch_size = n_samples, batch_size
        self.seed, self.steps = seed, steps

    def __len__(self) -> int:
        """Return the number of steps."""
        return self.steps[1] - self.steps[0]

    def __iter__(self) -> Iterator[list[int]]:
        """Yield one list of indices per step."""
        orders: dict[int, NDArray[np.int64]] = {}
        for step in range(*self.steps):
            batch = []
            for position in range(step * self.batch_size, (step + 1) * self.batch_size):
                epoch, place = divmod(position, self.n_samples)
                if epoch not in orders:
                    orders = {epoch: keyed_generator(self.seed, epoch).permutation(self.n_samples)}
                batch.append(int(orders[epoch][place]))
            yield batch
