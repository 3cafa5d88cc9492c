"""Generators of token sequences."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from sklearn.base import _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sknn._parameters import declares_parameters, inherited, parameter
from sknn._validation import BELOW_ONE, NOT_NEGATIVE, POSITIVE_INTEGER, validated
from sknn.data import (
    Ragged,
    SeriesRows,
    as_list_of_series,
    check_series_array,
    join_series,
    known_tokens,
)
from sknn.estimators._base import NeuralEstimator
from sknn.estimators._checks import CheckedData, FitArguments, check_weights, naming
from sknn.estimators._inputs import array_like
from sknn.estimators._training_parameters import refuse_with_lbfgs
from sknn.estimators.series._family import unknown_rates
from sknn.estimators.series._format import check_tokens
from sknn.estimators.series._recurrent import RecurrentLayers, count_recurrent_flops
from sknn.estimators.series._texts import refuse_texts
from sknn.estimators.targets import NextTokens
from sknn.nn import Embedding, RecurrentEncoder, SeriesNetwork, TokenEmbedding
from sknn.nn.inputs import ArrangeSeries
from sknn.training import Work, sample_tokens, token_log_likelihood


class TokenizedWindows(Ragged):
    """Windows of tokens that a tokenizer has made, so that 0 stands for unknown ones."""


class WindowFormat(NamedTuple):
    """Windows of tokens, as the generator cuts them."""

    n_tokens: int
    has_unknown: bool = False  # whether a tokenizer has made them, whose token 0 stands for others

    @classmethod
    def learn(cls, X: Ragged, estimator: Any) -> tuple[WindowFormat, Ragged]:
        """Take the number of tokens, which is the mark that each sequence begins with."""
        return cls(int(X.values.max()), isinstance(X, TokenizedWindows)), X

    @property
    def may_be_float64(self) -> bool:
        """Whether float64 X may be computed in float64: never, which would cost too much."""
        return False

    def check(self, X: Ragged, estimator: Any) -> Ragged:
        """Take windows as they are."""
        return X

    def rows(
        self, X: Ragged, device: torch.device, dtype: torch.dtype, module: nn.Module
    ) -> SeriesRows:
        """Wrap windows, which are padded batch by batch."""
        return SeriesRows(X, device, dtype, tokens=True)

    @property
    def may_vary_in_length(self) -> bool:
        """Always."""
        return True

    def module_arguments(self) -> dict[str, Any]:
        """Return the number of tokens."""
        return {"n_tokens": self.n_tokens}

    def empty_batch(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return a single token."""
        return torch.zeros(1, 1, device=device, dtype=torch.int64)

    def sample_shape(self, fewest_steps: int) -> tuple[int, ...]:
        """Return (steps,)."""
        return (fewest_steps,)

    def input_module(self, dtype: torch.dtype) -> nn.Module:
        """Return a module that makes tokens of integers."""
        return ArrangeSeries(dtype, tokens=True)


@declares_parameters
class SequenceGenerator(NeuralEstimator):
    """Recurrent network that learns what token comes next, and writes sequences of its own.

    A language model: of texts as characters or words (:class:`sknn.text.Tokenizer` makes tokens
    of them and texts of what is sampled), or of any sequences of integers from 0. X is a list
    (or one-dimensional object array) of arrays of tokens, or an array of shape (n_samples,
    n_steps): many short sequences, whose ends are learned too, or a few long ones, which are
    trained on in windows. Losses and scores in `history_` count the ends as tokens;
    :meth:`score` and :meth:`perplexity` do not.

    `early_stopping` without `X_val` sets windows aside, not sequences. A `module` of the user's
    is called with `n_tokens` and `n_outputs`, which is one more, if it takes them, and maps a
    batch of tokens of shape (n_windows, n_steps), and their lengths where they differ, to
    outputs of shape (sum of the lengths, n_outputs). To sample and to score it has to be a
    ``sknn.nn.SeriesNetwork`` with a recurrent encoder that reads forwards.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    n_tokens_ : int
        Number of tokens.
    {attributes}

    See Also
    --------
    sknn.text.Tokenizer : From texts to tokens and back.
    EncoderDecoderClassifier : Sequences that answer others.

    References
    ----------
    .. [1] A. Graves, "Generating sequences with recurrent neural networks", 2013,
       arXiv:1308.0850.

    Examples
    --------
    >>> from sknn.sequences import SequenceGenerator
    >>> from sknn.text import Tokenizer
    >>> texts = ["do re mi fa sol la ti"] * 20 + ["ti la sol fa mi re do"] * 20
    >>> tokenizer = Tokenizer()
    >>> X = tokenizer.fit_transform(texts)
    >>> generator = SequenceGenerator(hidden_size=32, max_iter=60, random_state=0).fit(X)
    >>> prompt = tokenizer.transform(["ti la"])[0]
    >>> tokenizer.inverse_transform(generator.sample(prompt=prompt, random_state=0))[0]
    'ti la sol fa mi re do'
    >>> bool(generator.perplexity(X) < 1.5)
    True
    """

    cell: str = inherited(RecurrentLayers, "cell", default="lstm")
    hidden_size: int = parameter(
        default=256,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Width of the recurrent states.""",
    )
    n_layers: int = parameter(
        default=1,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Recurrent layers.""",
    )
    embedding_size: int = parameter(
        default=64,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        How many numbers stand for a token in the network.""",
    )
    n_tokens: int | None = inherited(RecurrentLayers, "n_tokens", default=None)
    dropout: float = parameter(
        default=0.2,
        constraints=[BELOW_ONE],
        doc="""float
        Probability with which a number is set to zero in training: between the recurrent layers
        and before the output.""",
    )
    window: int = parameter(
        default=128,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Longest piece of a sequence that is trained on at once: how far back a token's influence
        is learned. Sampling and scores read sequences as a whole.""",
    )
    batch_size: int | str = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "all"}), POSITIVE_INTEGER],
        doc="""int, "auto" or "all"
        Windows a batch; "auto" is 16, or all where there are fewer, and "all" every window. Not
        used by "lbfgs".""",
    )
    learning_rate: str = inherited(RecurrentLayers, "learning_rate", default="one_cycle")
    learning_rate_init: float = inherited(RecurrentLayers, "learning_rate_init", default=0.005)
    max_iter: int = inherited(RecurrentLayers, "max_iter", default=20)
    max_grad_norm: float | None = inherited(RecurrentLayers, "max_grad_norm", default=1.0)

    _family_attributes: ClassVar[str] = ""

    # the loss compares probabilities of tokens, always
    loss: ClassVar[str] = "log_loss"

    _format_kind = WindowFormat
    _format: ClassVar[WindowFormat]
    _targets_kind = NextTokens

    def _of_this_version(self, state: dict[str, Any]) -> dict[str, Any]:
        if "n_tokens_" in state:
            state.setdefault("_format", WindowFormat(state["n_tokens_"]))
        return super()._of_this_version(state)

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
    ) -> Any:
        """Learn what token comes next.

        Ctrl-C ends the training, leaves the generator fitted with the weights so far, and is
        raised again.

        Parameters
        ----------
        X : list of array-like of shape (n_steps_i,), or array-like of shape (n_samples, n_steps)
            Sequences of integer tokens from 0.
        y : None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the sequences, not negative.
        X_val : as X, default=None
            Validation sequences, which are scored after every epoch.

        Returns
        -------
        self : SequenceGenerator
            The fitted generator.
        """
        continued = self.warm_start and hasattr(self, "module_")
        refuse_texts(X, as_list_of_series(X), self)
        sequences, n_tokens = check_sequences(X, self.n_tokens_ if continued else self.n_tokens)
        weights = check_weights("sample_weight", sample_weight, sequences)
        windows, parents = cut_windows(sequences, self.window, n_tokens)
        read, following = read_and_following(windows)
        if known_tokens(as_list_of_series(X)) is not None:
            read = TokenizedWindows(read.values, read.lengths)
        validation = None
        if X_val is not None:
            with naming("X_val"):
                held_out, _ = check_sequences(X_val, n_tokens)
            windows_val, _ = cut_windows(held_out, self.window, n_tokens)
            validation = (*read_and_following(windows_val), None)
        weights = None if weights is None else weights[parents]
        return self._fit(FitArguments(read, following, weights, validation))

    def _check_prompt(self, prompt: Any) -> np.ndarray:
        tokens = np.asarray([] if prompt is None else prompt)
        if tokens.ndim != 1 or (len(tokens) and tokens.dtype.kind not in "biu"):
            raise ValueError(
                "prompt needs integer tokens, of shape (n_prompt,), but it is of type "
                f"{tokens.dtype} and shape {tokens.shape}."
            )
        unknown = tokens[(tokens < 0) | (tokens >= self.n_tokens_)]
        if len(unknown):
            raise ValueError(
                f"prompt has the token {unknown[0]}, but there are {self.n_tokens_}, from 0 to "
                f"{self.n_tokens_ - 1}."
            )
        return tokens.astype(np.int64)

    def _automatic_batch_size(self, n_samples: int) -> int:
        return min(16, n_samples)

    # -------------------------------------------------------------------------------- network

    def _build_network(
        self, data: CheckedData, random_state: np.random.RandomState, dtype: torch.dtype
    ) -> SeriesNetwork:
        if self.dropout:
            refuse_with_lbfgs(self.solver, "dropout", off=0)
        make_encoder = partial(
            RecurrentEncoder,
            hidden_size=self.hidden_size,
            n_layers=self.n_layers,
            cell=self.cell,
            dropout=self.dropout,
        )
        network = SeriesNetwork(
            # a further one is the mark before the first token and behind the last
            self._make_embedding(data, self.n_tokens_ + 1),
            self.embedding_size,
            make_encoder,
            self.n_outputs_,
            pooling=None,
            dropout=self.dropout,
        )
        network.initialize(random_state)
        return network

    def _make_embedding(self, data: CheckedData, n_tokens: int) -> Embedding:
        if not self._format.has_unknown:
            return Embedding(n_tokens, self.embedding_size)
        rates = None if self.solver == "lbfgs" else unknown_rates(data.X, n_tokens)
        return TokenEmbedding(n_tokens, self.embedding_size, rates)

    def _draws_torch_numbers(self) -> bool:
        return self._format.has_unknown or super()._draws_torch_numbers()

    def _measure_work(self) -> Work:
        layer_size = 4 * self.hidden_size * self.window
        if self.module is not None:
            return Work.of_training(None, layer_size)
        return Work(count_recurrent_flops(self.module_), layer_size)

    # ------------------------------------------------------------------------ what it is for

    @validated(
        {
            "n_samples": [POSITIVE_INTEGER],
            "max_length": [POSITIVE_INTEGER],
            "temperature": [NOT_NEGATIVE],
            "random_state": ["random_state"],
        }
    )
    def sample(
        self,
        n_samples: int = 1,
        *,
        prompt: Any = None,
        max_length: int = 200,
        temperature: float = 1.0,
        random_state: int | np.random.RandomState | None = None,
    ) -> np.ndarray:
        """Write sequences, each token drawn with its probability after those before it.

        Parameters
        ----------
        n_samples : int, default=1
            Number of sequences.
        prompt : array-like of int and shape (n_prompt,), default=None
            Tokens that each sequence begins with; None begins where the training sequences do.
        max_length : int, default=200
            Tokens that are written at most, the prompt not counted; a sequence ends before if the
            generator ends it.
        temperature : float, default=1.0
            By which logits are divided: below 1 likely tokens are drawn more often, and 0 always
            takes the likeliest.
        random_state : int, RandomState instance or None, default=None
            Draws the tokens.

        Returns
        -------
        object ndarray of shape (n_samples,)
            An array of tokens for each sequence, the prompt included; empty where the generator
            ends a sequence at once.
        """
        check_is_fitted(self)
        begun = self._check_prompt(prompt)
        rng = check_random_state(random_state)
        written = sample_tokens(
            self.module_,
            np.append(self.n_tokens_, begun),
            n_samples,
            max_length=max_length,
            temperature=temperature,
            end=self.n_tokens_,
            seed=rng.randint(np.iinfo(np.int32).max),
        )
        sequences = [np.concatenate([begun, each]) for each in written]
        return Ragged.from_list(sequences).to_objects()

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean logarithm of the probability of each token after those before it.

        Parameters
        ----------
        X : list of array-like of shape (n_steps_i,), or array-like of shape (n_samples, n_steps)
            Sequences.
        y : None
            Not used.

        Returns
        -------
        float
            In natural units (nats); larger is better. The ends of the sequences are not counted.
        """
        check_is_fitted(self)
        refuse_texts(X, as_list_of_series(X), self)
        sequences, _ = check_sequences(X, self.n_tokens_)
        total = token_log_likelihood(self.module_, list(sequences), mark=self.n_tokens_)
        return total / len(sequences.values)

    def perplexity(self, X: Any) -> float:
        """Return the perplexity ``exp(-score(X))``: between how many tokens it seems to choose.

        Parameters
        ----------
        X : list of array-like of shape (n_steps_i,), or array-like of shape (n_samples, n_steps)
            Sequences.

        Returns
        -------
        float
            1 at best; the number of tokens for uniform probabilities.
        """
        return float(np.exp(-self.score(X)))


def check_sequences(X: Any, n_tokens: int | None) -> tuple[Ragged, int]:
    """Return validated sequences, and how many tokens there are; None asks the sequences."""
    X = array_like(X, "X")
    if isinstance(X, list | tuple) and not len(X):
        raise ValueError("X is empty; at least one sequence is needed.")
    series = as_list_of_series(X)
    made = known_tokens(series)
    n_tokens = made if n_tokens is None else n_tokens
    checked = check_series_array(X) if series is None else join_series(series)
    if not isinstance(checked, Ragged):
        checked = Ragged.from_list(list(checked))
    if checked.values.ndim > 1 or checked.dtype.kind not in "biu":
        raise ValueError(
            "X needs sequences of integer tokens, of shape (n_tokens,), but the first is of "
            f"type {checked.dtype} and shape {checked[0].shape}."
        )
    return checked, check_tokens(checked, n_tokens)


def read_and_following(windows: Ragged) -> tuple[Ragged, Ragged]:
    """Part windows into what is read and what comes next."""
    last = windows.starts + windows.lengths - 1
    read = Ragged(np.delete(windows.values, last), windows.lengths - 1)
    return read, Ragged(np.delete(windows.values, windows.starts), windows.lengths - 1)


def cut_windows(sequences: Ragged, window: int, mark: int) -> tuple[Ragged, np.ndarray]:
    """Mark both ends of sequences and cut them; return windows, and the sequence of each."""
    # a window predicts `window` tokens at most, and begins with the last token of the one before
    pieces, parents = [], []
    for number, tokens in enumerate(sequences):
        marked = np.concatenate([[mark], tokens, [mark]])
        for start in range(0, len(marked) - 1, window):
            pieces.append(marked[start : start + window + 1])
            parents.append(number)
    return Ragged.from_list(pieces), np.array(parents)
