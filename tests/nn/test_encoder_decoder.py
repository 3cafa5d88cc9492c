import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from torch import Tensor, nn

from sknn.nn import (
    Embedding,
    LabelDecoder,
    RecurrentEncoder,
    Stem,
    ValueDecoder,
    encoder_decoder,
)
from sknn.nn.encoder_decoder import CrossAttention

WIDTH, HEADS, CHANNELS, MEMORY_WIDTH, N_LABELS = 6, 2, 3, 5, 4
CELLS = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}
each_cell = pytest.mark.parametrize("cell", CELLS)


def prepare(module: Any, dtype: torch.dtype = torch.float64) -> Any:
    """Give a module numbers of its own everywhere."""
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in module.to(dtype).parameters():
            parameter.copy_(torch.from_numpy(rng.normal(scale=0.5, size=parameter.shape)))
    return module.eval()


def make(kind: Any, n_outputs: int, *, tokens: bool = False, **options: Any) -> Any:
    n_layers, cell = options.pop("n_layers", 1), options.get("cell", "gru")

    def make_encoder(channels: int) -> RecurrentEncoder:
        return RecurrentEncoder(channels, 4, n_layers=n_layers, cell=cell, bidirectional=True)

    input_layer = Embedding(7, CHANNELS) if tokens else nn.Identity()
    options = {"width": WIDTH, "n_heads": HEADS} | options
    return kind(input_layer, CHANNELS, make_encoder, n_outputs, **options)


def random(*shape: int, seed: int = 1) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def pad(series: list[Any], value: float = 0) -> tuple[Tensor, Tensor]:
    """A padded batch and its lengths."""
    rows = [torch.as_tensor(each) for each in series]
    lengths = torch.tensor([len(each) for each in rows])
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value), lengths


def array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()


# -------------------------------------------------------------------------------- NumPy's version


def linear(layer: nn.Module, x: np.ndarray) -> np.ndarray:
    return x @ array(layer.weight).T + array(layer.bias)


def attend(
    attention: CrossAttention, states: np.ndarray, memory: np.ndarray, first_step: int = 0
) -> np.ndarray:
    """Vaswani et al. (2017), equation 1, and a number for each of two offsets, at most 4.

    Here for one series without padding, of shape (steps, width), and number by number.
    """
    query, key_value = linear(attention.query, states), linear(attention.key_value, memory)
    key, value = np.split(key_value, 2, axis=1)
    size = states.shape[1] // attention.n_heads
    from_start, from_end = array(attention.from_start), array(attention.from_end)
    read = np.zeros_like(states)
    for head in range(attention.n_heads):
        part = slice(head * size, (head + 1) * size)
        for i in range(len(states)):
            scores = np.empty(len(memory))
            for place in range(len(memory)):
                product = query[i, part] @ key[place, part] / math.sqrt(size)
                step = first_step + i
                start = min(max(place - step, -4), 4)
                end = min(max(len(memory) - 1 - place - step, -4), 4)
                bias = from_start[head, 4 + start] + from_end[head, 4 + end]
                scores[place] = product + 10 * bias
            read[i, part] = softmax(scores) @ value[:, part]
    return read


def run_decoder(network: Any, memory: np.ndarray, inputs: np.ndarray, cell: str) -> np.ndarray:
    """The decoder's outputs for one series, step by step, with torch's cells."""
    one = CELLS[cell](WIDTH, WIDTH).double()
    one.load_state_dict({k.removesuffix("_l0"): v for k, v in network.decoder.state_dict().items()})
    state, outputs = None, []
    for step, x in enumerate(torch.from_numpy(inputs)):
        state = one(x[None], state)
        h = array(state[0] if cell == "lstm" else state)
        read = attend(network.attention, h, memory, first_step=step)
        outputs.append(linear(network.output, np.tanh(linear(network.mix, np.hstack([h, read])))))
    return np.concatenate(outputs)


# -------------------------------------------------------------------------------------- attention


@pytest.mark.parametrize("n_heads", [1, 2, 3])
@pytest.mark.parametrize("first_step", [0, 1, 7])
@pytest.mark.parametrize("n_steps", [1, 5, 12])
def test_attention_follows_from_contents_and_from_offsets_at_both_ends(
    n_steps: int, first_step: int, n_heads: int
) -> None:
    attention = prepare(CrossAttention(WIDTH, MEMORY_WIDTH, n_heads))
    states, memory = random(3, n_steps, WIDTH), random(3, 9, MEMORY_WIDTH, seed=2)
    found = attention(states, memory, torch.tensor([9, 9, 9]), first_step)
    for i in range(3):
        expected = attend(attention, array(states[i]), array(memory[i]), first_step)
        assert_allclose(array(found[i]), expected, atol=1e-12)


def test_attention_reads_no_padding_and_counts_the_end_from_each_series_own() -> None:
    attention = prepare(CrossAttention(WIDTH, MEMORY_WIDTH, HEADS))
    states, memory, lengths = random(4, 6, WIDTH), random(4, 9, MEMORY_WIDTH), [9, 1, 4, 6]
    for i, n in enumerate(lengths):
        memory[i, n:] = 1e6
    found = attention(states, memory, torch.tensor(lengths))
    for i, n in enumerate(lengths):
        expected = attend(attention, array(states[i]), array(memory[i, :n]))
        assert_allclose(array(found[i]), expected, atol=1e-12)


def test_one_offset_of_weight_reads_the_place_with_that_offset() -> None:
    """A large number for offset 0 from the start copies; for the end, it reverses."""
    attention = CrossAttention(1, 1, 1).double()
    memory, lengths = torch.tensor([[[1.0], [2], [3], [4], [0]]]).double(), torch.tensor([4])
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.zero_()
        attention.key_value.weight[1] = 1.0  # values are what the memory holds
        for table, expected in ((attention.from_start, [1, 2, 3]), (attention.from_end, [4, 3, 2])):
            table[0, 4] = 20.0
            read = attention(torch.zeros(1, 3, 1).double(), memory, lengths)
            assert_allclose(array(read)[0, :, 0], expected, atol=1e-9)
            table.zero_()


# --------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("tokens", [False, True])
def test_both_ends_are_marked_and_can_be_attended_to(tokens: bool) -> None:
    network = prepare(make(LabelDecoder, N_LABELS, tokens=tokens, n_layers=2))
    series = [random(n, CHANNELS, seed=n) for n in (5, 1, 3)]
    if tokens:
        series = [torch.tensor([1, 6, 0, 0, 2]), torch.tensor([4]), torch.tensor([0, 0, 3])]
    memory, lengths = network.remember(*pad(series))
    assert lengths.tolist() == [7, 3, 5]
    begin, end = array(network.marks.weight)
    for i, each in enumerate(series):
        vectors = array(network.input.weight)[each] if tokens else array(each)
        marked = np.vstack([begin, vectors, end])
        n = len(marked)
        assert_allclose(array(memory[i, :n, -CHANNELS:]), marked)
        # what the encoder makes of this series alone
        alone = array(network.encoder(torch.from_numpy(marked)[None])[0])
        assert_allclose(array(memory[i, :n, :-CHANNELS]), alone, atol=1e-12)
        assert_array_equal(array(memory[i, n:, -CHANNELS:]), 0)


def test_lengths_need_not_be_given_where_they_are_equal() -> None:
    network = prepare(make(ValueDecoder, 2, n_steps=3))
    series = random(4, 6, CHANNELS)
    for one, other in zip(
        network.remember(series), network.remember(series, torch.full((4,), 6)), strict=True
    ):
        assert_array_equal(array(one), array(other))
    expected = network(series, torch.full((4,), 6))
    assert_array_equal(array(network(series)), array(expected))


def test_a_stem_that_strides_shortens_what_is_read() -> None:
    network = prepare(make(LabelDecoder, N_LABELS, stem=Stem((5, 4), (3, 3), (2, 2))))
    memory, lengths = network.remember(random(3, 10, CHANNELS), torch.tensor([10, 9, 1]))
    assert lengths.tolist() == [3 + 2, 3 + 2, 1 + 2]  # ceil(ceil(n / 2) / 2), and the marks
    assert memory.shape == (3, 5, 2 * 4 + 4)


# ----------------------------------------------------------------------------------------- labels


@each_cell
def test_label_decoder_agrees_with_cells_and_numpy(cell: str) -> None:
    network = prepare(make(LabelDecoder, N_LABELS, cell=cell))
    series = [random(n, CHANNELS, seed=n) for n in (4, 9, 1)]
    written = [[4, 0, 2], [4], [4, 3, 3, 1, 0, 2]]
    tokens, written_lengths = pad(written)
    outputs = array(network(*pad(series), tokens, written_lengths))
    assert outputs.shape == (3 + 1 + 6, N_LABELS)
    table, start = array(network.written.weight), 0
    memory, lengths = network.remember(*pad(series))
    for i, labels in enumerate(written):
        seen = array(memory[i, : lengths[i]])
        expected = run_decoder(network, seen, table[labels], cell)
        assert_allclose(outputs[start : start + len(labels)], expected, atol=1e-11)
        start += len(labels)


def write_by_forward(network: Any, series: Tensor, n_steps: int) -> list[int]:
    """Append the likeliest next label of the whole sequence so far, until it is the end."""
    read = [N_LABELS]  # nothing yet
    while len(read) <= n_steps:
        n_series, n_read = torch.tensor([len(series)]), torch.tensor([len(read)])
        outputs = network(series[None], n_series, torch.tensor([read]), n_read)
        label = int(outputs[-1].argmax())
        if label == N_LABELS - 1:
            break
        read.append(label)
    return read[1:]


@pytest.mark.parametrize("n_steps", [1, 12])
@pytest.mark.parametrize(("cell", "end_bias"), [("rnn", 1.5), ("gru", -0.5), ("lstm", 0.0)])
def test_writing_is_teacher_forcing_with_what_was_written(
    cell: str, end_bias: float, n_steps: int
) -> None:
    network = prepare(make(LabelDecoder, N_LABELS, cell=cell))
    with torch.no_grad():
        network.output.bias[N_LABELS - 1] += end_bias
        for table in (network.attention.from_start, network.attention.from_end):
            table.mul_(0.2)
    series = [4 * random(n, CHANNELS, seed=n) for n in range(1, 17)]
    expected = [write_by_forward(network, each, n_steps) for each in series]
    labels, lengths = network.write(*pad(series), n_steps=n_steps)
    assert lengths.tolist() == [len(each) for each in expected]
    for row, each in zip(labels.tolist(), expected, strict=True):
        assert row[: len(each)] == each
    assert labels.shape[1] <= n_steps
    if n_steps == 12:
        # the example has what it is about: ends at once, later, and never
        assert len(set(lengths.tolist())) > 4
        assert {0, 12} <= set(lengths.tolist())


def test_writing_ends_when_all_series_have_ended() -> None:
    network = prepare(make(LabelDecoder, N_LABELS))
    with torch.no_grad():
        network.output.bias[N_LABELS - 1] = 1e3
    labels, lengths = network.write(random(3, 5, CHANNELS), None, n_steps=50)
    assert labels.shape == (3, 0)
    assert lengths.tolist() == [0, 0, 0]


# ----------------------------------------------------------------------------------------- values


@each_cell
def test_value_decoder_agrees_with_cells_and_numpy(cell: str) -> None:
    n_steps, n_values = 7, 3
    network = prepare(make(ValueDecoder, n_values, n_steps=n_steps, cell=cell))
    series = [random(n, CHANNELS, seed=n) for n in (4, 9, 1)]
    outputs = array(network(*pad(series)))
    assert outputs.shape == (3, n_steps * n_values)
    # sines, then cosines, of step / 10000^(2i / width)
    angles = np.arange(n_steps)[:, None] / 10000 ** (2 * np.arange(WIDTH // 2) / WIDTH)
    positions = np.hstack([np.sin(angles), np.cos(angles)])
    memory, lengths = network.remember(*pad(series))
    for i in range(3):
        seen = array(memory[i, : lengths[i]])
        expected = run_decoder(network, seen, positions, cell)
        # angles are computed in float32
        assert_allclose(outputs[i].reshape(n_steps, n_values), expected, atol=1e-5)


def test_a_stored_network_may_scale_its_outputs_itself() -> None:
    class Doubled(nn.Module):
        def forward(self, outputs: Tensor) -> Tensor:
            assert outputs.shape == (2, 5 * 3)
            return 2 * outputs

    plain = prepare(make(ValueDecoder, 3, n_steps=5))
    doubled = make(ValueDecoder, 3, n_steps=5).double().eval()
    doubled.load_state_dict(plain.state_dict())
    doubled.output_layer = Doubled()
    series = random(2, 4, CHANNELS)
    assert_allclose(array(doubled(series)), 2 * array(plain(series)))


def test_attention_in_blocks_is_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    attention = prepare(CrossAttention(6, 5, 2))
    lengths, weights = torch.tensor([9, 4]), random(2, 7, 6)

    def run(at_once: int) -> list[np.ndarray]:
        monkeypatch.setattr(encoder_decoder, "PRODUCTS_AT_ONCE", at_once)
        attention.zero_grad()
        states, memory = random(2, 7, 6).requires_grad_(), random(2, 9, 5).requires_grad_()
        outputs = attention(states, memory, lengths, 3)
        (outputs * weights).sum().backward()
        tensors = [states, memory, *attention.parameters()]
        return [array(outputs), *(array(tensor.grad) for tensor in tensors)]

    expected = run(10**6)
    for at_once in (1, 2 * 2 * 9 * 3):  # one step after the other, or three at once
        for found, each in zip(run(at_once), expected, strict=True):
            assert_allclose(found, each, atol=1e-12)


# ------------------------------------------------------------------------------------------ batches


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("stem", [Stem(), Stem((4,), (5,), (2,))], ids=["plain", "stem"])
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_companions_and_padding_change_nothing(
    normalization: str | None, stem: Stem, dtype: torch.dtype, atol: float
) -> None:
    options: dict[str, Any] = {"stem": stem, "normalization": normalization}
    writer = prepare(make(LabelDecoder, N_LABELS, **options), dtype)
    valuer = prepare(make(ValueDecoder, 2, n_steps=4, **options), dtype)
    series = [random(n, CHANNELS, seed=n).to(dtype) for n in (3, 11, 1, 6)]
    padded, lengths = pad(series, value=1e4)
    padded = torch.cat([padded, torch.full((4, 3, CHANNELS), -1e4, dtype=dtype)], 1)
    written, written_lengths = pad([[4, 1], [4], [4, 0, 2, 2], [4, 3]])
    outputs = writer(padded, lengths, written, written_lengths).split(written_lengths.tolist())
    values = valuer(padded, lengths)
    labels, ends = writer.write(padded, lengths, n_steps=9)
    for i, each in enumerate(series):
        n = torch.tensor([len(each)])
        steps = written_lengths[i : i + 1]
        alone = writer(each[None], n, written[i : i + 1, :steps], steps)
        assert_allclose(array(outputs[i]), array(alone), rtol=0, atol=atol)
        assert_allclose(array(values[i]), array(valuer(each[None], n)[0]), rtol=0, atol=atol)
        one, end = writer.write(each[None], n, n_steps=9)
        assert end[0] == ends[i]
        assert_array_equal(array(one[0, : end[0]]), array(labels[i, : end[0]]))


# ------------------------------------------------------------------------------- initial weights


@pytest.mark.parametrize("kind", [LabelDecoder, ValueDecoder])
@each_cell
def test_all_weights_are_drawn_from_the_random_state(cell: str, kind: Any) -> None:
    options = {} if kind is LabelDecoder else {"n_steps": 4}

    def draw(seed: int) -> Any:
        network = make(kind, 40, tokens=True, cell=cell, width=64, **options)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if "from_" not in name:  # offsets begin at zero
                    parameter.fill_(math.nan)
        network.initialize(np.random.RandomState(seed))
        return network

    torch.manual_seed(0)
    before = torch.get_rng_state()
    network, same, other = draw(0), draw(0), draw(1)
    assert torch.equal(torch.get_rng_state(), before)
    for (name, one), two, three in zip(
        network.named_parameters(), same.parameters(), other.parameters(), strict=True
    ):
        assert torch.equal(one, two)
        if "bias" in name:
            assert set(one.unique().tolist()) <= ({0.0, 1.0} if cell == "lstm" else {0.0})
        elif "from_" in name:
            assert not one.any()
        else:
            assert not torch.equal(one, three)
        assert not one.isnan().any(), name
    if kind is LabelDecoder:
        table = array(network.written.weight)
        assert table.shape == (41, 64)  # one for nothing yet
        assert abs(table.mean()) < 4 / math.sqrt(table.size)
        assert abs(table.std() - 1) < 4 / math.sqrt(2 * table.size)
    bound = math.sqrt(6 / (128 + 64))
    mix = array(network.mix.weight)
    assert 0.99 * bound < np.abs(mix).max() <= bound
    recurrent = array(network.decoder.weight_hh_l0)
    for gate in np.split(recurrent, len(recurrent) // 64):
        assert_allclose(gate @ gate.T, np.eye(64), atol=1e-5)
    if cell == "lstm":
        bias = array(network.decoder.bias_ih_l0 + network.decoder.bias_hh_l0)
        assert_array_equal(bias.reshape(4, 64), np.array([0, 1, 0, 0])[:, None] * np.ones(64))


def test_dropout_acts_in_training_alone() -> None:
    network = prepare(make(ValueDecoder, 2, n_steps=4, dropout=0.5))
    series = random(3, 5, CHANNELS)
    assert torch.equal(network(series), network(series))
    network.train()
    assert not torch.equal(network(series), network(series))
