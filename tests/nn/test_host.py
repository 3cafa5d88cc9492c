"""Tests of numbers that are known on the host, and of what follows from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sknn.nn.host import on_host, remember, send
from sknn.nn.series import StepNorm, join_steps, step_places, valid_steps


def test_values_are_remembered_beside_the_tensor():
    values = np.array([3, 1, 2])
    tensor = remember(torch.tensor([30, 10, 20]), values)  # other values: they are not asked for
    assert on_host(tensor) is values
    np.testing.assert_array_equal(on_host(torch.tensor([4, 5])), [4, 5])


def test_what_is_sent_arrives():
    sent = send(torch.arange(4), torch.device("cpu"))
    assert sent.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("lengths", [[3, 1, 5], [5, 5], [1], [4, 1, 1, 5]])
def test_places_of_steps_are_those_of_the_mask(lengths):
    lengths = torch.tensor(lengths)
    mask = valid_steps(lengths, 5)
    np.testing.assert_array_equal(step_places(lengths, 5), np.flatnonzero(mask))
    series = torch.randn(len(lengths), 5, 2)
    assert torch.equal(join_steps(series, lengths), series[mask])


def test_batch_normalization_is_that_of_the_steps_of_the_series():
    lengths, series = torch.tensor([3, 1, 5]), torch.randn(3, 5, 2, requires_grad=True)
    mask = valid_steps(lengths, 5)
    layer, plain = StepNorm("batch", 2), torch.nn.BatchNorm1d(2)
    normalized = layer(series, lengths)
    expected = torch.zeros_like(series)
    expected[mask] = plain(series[mask])
    assert torch.equal(normalized, expected)
    assert torch.equal(layer.norm.running_var, plain.running_var)
    weights = torch.randn(3, 5, 2)
    (gradient,) = torch.autograd.grad((normalized * weights).sum(), series)
    (of_mask,) = torch.autograd.grad((expected * weights).sum(), series)
    assert torch.equal(gradient, of_mask)
