"""Word vectors learn by torch, in batches: on a GPU, and where there is no numba."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ._corpus import Corpus
from ._noise import kept_shares, noise_probabilities
from ._word_loops import Pairs

# Words whose neighbours are found at once, and counts that are on the device at once.
PART = 2**17

# Steps that are taken at once, each from the vectors before all of them.
BATCH = 2**12

# A word that more steps of a batch are about moves by so many times their mean: their sum is too
# far for the vectors that they were computed from.
MOST_STEPS = 32


class Batches:
    """Tensors that learn on a device, and their random numbers."""

    n_workers = 1

    def __init__(
        self,
        vectors: dict[str, np.ndarray],
        random: np.random.RandomState,
        device: torch.device,
    ) -> None:
        self._host = vectors
        self.device = device
        self._tensors = {name: torch.as_tensor(a).to(device) for name, a in vectors.items()}
        self.generator = torch.Generator(device)
        self.generator.manual_seed(int(random.randint(2**31)))
        self.sums = np.zeros((1, 2))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return vectors, brought back from the device, and the state of the generator."""
        for name, tensor in self._tensors.items():
            self._host[name][:] = tensor.cpu().numpy()
        return self._host | {"states": self.generator.get_state().numpy()}

    def put_back(self, arrays: dict[str, np.ndarray]) -> None:
        """Take them over."""
        for name, tensor in self._tensors.items():
            if arrays[name].shape != tuple(tensor.shape):
                raise ValueError(f"{name} of shape {arrays[name].shape}, not {tuple(tensor.shape)}")
            tensor.copy_(torch.as_tensor(arrays[name]))
        self.generator.set_state(torch.as_tensor(arrays["states"]))


class SamplingBatches(Batches):
    """Skip-gram or CBOW with negative sampling."""

    def __init__(
        self,
        corpus: Corpus,
        counts: np.ndarray,  # (n_tokens,)
        vectors: tuple[np.ndarray, np.ndarray],  # inputs and outputs, float32 (n_tokens, size)
        random: np.random.RandomState,
        *,
        is_cbow: bool,
        window: int,
        negative: int,
        subsample: float,
        device: torch.device,
    ) -> None:
        inputs, outputs = vectors
        super().__init__({"inputs": inputs, "outputs": outputs}, random, device)
        ends = corpus.pieces()
        self._tokens = torch.as_tensor(corpus.tokens)
        self._texts = torch.as_tensor(np.repeat(np.arange(len(ends) - 1), np.diff(ends)))
        self.n_parts = -(-len(corpus.tokens) // PART)
        kept = kept_shares(counts, subsample).astype(np.float32)
        self._kept = torch.as_tensor(kept).to(device)
        # cumulated, for a binary search: torch.multinomial takes at most 2^24 categories
        cumulated = np.cumsum(noise_probabilities(counts))
        self._noise = torch.as_tensor((cumulated / cumulated[-1]).astype(np.float32)).to(device)
        self._is_cbow, self._window, self._negative = is_cbow, window, negative

    @torch.no_grad()
    def learn(self, part: int, worker: int, rate: float) -> None:
        """Learn from the words of a part."""
        here = slice(part * PART, (part + 1) * PART)
        tokens = self._tokens[here].to(self.device).long()
        texts = self._texts[here].to(self.device)
        draws = torch.rand(len(tokens), generator=self.generator, device=self.device)
        is_kept = draws <= self._kept[tokens]
        tokens, texts = tokens[is_kept], texts[is_kept]
        reach = self._integers(len(tokens), 1, self._window + 1)
        neighbours = find_neighbours(tokens, texts, reach, self._window)
        if self._is_cbow:
            chosen = (neighbours > 0).any(1).nonzero().squeeze(1)
        else:
            chosen = (neighbours > 0).flatten().nonzero().squeeze(1)
        order = torch.randperm(len(chosen), generator=self.generator, device=self.device)
        noise = self._draw_noise(len(tokens))  # of each word, for all near it
        inputs, outputs = self._tensors["inputs"], self._tensors["outputs"]
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for places in chosen[order].split(BATCH):
            centers = places if self._is_cbow else places // neighbours.shape[1]
            contexts = (
                neighbours[places] if self._is_cbow else neighbours.flatten()[places].unsqueeze(1)
            )
            total += step_words(inputs, outputs, contexts, tokens[centers], noise[centers], rate)
        self.sums[0] += float(total), len(chosen)

    def _integers(self, n: int, low: int, high: int) -> Tensor:
        return torch.randint(low, high, (n,), generator=self.generator, device=self.device)

    def _draw_noise(self, n: int) -> Tensor:
        """Return words to be told apart (n, negative)."""
        draws = torch.rand((n, self._negative), generator=self.generator, device=self.device)
        return torch.searchsorted(self._noise, draws, right=True).clamp(1, len(self._noise) - 1)


def find_neighbours(tokens: Tensor, texts: Tensor, reach: Tensor, window: int) -> Tensor:
    """Return the words (n, 2 window) within reach of each (n,); 0 where there is none."""
    neighbours = tokens.new_zeros((len(tokens), 2 * window))
    for distance in range(1, min(window, len(tokens) - 1) + 1):
        near = texts[:-distance] == texts[distance:]
        before = near & (reach[distance:] >= distance)
        after = near & (reach[:-distance] >= distance)
        neighbours[distance:, 2 * distance - 2] = tokens[:-distance] * before
        neighbours[:-distance, 2 * distance - 1] = tokens[distance:] * after
    return neighbours


def step_words(
    inputs: Tensor,  # (n_tokens, size), which learns
    outputs: Tensor,  # (n_tokens, size), which learns
    contexts: Tensor,  # (n, m), whose mean is an input; 0 where there is none
    targets: Tensor,  # (n,)
    noise: Tensor,  # (n, negative)
    rate: float,
) -> Tensor:
    """Do a step of negative sampling for each of n inputs; return the sum of their losses."""
    is_there = (contexts > 0).to(inputs.dtype)
    x = inputs[contexts].sum(1) / is_there.sum(1, keepdim=True)  # row 0 is zeros
    words = torch.cat([targets.unsqueeze(1), noise], dim=1)
    rows = outputs[words]
    logits = torch.einsum("nd,nkd->nk", x, rows)
    signs = torch.full_like(logits, -1)
    signs[:, 0] = 1
    counts = torch.ones_like(logits)
    counts[:, 1:] = (noise != targets.unsqueeze(1)).to(logits.dtype)
    loss = -(F.logsigmoid(signs * logits) * counts).sum(dtype=torch.float64)
    slopes = rate * signs * torch.sigmoid(-signs * logits) * counts
    change = torch.einsum("nk,nkd->nd", slopes, rows)
    changes = slopes.unsqueeze(2) * x.unsqueeze(1)
    _add_steps(outputs, words.flatten(), changes.flatten(0, 1), counts.flatten())
    # as word2vec does, each word takes all of the step, and not its share
    spread = change.unsqueeze(1) * is_there.unsqueeze(2)
    _add_steps(inputs, contexts.flatten(), spread.flatten(0, 1), is_there.flatten())
    return loss


def _add_steps(vectors: Tensor, words: Tensor, steps: Tensor, counts: Tensor) -> None:
    """Add steps (n, size) to the vectors of words (n,); those with a count of 0 are none."""
    times = vectors.new_zeros(len(vectors)).index_add_(0, words, counts)
    shares = (MOST_STEPS / times).clamp(max=1)
    vectors.index_add_(0, words, steps * shares[words].unsqueeze(1))


class CountBatches(Batches):
    """GloVe."""

    def __init__(
        self,
        pairs: Pairs,
        vectors: tuple[np.ndarray, np.ndarray],  # with biases, float32 (n_tokens, size + 1)
        random: np.random.RandomState,
        *,
        x_max: float,
        power: float,
        device: torch.device,
    ) -> None:
        inputs, outputs = vectors
        arrays = {
            "inputs": inputs,
            "outputs": outputs,
            "input_squares": np.ones_like(inputs),
            "output_squares": np.ones_like(outputs),
        }
        super().__init__(arrays, random, device)
        self._pairs, self._weights = pairs, (x_max, power)
        self.n_parts = -(-len(pairs.rows) // PART)

    @torch.no_grad()
    def learn(self, part: int, worker: int, rate: float) -> None:
        """Learn from a part of the counts."""
        here = slice(part * PART, (part + 1) * PART)
        rows, columns, counts = (
            torch.as_tensor(each[here]).to(self.device)
            for each in (self._pairs.rows, self._pairs.columns, self._pairs.counts)
        )
        rows, columns = rows.long(), columns.long()
        turned = rows != columns
        rows, columns = torch.cat([rows, columns[turned]]), torch.cat([columns, rows[turned]])
        counts = torch.cat([counts, counts[turned]])
        order = torch.randperm(len(rows), generator=self.generator, device=self.device)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for places in order.split(BATCH):
            total += step_counts(
                list(self._tensors.values()), rows[places], columns[places], counts[places],
                *self._weights, rate,
            )  # fmt: skip
        self.sums[0] += float(total), len(rows)


def step_counts(
    arrays: list[Tensor],  # inputs, outputs, and their sums of squares: (n_tokens, size + 1)
    rows: Tensor,  # (n,)
    columns: Tensor,  # (n,)
    counts: Tensor,  # (n,)
    x_max: float,
    power: float,
    rate: float,
) -> Tensor:
    """Do a step of AdaGrad for n counts at once; return the sum of their losses."""
    inputs, outputs, input_squares, output_squares = arrays
    x, y = inputs[rows], outputs[columns]
    error = (x[:, :-1] * y[:, :-1]).sum(1) + x[:, -1] + y[:, -1] - counts.log()
    slopes = (counts / x_max).pow(power).clamp(max=1) * error
    loss = 0.5 * (slopes * error).sum(dtype=torch.float64)
    for vectors, squares, words, others in (
        (inputs, input_squares, rows, y),
        (outputs, output_squares, columns, x),
    ):
        gradients = slopes.unsqueeze(1) * others
        gradients[:, -1] = slopes  # of the bias
        present, places = words.unique(return_inverse=True)
        gradient = torch.zeros_like(vectors[present]).index_add_(0, places, gradients)
        squares[present] += gradient.square()
        vectors[present] -= rate * gradient / squares[present].sqrt()
    return loss
