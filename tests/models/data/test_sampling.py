"""Draws depend on their key alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from scdp_models.data.sampling import StepBatches, keyed_generator, probe_indices


def test_the_same_key_gives_the_same_draw() -> None:
    np.testing.assert_array_equal(keyed_generator(1, 2).random(5), keyed_generator(1, 2).random(5))
    draws = {float(keyed_generator(*key).random()) for key in ((1, 2), (2, 1), (1,), (1, 2, 0))}
    assert len(draws) == 4


def test_probes_are_uniform_over_the_grid() -> None:
    index = probe_indices(10, 50_000, 3, 4)
    counts = np.bincount(index, minlength=10)
    assert counts.min() > 4700
    assert counts.max() < 5300
    np.testing.assert_array_equal(index, probe_indices(10, 50_000, 3, 4))


def test_more_probes_than_voxels_can_be_drawn() -> None:
    assert set(probe_indices(2, 100, 0).tolist()) == {0, 1}


@pytest.mark.parametrize(("n_samples", "batch_size"), [(12, 4), (7, 3), (3, 5)])
def test_every_pass_over_the_data_is_a_permutation(n_samples: int, batch_size: int) -> None:
    batches = StepBatches(n_samples, batch_size, seed=5, steps=(0, 3 * n_samples))
    order = [i for batch in batches for i in batch]
    assert {len(batch) for batch in batches} == {batch_size}
    epochs = [order[e * n_samples : (e + 1) * n_samples] for e in range(3 * batch_size)]
    assert all(sorted(epoch) == list(range(n_samples)) for epoch in epochs)
    most = Counter(map(tuple, epochs)).most_common(1)[0][1]
    assert most < len(epochs)


@pytest.mark.parametrize("start", [0, 1, 5, 8])
def test_starting_in_the_middle_gives_the_same_batches(start: int) -> None:
    whole = list(StepBatches(7, 3, seed=2, steps=(0, 12)))
    rest = StepBatches(7, 3, seed=2, steps=(start, 12))
    assert list(rest) == whole[start:]
    assert len(rest) == 12 - start


def test_another_seed_shuffles_differently() -> None:
    first, second = (next(iter(StepBatches(20, 20, seed=s, steps=(0, 1)))) for s in (0, 1))
    assert first != second
