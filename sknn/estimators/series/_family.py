"""What the estimators of series have in common: parameters, input, stem, scales."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import HasMethods, StrOptions
from torch import nn

from sknn._documentation import paragraph
from sknn._parameters import declares_parameters, inherited, parameter
from sknn._validation import BELOW_ONE, NOT_NEGATIVE, POSITIVE_INTEGER
from sknn.data import Ragged, longest_series, repeat_for_steps
from sknn.estimators._base import NeuralEstimator
from sknn.estimators._checks import CheckedData
from sknn.estimators._layers import HIDDEN_LAYER_SIZES_CONSTRAINTS, dropout_rates, positive_integers
from sknn.estimators._statistics import channel_statistics
from sknn.nn import (
    ACTIVATIONS,
    Embedding,
    Noise,
    SeriesEncoder,
    SeriesNetwork,
    Standardize,
    Stem,
    TokenEmbedding,
    describe_activations,
    per_layer,
)
from sknn.training import TRAINING_FLOPS, Work

from ._format import SeriesFormat
from ._vectors import embedding_of, word_vectors

# The automatic stem: kernels of its convolutions, and how many steps it leaves at least.
STEM_KERNELS = (7, 5, 3)
STEM_STEPS = 32
# Epochs of numbers, and of texts: those of many words are learned by heart in few.
EPOCHS, FEWEST_EPOCHS, TEXT_UPDATES = 80, 8, 300
# A word of which training has n is taken for an unknown one at the rate of a / (a + n).
UNKNOWN_SHARE = 0.25


def noise(default: float) -> Any:
    """Declare the noise of training series."""
    return parameter(
        default=default,
        constraints=[NOT_NEGATIVE],
        doc="""float
        Standard deviation of the normal noise that is added to each step of the training series,
        anew in each epoch, in units of the standardized channels. Where series are few, noise of
        0.05 to 0.2 can be worth several points of accuracy. Not used for tokens and for fixed
        features.""",
    )


@declares_parameters
class SeriesEstimator(NeuralEstimator):
    """Input convention and network of the series estimators.

    Parameters
    ----------
    {parameters}
    """

    hidden_size: int = parameter(
        default=64,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Width of the encoder's states (in each direction, where there are two).""",
    )
    n_layers: int = parameter(
        default=1,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Layers of the encoder.""",
    )
    embedding_size: Any = parameter(
        default="auto",
        constraints=[StrOptions({"auto"}), POSITIVE_INTEGER, None],
        doc="""int, "auto" or None
        An int says that X holds tokens, integers from 0, and how many numbers stand for each in
        the network: its embedding. "auto" takes the tokens of a
        :class:`sknn.text.Tokenizer` as tokens, and all integers where `n_tokens` is set: an
        embedding of 1.6 times the number of tokens to the power of 0.56, a multiple of 8 from 8 to
        64; other X as numbers. None takes every X as numbers.""",
    )
    embedding: Any = parameter(
        default=None,
        constraints=["array-like", HasMethods(["fit"]), None],
        doc="""array-like of shape (n_tokens, size), fitted estimator or None
        Vectors that the embedding begins with, a row for each token and the first for unknown
        words, such as ``vectors_`` of a :class:`sknn.text.WordEmbedding`; an estimator that has
        ``vectors_`` stands for them. All are divided by their root mean square, so that they are
        of the size of random ones. Tokens that have a vector are known, whether or not training
        reads them. None draws standard normal numbers. The words of a tokenizer, where a text has
        one answer, begin with a tenth of either, unless they are frozen.""",
    )
    freeze_embedding: bool = parameter(
        default=False,
        constraints=["boolean"],
        doc="""bool
        Whether the vectors of `embedding` stay as they are.""",
    )
    n_tokens: int | None = parameter(
        default=None,
        constraints=[POSITIVE_INTEGER, None],
        doc="""int or None
        Number of tokens; None takes that of the tokenizer that has made X, else the largest one
        of the training data and one more.""",
    )
    standardize: bool = parameter(
        default=True,
        constraints=["boolean"],
        doc="""bool
        Whether the network subtracts the training data's mean from each channel and divides by
        its standard deviation (not used for tokens), and whether regressors give the loss
        standardized targets: their units then count for nothing, and losses in `history_`, `tol`
        and `alpha` are relative to the deviation of y. "poisson", "gamma" and "mape" see y in
        units of its mean magnitude, "msle", "cosine" and callables as it is. A `module` of the
        user's gets X and y as they are.""",
    )
    noise: float = noise(default=0.0)
    filters: Any = parameter(
        default="auto",
        constraints=[StrOptions({"auto"}), POSITIVE_INTEGER, "array-like", None],
        doc="""int, array-like of int, "auto" or None
        Filters of each convolution of the stem, which comes before the encoder. "auto" is three
        of `hidden_size` filters for numbers and none for tokens; None is no stem.""",
    )
    kernel_size: Any = parameter(
        default="auto",
        constraints=[StrOptions({"auto"}), POSITIVE_INTEGER, "array-like"],
        doc="""int, sequence of int or "auto"
        Steps that the filters see; "auto" is 7, 5, and 3 from the third convolution on.""",
    )
    stride: Any = parameter(
        default="auto",
        constraints=[StrOptions({"auto"}), POSITIVE_INTEGER, "array-like"],
        doc="""int, sequence of int or "auto"
        Steps from one position of a filter to the next; a convolution leaves ``ceil(n / stride)``
        of n steps. With "auto" the convolutions together leave 32 to 63 steps of series that are
        longer (judged by the median length), and all steps of others. A single convolution
        with `stride` equal to `kernel_size` cuts series into patches.""",
    )
    activation: Any = parameter(
        default="relu",
        constraints=[StrOptions(set(ACTIVATIONS)), callable],
        doc="str or callable\n"
        + paragraph(
            f"""Activation function of stem and dense layers (in the attention family also inside
            the encoder): {describe_activations()}."""
        ),
    )
    normalization: str | None = parameter(
        default="batch",
        constraints=[StrOptions({"batch", "layer"}), None],
        doc="""{"batch", "layer"} or None
        Normalization before each activation of stem and dense layers: over the batch (Ioffe and
        Szegedy, 2015) or over the channels of each step (Ba et al., 2016).""",
    )
    dropout: float = parameter(
        default=0.1,
        constraints=[BELOW_ONE],
        doc="""float
        Probability with which a number is set to zero in training: between the encoder's layers
        and before each dense layer.""",
    )
    batch_size: int | str = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "all"}), POSITIVE_INTEGER],
        doc="""int, "auto" or "all"
        Series a batch; "auto" is a tenth of the training series, but at least 16 and at most
        128, and "all" every series. Not used by "lbfgs".""",
    )
    learning_rate: str = inherited(NeuralEstimator, "learning_rate", default="one_cycle")
    learning_rate_init: float = inherited(NeuralEstimator, "learning_rate_init", default=0.003)
    max_iter: Any = parameter(
        default="auto",
        constraints=[StrOptions({"auto"}), POSITIVE_INTEGER],
        doc="""int or "auto"
        Largest number of epochs. "auto" is 80; of texts that have one answer each (X is from a
        tokenizer), as many as make 300 batches, between 8 and 80.""",
    )

    _family_attributes: ClassVar[str] = """
        n_features_in_ : int
            Number of steps, if X was two-dimensional; else number of channels.
        n_channels_ : int
            Number of channels.
        n_tokens_ : int or None
            Number of tokens; None for series of numbers.
        """

    @property
    def _scales_targets(self) -> bool:  # type: ignore[override]
        return self.standardize and self.module is None

    @property
    def _scales_data(self) -> bool:  # type: ignore[override]
        return self._scales_targets

    _format_kind = SeriesFormat
    _takes = ("three_d_array",)
    _takes_empty: ClassVar[bool] = True  # texts without tokens
    _format: ClassVar[SeriesFormat]

    # ---------------------------------------------------------------------------------- input

    @property
    def n_channels_(self) -> int:
        """Number of channels."""
        return self._learned("_format").channels

    @property
    def n_tokens_(self) -> int | None:
        """Number of tokens; None for series of numbers."""
        return self._learned("_format").n_tokens

    def _automatic_batch_size(self, n_samples: int) -> int:
        return min(max(n_samples // 10, 16), 128, n_samples)

    def _resolve_max_iter(self, n_samples: int) -> int:
        if self.max_iter != "auto":
            return int(self.max_iter)
        has_one_answer = getattr(self, "pooling", None) is not None
        if not (self._format.has_unknown and has_one_answer) or self.solver == "lbfgs":
            return EPOCHS
        n_batches = self._count_batches(n_samples)
        return min(max(FEWEST_EPOCHS, math.ceil(TEXT_UPDATES / n_batches)), EPOCHS)

    # -------------------------------------------------------------------------------- network

    def _make_encoder(self, channels: int) -> nn.Module:
        """Return the encoder for series of so many channels."""
        raise NotImplementedError

    def _draws_torch_numbers(self) -> bool:
        return self._format.has_unknown or super()._draws_torch_numbers()

    def _step_weights(self, data: CheckedData) -> np.ndarray | None:
        """Return how often each step of the training series counts."""
        return None if data.sample_weight is None else repeat_for_steps(data.X, data.sample_weight)

    def _network_options(self, data: CheckedData) -> dict[str, Any]:
        """What the networks of all series estimators are built with."""
        return {
            "stem": self._make_stem(data.X),
            "activation": self.activation,
            "dropout": dropout_rates(self, 1)[0],
            "normalization": self.normalization,
        }

    def _make_input_layer(self, data: CheckedData) -> tuple[nn.Module, int]:
        """Return what comes first, and the channels that it gives."""
        if self._format.n_tokens is not None:
            layer = self._make_embedding(data.X, self._format.n_tokens)
            return layer, layer.embedding_dim
        layers: list[nn.Module] = []
        if self.standardize:
            weights = self._step_weights(data)
            statistics = channel_statistics(data.X, weights, self._format.centre)
            layers.append(Standardize(*_tensors(statistics)))
        if self.noise:
            layers.append(Noise(self.noise))
        if len(layers) != 1:
            layers = [nn.Sequential(*layers) if layers else nn.Identity()]
        return layers[0], self._format.channels

    def _make_embedding(self, X: np.ndarray | Ragged, n_tokens: int) -> Embedding:
        has_unknown = self._format.has_unknown
        is_random = has_unknown and self.solver != "lbfgs"
        rates = unknown_rates(X, n_tokens) if is_random else None
        vectors = word_vectors(self)
        if vectors is not None:
            layer = embedding_of(vectors, rates, unknown=has_unknown)
            layer.requires_grad_(not self.freeze_embedding)
            return layer
        size = self.embedding_size
        size = automatic_embedding_size(n_tokens) if size == "auto" else size
        return TokenEmbedding(n_tokens, size, rates) if has_unknown else Embedding(n_tokens, size)

    def _make_stem(self, X: np.ndarray | Ragged) -> Stem:
        if self.filters is None:
            return Stem()
        if isinstance(self.filters, str):  # "auto"
            n_convolutions = 0 if self._format.n_tokens is not None else len(STEM_KERNELS)
            filters = [self.hidden_size] * n_convolutions
        else:
            filters = positive_integers("filters", self.filters)
        n = len(filters)
        kernels = [*STEM_KERNELS, *[STEM_KERNELS[-1]] * n][:n]
        if not isinstance(self.kernel_size, str):
            kernels = per_layer("kernel_size", self.kernel_size, n, "convolutions")
        strides = self._automatic_strides(X, n)
        if not isinstance(self.stride, str):
            strides = per_layer("stride", self.stride, n, "convolutions")
        return Stem(
            filters,
            positive_integers("kernel_size", kernels),
            positive_integers("stride", strides),
        )

    def _automatic_strides(self, X: np.ndarray | Ragged, n_convolutions: int) -> list[int]:
        """Halve the series as often as leaves `STEM_STEPS`, beginning with the first layers."""
        lengths = X.lengths if isinstance(X, Ragged) else X.shape[1]
        n_steps = int(np.median(lengths))
        strides = [1] * n_convolutions
        turn = 0
        while n_convolutions and n_steps >= 2 * STEM_STEPS:
            strides[turn % n_convolutions] *= 2
            n_steps = -(-n_steps // 2)
            turn += 1
        return strides

    def _layer_size(self, X: np.ndarray | Ragged) -> int:
        # later series may be longer than those of training
        return math.ceil(self._work.layer_size * longest_series(X) / self._format.longest)

    def _measure_work(self) -> Work:
        # the dense layers of an attention block are four times as wide as its states
        layer_size = 4 * self.hidden_size * self._format.longest
        if self.module is not None:
            return Work.of_training(None, layer_size)
        return Work(self._count_flops(), layer_size)

    def _count_flops(self) -> float:
        """Return the operations of one series that run side by side."""
        return TRAINING_FLOPS * self.n_parameters_ * self._format.longest

    def _build_network(
        self, data: CheckedData, random_state: np.random.RandomState, dtype: torch.dtype
    ) -> SeriesEncoder:
        network = self._make_network(data)
        network.initialize(random_state)
        return network

    def _make_network(self, data: CheckedData) -> SeriesEncoder:
        """Return a network that ends in dense layers, without initial weights."""
        return SeriesNetwork(
            *self._make_input_layer(data),
            self._make_encoder,
            self.n_outputs_,
            pooling=getattr(self, "pooling", None),  # None where each step has an answer
            hidden_layer_sizes=positive_integers("hidden_layer_sizes", self.hidden_layer_sizes),
            **self._network_options(data),
        )


def hidden_layer_sizes() -> Any:
    """Declare the parameter of the estimators whose networks end in dense layers."""
    return parameter(
        default=(),
        constraints=HIDDEN_LAYER_SIZES_CONSTRAINTS,
        doc="""int or array-like of int
        Units of each hidden dense layer between the encoder and the output.""",
    )


def automatic_embedding_size(n_tokens: int) -> int:
    """Return how many numbers stand for a token, a multiple of 8."""
    return int(np.clip(8 * round(0.2 * n_tokens**0.56), 8, 64))


def unknown_rates(X: np.ndarray | Ragged, n_tokens: int) -> torch.Tensor:
    """Return how often each token is taken for an unknown one in training, (n_tokens,)."""
    # rare words are what unknown ones are like: a / (a + count), with a = 0.25 (Kiperwasser and
    # Goldberg, 2016, arXiv:1603.04351)
    counts = np.bincount(np.ravel(X.values if isinstance(X, Ragged) else X), minlength=n_tokens)
    rates = UNKNOWN_SHARE / (UNKNOWN_SHARE + np.maximum(counts, 1))
    rates[0] = 0.0
    return torch.from_numpy(rates)


def _tensors(arrays: tuple[np.ndarray, ...]) -> list[torch.Tensor]:
    return [torch.from_numpy(array) for array in arrays]
