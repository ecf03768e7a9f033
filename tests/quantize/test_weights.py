"""Weight rounding: in range, and with less output error when errors are compensated."""

import numpy as np
import pytest

from intvit.quantize.weights import (
    _rounding_errors,
    compensated_weights,
    largest_code,
    round_weights,
)


def layer(seed, depth=48, channels=20, rows=400):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(depth, depth)) / depth**0.5
    return rng.normal(size=(depth, channels)), rng.normal(size=(rows, depth)) @ mixing


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("bits", [3, 4, 6, 8])
def test_compensation_reduces_the_output_error(seed, bits):
    weight, inputs = layer(seed)
    errors = []
    for codes, scale in (round_weights(weight, bits), compensated_weights(weight, inputs, bits)):
        assert np.abs(codes).max() <= largest_code(bits)
        assert (codes == np.round(codes)).all()
        errors.append(((inputs @ (codes * scale) - inputs @ weight) ** 2).sum())
    assert errors[1] < 0.9 * errors[0]


def products(seed, channels=20):
    gradients = np.random.default_rng(seed).normal(size=(3, channels)) @ np.random.default_rng(seed + 1).normal(
        size=(channels, channels)
    )
    return gradients.T @ gradients + 0.1 * np.eye(channels)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("bits", [3, 4, 8])
def test_errors_are_made_up_for_by_other_outputs(seed, bits):
    (weight, inputs), outputs = layer(seed), products(seed)
    errors = []
    for codes, scale in (compensated_weights(weight, inputs, bits), compensated_weights(weight, inputs, bits, outputs)):
        assert np.abs(codes).max() <= largest_code(bits)
        assert (codes == np.round(codes)).all()
        noise = inputs @ (codes * scale - weight)
        errors.append(np.trace(noise @ outputs @ noise.T))
    assert errors[1] < 0.7 * errors[0]


def one_by_one(exact, rows, columns, top):
    """Round every number with the sum over all errors so far."""
    errors = np.zeros_like(exact)
    for i in reversed(range(len(exact))):
        for j in reversed(range(exact.shape[1])):
            shift = rows[:, i] @ errors @ columns[:, j]
            errors[i, j] = exact[i, j] - np.clip(np.floor(exact[i, j] + shift + 0.5), -top, top)
    return errors


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (64, 65), (130, 70)])
def test_tiles_round_as_one_by_one(shape):
    rng = np.random.default_rng(0)
    rows, columns = (np.tril(rng.normal(size=(n, n)) / n, -1) + np.eye(n) for n in shape)
    exact = rng.normal(size=shape) * 4
    np.testing.assert_allclose(_rounding_errors(exact, rows, columns, 7), one_by_one(exact, rows, columns, 7), atol=1e-9)


def test_dead_channels_and_inputs_are_harmless():
    weight, inputs = layer(0)
    weight[:, 3] = 0
    inputs[:, 5] = 0
    codes, scale = compensated_weights(weight, inputs)
    assert (codes[:, 3] == 0).all()
    assert np.isfinite(scale).all()
    assert (scale > 0).all()


def test_rounding_is_to_the_nearest_step():
    weight = np.array([[1.0, -0.5], [0.25, 0.5]])
    codes, scale = round_weights(weight)
    assert (np.abs(codes * scale - weight) <= scale / 2).all()


def test_few_codes_are_spent_where_most_weights_are():
    """One large weight in a channel must not cost all others their codes."""
    weight = np.random.default_rng(0).normal(size=(200, 3))
    weight[0] = 6.0
    widest = np.abs(weight).max(0) / largest_code(4)
    codes, scale = round_weights(weight, 4)
    assert (scale < widest).all()
    plain = np.clip(np.floor(weight / widest + 0.5), -7, 7) * widest
    assert ((codes * scale - weight) ** 2).sum() < ((plain - weight) ** 2).sum()
