import enum
import functools
import json
import math
import pathlib
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import stats
from skorch.history import History
from torch import nn

from sknn.storage import digest, read_parts, write_parts
from sknn.storage._checking import CONTAINERS
from sknn.storage._documents import DocumentChecker
from sknn.storage._encoding import Encoder
from sknn.storage._values import LONG_LIST, OF_TAG
from tests.helpers import case_name

PLAIN: dict[str, Any] = {
    "nothing": None,
    "booleans": [True, False],
    "a large integer": 2**100,
    "floats": [0.1, -0.0, 1e-320, 1e308],
    "infinities": [math.inf, -math.inf],
    "text": 'ä "quoted" \n \U0001f600',
    "tuple in a dict": {"sizes": (100, (50,))},
    "keys of any type": {1: "a", (2, "b"): 2.5, None: []},
    "a key like a tag": {"tensor": ["x"], "object": 0},
    "sets": {frozenset({1, 2}), frozenset({3})},
    "bytes": b"\x00\xff",
    "many floats": [i / 3 for i in range(LONG_LIST)],
    "many integers": list(range(-LONG_LIST, 0)),
    "many large integers": [2**70] * LONG_LIST,
    "floats and integers": [1, 2.0] * LONG_LIST,
    "a path": pathlib.Path("folder") / "file",
    "a type of torch": torch.bfloat16,
    "a type of NumPy": np.dtype("<U7"),
    "a device": torch.device("cuda:1"),
    "a size": torch.Size([2, 3]),
    "a layer class": nn.Linear,
    "a solver class": torch.optim.NAdam,
}


def round_trip(value: Any, path: pathlib.Path, **arguments: Any) -> Any:
    write_parts(path, {"value": value}, kind="test")
    return read_parts(path).decode("value", **arguments)


def types_of(value: Any) -> Any:
    if isinstance(value, dict):
        return [(types_of(k), types_of(v)) for k, v in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [types_of(each) for each in value]
    return type(value)


def test_each_kind_of_value_is_checked_and_decoded() -> None:
    checked = {*CONTAINERS, *DocumentChecker.leaves} - {"list"}  # which is itself
    assert checked == {*OF_TAG, "object", "skops", "foreign"}


@pytest.mark.parametrize("value", PLAIN.values(), ids=PLAIN)
def test_plain_values_come_back(value: Any, tmp_path: pathlib.Path) -> None:
    loaded = round_trip(value, tmp_path / "file")
    assert loaded == value
    assert types_of(loaded) == types_of(value)


def test_nan_and_the_sign_of_zero_come_back(tmp_path: pathlib.Path) -> None:
    nan, zero = round_trip([math.nan, -0.0], tmp_path / "file")
    assert math.isnan(nan)
    assert math.copysign(1, zero) == -1


ARRAYS: dict[str, np.ndarray] = {
    **{
        dtype: np.arange(6).astype(dtype).reshape(2, 3)
        for dtype in ("?", "i1", "u2", "u8", "f2", "f4", "f8", ">f8", "c8", "c16", "g")
    },
    "texts": np.array(["a", "", "größer"]),
    "bytes": np.array([b"a", b"bc"]),
    "dates": np.array(["2026-01-01", "NaT"], "datetime64[D]"),
    "objects": np.array([["a", 1], [None, 2.5]], dtype=object),
    "empty": np.empty((0, 3)),
    "empty texts": np.empty((0,), "<U3"),
    "a number": np.array(2.5),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "backwards": np.arange(5.0)[::-1],
    "a part": np.arange(10)[::2],
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_arrays_come_back(array: np.ndarray, tmp_path: pathlib.Path) -> None:
    loaded = round_trip(array, tmp_path / "file")
    assert loaded.dtype == array.dtype
    assert loaded.shape == array.shape
    assert_array_equal(loaded, array)
    if array.ndim > 1:
        assert loaded.flags.c_contiguous == array.flags.c_contiguous


def test_an_array_that_cannot_be_written_to_comes_back(tmp_path: pathlib.Path) -> None:
    array = np.arange(3.0)
    array.flags.writeable = False
    assert_array_equal(round_trip(array, tmp_path / "file"), array)


@pytest.mark.parametrize(
    "value", [np.float32(0.1), np.int8(-3), np.str_("a"), np.bool_(True), np.datetime64("2026-01")]
)
def test_scalars_keep_their_type(value: Any, tmp_path: pathlib.Path) -> None:
    loaded = round_trip(value, tmp_path / "file")
    assert loaded == value
    assert type(loaded) is type(value)


def test_masked_arrays_come_back(tmp_path: pathlib.Path) -> None:
    array = np.ma.MaskedArray([1.0, 2.0, 3.0], mask=[False, True, False], fill_value=-1)
    loaded = round_trip(array, tmp_path / "file")
    assert_array_equal(loaded.filled(), [1, -1, 3])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.bool])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_tensors_come_back(dtype: torch.dtype, shape: tuple[int], tmp_path: pathlib.Path) -> None:
    tensor = torch.ones(shape).to(dtype)
    loaded = round_trip(tensor, tmp_path / "file")
    assert loaded.dtype == dtype
    assert torch.equal(loaded, tensor)


def test_the_order_of_dimensions_in_memory_is_kept(tmp_path: pathlib.Path) -> None:
    image = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    loaded = round_trip({"a": image, "b": image[:, :, 0], "c": torch.randn(3, 4).T}, tmp_path / "f")
    assert torch.equal(loaded["a"], image)
    assert loaded["a"].stride() == image.stride()
    assert loaded["c"].stride() == (1, 4)


def test_what_is_shared_stays_shared(tmp_path: pathlib.Path) -> None:
    tensor, layer = torch.randn(1000), nn.Linear(2, 3)
    path = tmp_path / "file"
    write_parts(path, {"one": [tensor, layer], "two": [tensor, layer]}, kind="test")
    assert path.stat().st_size < 2 * 4000
    first, second = round_trip([layer, layer], tmp_path / "other")
    assert first is second


def test_tied_weights_stay_tied(tmp_path: pathlib.Path) -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[1].weight = module[0].weight
    loaded = round_trip(module, tmp_path / "file")
    assert loaded[1].weight is loaded[0].weight
    assert len(list(loaded.parameters())) == 3


def test_a_module_keeps_all_that_belongs_to_it(tmp_path: pathlib.Path) -> None:
    module = nn.Sequential(
        nn.Conv1d(2, 4, 3, bias=False),
        nn.BatchNorm1d(4),
        nn.GELU(approximate="tanh"),
        nn.Dropout(0.3),
    )
    module[0].weight.requires_grad_(False)
    module[1].register_buffer("own", torch.ones(2), persistent=False)
    X = torch.randn(5, 2, 9)
    module(X)  # batch statistics
    loaded = round_trip(module.eval(), tmp_path / "file")
    assert torch.equal(loaded(X), module(X))
    assert repr(loaded) == repr(module)
    assert not loaded.training
    assert [p.requires_grad for p in loaded.parameters()] == [False, True, True]
    assert loaded.state_dict().keys() == module.state_dict().keys()
    assert torch.equal(loaded[1].own, torch.ones(2))


def test_a_recurrent_layer_runs_and_learns_after_loading(tmp_path: pathlib.Path) -> None:
    layer = nn.LSTM(2, 3, num_layers=2, bidirectional=True, batch_first=True)
    X = torch.randn(4, 5, 2)
    loaded = round_trip(layer, tmp_path / "file")
    assert torch.equal(loaded(X)[0], layer(X)[0])
    loaded(X)[0].sum().backward()
    assert all(p.grad is not None for p in loaded.parameters())


def test_a_generator_goes_on_where_it_was(tmp_path: pathlib.Path) -> None:
    generator = np.random.RandomState(3)
    generator.normal()  # leaves a second number behind
    loaded = round_trip(generator, tmp_path / "file")
    assert_array_equal(loaded.normal(size=5), generator.normal(size=5))


def test_a_history_keeps_rows_types_and_gaps(tmp_path: pathlib.Path) -> None:
    history = History()
    for i in range(50):
        history.new_epoch()
        history.record("train_loss", 1 / (i + 1))
        history.record("epoch", i)
        if i % 2:
            history.record("valid_score", math.nan if i == 3 else i / 7)
        history.record("best", i == 4)
    loaded = round_trip(history, tmp_path / "file")
    assert type(loaded) is History
    assert json.dumps(list(loaded), sort_keys=True) == json.dumps(list(history), sort_keys=True)


def test_an_empty_history_comes_back(tmp_path: pathlib.Path) -> None:
    assert round_trip(History(), tmp_path / "file") == []


def test_distributions_come_back(tmp_path: pathlib.Path) -> None:
    for distribution in (
        stats.loguniform(1e-4, 1),
        stats.norm(loc=2, scale=3),
        stats.randint(1, 9),
    ):
        loaded = round_trip(distribution, tmp_path / "file")
        assert loaded.cdf(3) == distribution.cdf(3)
        assert (
            loaded.rvs(5, random_state=0).tolist() == distribution.rvs(5, random_state=0).tolist()
        )


def loss_of_ours(outputs: Any, targets: Any) -> Any:
    return (outputs - targets).abs()


def test_partial_functions_come_back(tmp_path: pathlib.Path) -> None:
    partial = functools.partial(nn.Linear, 3, out_features=2)
    layer = round_trip(partial, tmp_path / "file")()
    assert (layer.in_features, layer.out_features) == (3, 2)


class Mode(enum.Enum):
    NEAREST = 0


def test_members_of_an_enumeration_come_back(tmp_path: pathlib.Path) -> None:
    assert round_trip(Mode.NEAREST, tmp_path / "file", trusted=[Mode]) is Mode.NEAREST


def outer() -> Any:
    def inner() -> None: ...

    return inner


class Generates:
    def __reduce__(self) -> Any:
        return (dict, ())


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (lambda x: x, "cannot be found again by its name"),
        (outer(), "cannot be found again by its name"),
        (Generates(), "Generates, whose objects are no plain data"),
        (np.random.default_rng(0), "Generator, whose objects are no plain data"),
        ((i for i in range(3)), "generator'>, which cannot be found again"),
        (torch.eye(3).to_sparse(), "layout torch.sparse_coo"),
        (np.zeros(2, [("a", int)]), "structured array"),
    ],
    ids=case_name,
)
def test_what_cannot_be_saved_is_refused_with_its_place(
    value: Any, complaint: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "file"
    with pytest.raises(TypeError, match=complaint) as caught:
        write_parts(path, {"part": {"of": [1, value]}}, kind="test")
    assert str(caught.value).startswith("part.of.1 ")
    assert not path.exists()


def test_hooks_are_refused(tmp_path: pathlib.Path) -> None:
    layer = nn.Linear(2, 2)
    layer.register_forward_hook(lambda *_: None)
    with pytest.raises(TypeError, match="module with hooks"):
        write_parts(tmp_path / "file", {"layer": layer}, kind="test")


def test_equal_values_have_equal_digests_and_others_have_not() -> None:
    values = [
        {"a": np.arange(3)},
        {"a": np.arange(3.0)},
        {"a": np.arange(4)},
        {"b": np.arange(3)},
        {"a": np.array([0, 1, 3])},
        {"a": torch.arange(3)},
        nn.Linear,
        lambda x: x,
        loss_of_ours,
        None,
        False,
        0,
        0.0,
        "0",
    ]
    digests = [digest(value) for value in values]
    assert len(set(digests)) == len(values)
    assert digests[0] == digest({"a": np.arange(3)})


@pytest.mark.parametrize("step", [-1, 2, 7])
@pytest.mark.parametrize("shape", [(1,), (1, 1), (1, 3), (3, 1), ()])
def test_arrays_of_any_stride_are_stored_and_have_digests(
    shape: tuple[int, ...], step: int, tmp_path: pathlib.Path
) -> None:
    base = np.arange(200.0)
    strides = [8 * step * (i + 1) for i in range(len(shape))]
    array = np.ndarray(shape, np.float64, base, offset=800, strides=strides)
    assert_array_equal(round_trip(array, tmp_path / "file"), array)
    assert digest(array) == digest(array.copy())


def test_the_places_of_tensors_are_their_names() -> None:
    encoder = Encoder()
    encoder.encode("model", {"layers": [nn.Linear(2, 1)]})
    assert set(encoder.tensors) == {"model.layers.0.weight", "model.layers.0.bias"}
