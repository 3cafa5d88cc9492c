import warnings

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from sknn.nn import DenseNetwork, EnsembleNetwork, first_parameter, moved, parameters_of, set_mode


class Tied(nn.Module):
    """Two layers with one weight, a module that is there twice, and one that is missing."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight
        self.norm = nn.BatchNorm1d(3)
        self.again = self.first
        self.missing = None
        self.scale = nn.Parameter(torch.ones(()))
        self.register_parameter("nothing", None)
        self.register_buffer("nothing_either", None)


MODULES = {
    "dense": lambda: DenseNetwork(3, (4, 5), 2),
    "normalized": lambda: DenseNetwork(3, (4,), 2, normalization="batch", activation="prelu"),
    "ensemble": lambda: EnsembleNetwork([DenseNetwork(3, (4,), 1) for _ in range(2)], "softmax"),
    "tied": Tied,
    "recurrent": lambda: nn.LSTM(2, 3),
    "list": lambda: nn.ModuleList([nn.Linear(2, 2), nn.ModuleDict({"a": nn.PReLU()})]),
}


@pytest.mark.parametrize("kind", MODULES)
def test_parameters_are_torchs(kind: str) -> None:
    module = MODULES[kind]()
    expected = [*module.parameters()]
    found = parameters_of(module)
    assert len(found) == len(expected)
    assert all(one is other for one, other in zip(found, expected, strict=True))
    assert first_parameter(module) is expected[0]


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_modules_are_moved_where_they_are_not_there(kind: str, dtype: torch.dtype) -> None:
    module = MODULES[kind]()
    for device in ("cpu", "meta"):
        module = moved(module, torch.device(device), dtype)
        tensors = [*module.parameters(), *module.buffers()]
        assert {each.device.type for each in tensors} == {device}
        assert {each.dtype for each in tensors if each.is_floating_point()} == {dtype}


def test_a_module_that_is_there_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    network = DenseNetwork(3, (4,), 2)
    monkeypatch.setattr(DenseNetwork, "to", None)
    assert moved(network, torch.device("cpu"), torch.float32) is network


class Frozen(nn.Module):
    """Keeps its normalization in evaluation mode, whatever it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.dropout = nn.Dropout()

    def train(self, mode: bool = True) -> "Frozen":
        super().train(mode)
        self.norm.eval()
        return self


@pytest.mark.parametrize("kind", [*MODULES, "frozen part", "script"])
@pytest.mark.parametrize("mixed", [False, True])
def test_modes_are_those_that_torch_sets(kind: str, mixed: bool) -> None:
    def make() -> nn.Module:
        if kind == "frozen part":
            module: nn.Module = nn.Sequential(nn.Dropout(), Frozen())
        elif kind == "script":
            module = nn.Sequential(nn.Dropout(), nn.Identity())
        else:
            module = MODULES[kind]()
        if mixed:
            next(reversed([*module.modules()])).eval()
        if kind == "script":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of its age
                return torch.jit.script(module)
        return module

    module, expected = make(), make()
    for training in (False, True, False):
        set_mode(module, training=training)
        expected.train(training)
        modes = [part.training for part in module.modules()]
        assert modes == [part.training for part in expected.modules()]
    x = torch.ones(5, 3)
    if kind == "script":
        assert_close(module(x), x)
