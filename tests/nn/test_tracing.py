import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import Tensor, nn

from sknn.nn import ConvNetwork, Convolution, DenseNetwork, ResidualNetwork, trace_layers


class Branches(nn.Module):
    """Calls one layer twice, another never, and has one that returns two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Linear(3, 3)
        self.unused = nn.Linear(3, 1)
        self.recurrent = nn.RNN(3, 4, batch_first=True)
        self.last = nn.Linear(4, 2)

    def forward(self, X: Tensor) -> Tensor:
        z = self.twice(torch.relu(self.twice(X)))
        return self.last(self.recurrent(z[:, None])[0][:, 0])


def test_layers_are_listed_in_the_order_of_their_calls() -> None:
    module = Branches()
    X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    traces = trace_layers(module, X)
    assert [trace.name for trace in traces] == ["twice", "twice", "recurrent", "last"]
    # of the states at all steps and the last one, the first
    assert_array_equal(module.last(traces[2].output[:, 0]).detach(), module(X).detach())
    assert traces[0].layer is traces[1].layer is module.twice
    first = X.numpy() @ module.twice.weight.detach().numpy().T + module.twice.bias.detach().numpy()
    np.testing.assert_allclose(traces[0].output, first, rtol=1e-5, atol=1e-6)
    assert_array_equal(traces[-1].output, module(X).detach())
    assert not traces[0].output.requires_grad


@pytest.mark.parametrize("training", [False, True])
def test_the_network_runs_in_evaluation_mode_and_is_left_as_it_was(training: bool) -> None:
    network = ConvNetwork((6, 6, 1), [Convolution(2, dropout=0.5)], 2, normalization="batch")
    network.initialize(np.random.RandomState(0), "he")
    network.train(training)
    statistics = network.layers.norm1.running_mean.clone()
    images = torch.ones(3, 1, 6, 6)
    first, second = (trace_layers(network, images)[-1].output for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(network.layers.norm1.running_mean, statistics)
    assert {module.training for module in network.modules()} == {training}
    assert not any(module._forward_hooks for module in network.modules())


def test_hooks_and_mode_are_put_back_after_an_error() -> None:
    network = ConvNetwork((6, 6, 1), [Convolution(2)], 2).train()
    with pytest.raises(RuntimeError):
        trace_layers(network, torch.ones(3, 2, 6, 6))
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())


def test_work_and_parameters_of_dense_layers_are_those_of_their_matrices() -> None:
    network = DenseNetwork(4, (8,), 3)
    traces = {trace.name: trace for trace in trace_layers(network, torch.zeros(10, 4))}
    assert [trace.multiplications for trace in traces.values()] == [10 * 4 * 8, 0, 10 * 8 * 3]
    assert [trace.n_parameters for trace in traces.values()] == [4 * 8 + 8, 0, 8 * 3 + 3]


def test_work_and_parameters_of_convolutions_are_those_of_their_positions() -> None:
    network = ConvNetwork(
        (9, 7, 2), [Convolution(4, stride=2), Convolution(5)], 3, normalization="batch"
    )
    traces = {
        trace.name.removeprefix("layers."): trace
        for trace in trace_layers(network, torch.zeros(6, 2, 9, 7))
    }
    # 9x7 with stride 2 is 5x4, pooled 2x2; then 2x2, pooled 1x1
    assert traces["conv1"].multiplications == 6 * (5 * 4) * 4 * (2 * 3 * 3)
    assert traces["conv2"].multiplications == 6 * (2 * 2) * 5 * (4 * 3 * 3)
    assert traces["output"].multiplications == 6 * 5 * 3
    assert traces["norm1"].multiplications == 0
    assert traces["norm1"].n_parameters == 2 * 4
    total = sum(trace.n_parameters for trace in traces.values())
    assert total == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("kind", "n_gates"), [(nn.RNN, 1), (nn.GRU, 3), (nn.LSTM, 4)])
def test_work_and_parameters_of_recurrent_layers_are_those_of_their_gates(
    kind: type[nn.RNNBase], n_gates: int
) -> None:
    layer = kind(3, 5, num_layers=2, bidirectional=True, batch_first=True)
    (trace,) = trace_layers(layer, torch.zeros(2, 7, 3))
    assert trace.output.shape == (2, 7, 2 * 5)
    # from the inputs (which are 3 numbers, then both directions' states) and from the state
    matrices = 2 * n_gates * (5 * 3 + 5 * 5) + 2 * n_gates * (5 * 10 + 5 * 5)
    assert trace.multiplications == 2 * 7 * matrices
    assert trace.n_parameters == matrices + 4 * n_gates * (5 + 5)


def test_layers_inside_blocks_have_their_full_names() -> None:
    network = ResidualNetwork((4, 4, 1), (2, 3), 2)
    names = [trace.name for trace in trace_layers(network, torch.zeros(1, 1, 4, 4))]
    assert "layers.stage2_block1.shortcut.0" in names
    assert "layers.stage2_block1" not in names
    assert len(names) == len(set(names))


def test_layers_that_are_frozen_have_no_trainable_parameters() -> None:
    network = DenseNetwork(4, (), 3)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    (trace,) = trace_layers(network, torch.zeros(1, 4))
    assert trace.n_parameters == 0
    assert trace.multiplications == 12
