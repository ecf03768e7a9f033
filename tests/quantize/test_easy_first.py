"""Easy images first: the closed form against the steps that it stands for."""

import numpy as np
import pytest

from intvit.quantize.easy_first import row_weights


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9])
def test_an_image_counts_as_often_as_the_steps_would_use_it(share):
    images, steps = 10, 20_000
    losses = np.random.default_rng(0).permutation(images).astype(float)
    place = (losses + 0.5) / images
    used = np.stack([place <= min(1.0, share + (1 - share) * t / steps) for t in range(steps)]).mean(0)
    np.testing.assert_allclose(row_weights(losses, np.arange(images), share), used, atol=1e-3)


def test_all_rows_of_an_image_count_alike_by_their_sum():
    images = np.array([0, 0, 1, 1, 2, 2, 0])
    losses = np.array([1.0, 1.0, 9.0, 0.0, 4.0, 4.0, 1.0])
    weights = row_weights(losses, images, 0.0)
    assert weights[[0, 1, 6]].tolist() == [weights[0]] * 3
    assert weights[0] > weights[4] > weights[2] > 0
