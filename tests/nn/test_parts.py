"""Batches in parts of similar length: the same numbers, with less padding."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor, nn

from sknn.nn import (
    AttentionEncoder,
    LabelDecoder,
    RecurrentEncoder,
    SeriesNetwork,
    Stem,
    ValueDecoder,
    parts,
)
from sknn.nn.parts import in_order, similar_lengths, step_positions, steps_in_order, take_part

# ------------------------------------------------------------------------------------- where to cut


def padded_steps(lengths: np.ndarray, numbers: list[np.ndarray]) -> int:
    return sum(len(each) * int(lengths[each].max()) for each in numbers)


@pytest.mark.parametrize(
    "lengths",
    [
        [7] * 500,
        [5] * 100 + [40],
        list(range(1, 200)),
        [3],
        [2000, 1999, 2000],
        [900] * 50 + [1700] * 50,
    ],
    ids=lambda lengths: f"{min(lengths)} to {max(lengths)}",
)
def test_padding_that_costs_little_is_left(lengths: list[int]) -> None:
    assert similar_lengths(np.array(lengths)) is None


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("low", "high"),
    [([5] * 200, [4000]), ([1] * 64, [3000, 90, 5000]), ([3, 4, 5] * 30, [900] * 9)],
)
def test_long_series_among_short_ones_are_parts_of_their_own(
    low: list[int], high: list[int], seed: int
) -> None:
    lengths = np.random.default_rng(seed).permutation([*low, *high])
    numbers = similar_lengths(lengths)
    assert numbers is not None
    assert_array_equal(np.sort(np.concatenate(numbers)), np.arange(len(lengths)))
    assert padded_steps(lengths, numbers) <= 1.3 * lengths.sum()
    assert len(numbers) <= 1 + len(high)
    for each in numbers:
        assert_array_equal(each, np.sort(each))


def test_lengths_of_all_sizes_need_few_parts() -> None:
    lengths = np.exp(np.random.default_rng(0).uniform(0, 9, 3000)).astype(int) + 1
    numbers = similar_lengths(lengths)
    assert numbers is not None
    assert padded_steps(lengths, numbers) <= 1.2 * lengths.sum()
    assert len(numbers) < 40


# ----------------------------------------------------------------------------------- there and back


def test_parts_are_taken_and_put_back() -> None:
    lengths = np.array([2, 6, 1, 6, 2])
    series = [torch.rand(n, 3) for n in lengths]
    batch = nn.utils.rnn.pad_sequence(series, batch_first=True)
    numbers = [np.array([0, 2, 4]), np.array([1, 3])]
    short, long = (take_part(batch, torch.from_numpy(lengths), each) for each in numbers)
    assert short.series.shape == (3, 2, 3)
    assert short.lengths is not None
    assert_array_equal(short.lengths, [2, 1, 2])
    assert long.lengths is None  # no padding is left
    assert_array_equal(in_order([short.series[:, 0], long.series[:, 0]], numbers), batch[:, 0])
    steps = [torch.cat([series[i] for i in each]) for each in numbers]
    found = steps_in_order(steps, numbers, torch.from_numpy(lengths))
    assert_array_equal(found, torch.cat(series))


@pytest.mark.parametrize("index", [[], [0], [3, 1], [2, 2, 0], [3, 2, 1, 0]], ids=str)
def test_positions_are_those_of_each_step(index: list[int]) -> None:
    lengths = [3, 1, 4, 2]
    expected = [
        step for i in index for step in range(sum(lengths[:i]), sum(lengths[:i]) + lengths[i])
    ]
    assert_array_equal(step_positions(np.array(lengths), np.array(index, int)), expected)


# ----------------------------------------------------------------------------------------- networks

CHANNELS = 3
STEM = Stem((4, 4), (5, 3), (1, 2))


def recurrent(channels: int) -> RecurrentEncoder:
    return RecurrentEncoder(channels, 4, bidirectional=True)


def attention(channels: int) -> AttentionEncoder:
    return AttentionEncoder(channels, 4, n_layers=2, n_heads=2)


def make_series_network(encoder: Any, pooling: str | None) -> SeriesNetwork:
    return SeriesNetwork(
        nn.Identity(),
        CHANNELS,
        encoder,
        2,
        pooling=pooling,
        stem=STEM if pooling else Stem((4,), (3,), (1,)),
        hidden_layer_sizes=(5,),
        normalization="batch",
    )


NETWORKS = {
    "recurrent": lambda: make_series_network(recurrent, "last"),
    "attention": lambda: make_series_network(attention, "mean"),
    "steps": lambda: make_series_network(recurrent, None),
    "values": lambda: ValueDecoder(
        nn.Identity(), CHANNELS, recurrent, 2, n_steps=3, stem=STEM, normalization="batch", width=4
    ),
    "labels": lambda: LabelDecoder(
        nn.Identity(), CHANNELS, recurrent, 6, stem=STEM, normalization="batch", width=4
    ),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_a_batch_in_parts_is_learned_from_as_in_one(
    network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outputs, gradients and the statistics of batch normalization."""
    random = np.random.default_rng(0)
    lengths = torch.from_numpy(random.permutation([4, 5, 4, 3, 40, 5, 60, 4]))
    batch = nn.utils.rnn.pad_sequence(
        [torch.from_numpy(random.normal(size=(n, CHANNELS))) for n in lengths], batch_first=True
    )
    inputs: list[Tensor] = [batch, lengths]
    if network == "labels":
        n_written = torch.from_numpy(random.integers(1, 7, len(lengths)))
        inputs += [torch.from_numpy(random.integers(0, 6, (len(lengths), 6))), n_written]
    module = NETWORKS[network]().double()
    module.initialize(np.random.RandomState(0))
    with torch.no_grad():  # else biases are zero
        for parameter in module.parameters():
            parameter.add_(torch.from_numpy(random.normal(scale=0.1, size=parameter.shape)))
    calls = []
    module.encoder.register_forward_hook(lambda layer, args, output: calls.append(len(output)))

    def learn(free_padding: int) -> list[Tensor]:
        monkeypatch.setattr(parts, "FREE_PADDING", free_padding)
        module.zero_grad()
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm1d):
                layer.reset_running_stats()
        calls.clear()
        outputs = module.train()(*inputs)
        weights = torch.linspace(-1, 1, outputs.numel(), dtype=torch.float64)
        (outputs * weights.view_as(outputs)).sum().backward()
        gradients = [p.grad.clone() for p in module.parameters() if p.grad is not None]
        statistics = [buffer.clone() for buffer in module.buffers()]
        return [outputs.detach(), module.eval()(*inputs).detach(), *gradients, *statistics]

    whole = learn(10**6)
    assert calls == [8, 8]
    cut = learn(0)
    assert len(calls) > 3
    assert sum(calls) == 16
    for found, expected in zip(cut, whole, strict=True):
        assert_allclose(found, expected, rtol=0, atol=1e-11)


def test_an_encoder_with_batch_normalization_gets_the_batch_as_a_whole_in_training() -> None:
    class Normalizing(nn.Module):
        width, n_backward = CHANNELS, 0

        def __init__(self, channels: int) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(channels)

        def forward(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
            calls.append(len(series))
            return self.norm(series.transpose(1, 2)).transpose(1, 2)

    calls: list[int] = []
    network = SeriesNetwork(nn.Identity(), CHANNELS, Normalizing, 1, pooling="mean")
    lengths = torch.tensor([5] * 20 + [4000])
    batch = torch.zeros(21, 4000, CHANNELS)
    network.train()(batch, lengths)
    network.eval()(batch, lengths)
    assert calls == [21, 20, 1]
