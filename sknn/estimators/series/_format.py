"""X as series of numbers or of tokens."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sknn.data import (
    Ragged,
    SeriesRows,
    as_list_of_series,
    check_numbers,
    check_series_array,
    count_channels,
    fill_empty,
    join_series,
    known_tokens,
    longest_series,
    torch_type,
    warn_of_channels_first,
)
from sknn.estimators._inputs import count_dimensions
from sknn.estimators._statistics import centre_of
from sknn.nn.inputs import ArrangeSeries

from ._texts import refuse_texts
from ._vectors import check_rows, word_vectors

# Steps of a sample that stands for all series, if the network can do with so few.
SAMPLE_STEPS = 40


class SeriesFormat(NamedTuple):
    """Series of equal or different lengths, of one or several channels, or of tokens.

    A network that standardizes gets numbers far from 0 less a centre, since float32 has no digits
    for both; modules of the user's get them as they are. The tokens of a tokenizer say how many
    there are, and 0 stands for unknown ones: also for those of a text that has none.
    """

    channels: int  # numbers a step; 1 for tokens
    longest: int  # steps of the longest training series
    n_tokens: int | None = None  # where steps are tokens
    n_steps: int | None = None  # where X had a row a series: the length of the rows
    centre: tuple[float, ...] | None = None  # of each channel, see `centre_of`
    has_unknown: bool = False  # whether X came from a tokenizer, whose token 0 stands for others

    @property
    def may_be_float64(self) -> bool:
        """Whether float64 X may be computed in float64: never, which would cost too much."""
        return False

    @classmethod
    def learn(cls, X: Any, estimator: Any) -> tuple[SeriesFormat, np.ndarray | Ragged]:
        """Find channels, lengths and tokens of training series."""
        n_tokens, size = estimator.n_tokens, estimator.embedding_size
        vectors = word_vectors(estimator)
        series = as_list_of_series(X)
        refuse_texts(X, series, estimator)
        made = known_tokens(series)
        if made is not None and size is None:
            advice = (
                'embedding_size=None is for series of numbers. Set embedding_size="auto".'
                if "embedding_size" in estimator.get_params(deep=False)
                else f"{type(estimator).__name__} is for series of numbers. RecurrentClassifier, "
                "AttentionClassifier and their regressors take tokens."
            )
            raise ValueError(
                f"X has tokens of a tokenizer, whose numbers are no quantities, but {advice}"
            )
        if made is not None and series is not None and estimator._takes_empty:
            series = fill_empty(series)
        n_steps = None
        if series is not None or count_dimensions(X) > 2:
            checked = check_series_array(X) if series is None else join_series(series)
            estimator.__dict__.pop("feature_names_in_", None)  # of an earlier fit
            estimator.n_features_in_ = count_channels(checked)
        else:
            checked = torch_type(check_numbers(X, estimator, dtype="numeric"))
            n_steps = checked.shape[1]
        if size is None and n_tokens is not None:
            raise ValueError(
                f"n_tokens={n_tokens} is for X that holds tokens: set embedding_size, or "
                "n_tokens=None for series of numbers."
            )
        found = None
        if vectors is not None:
            found = check_tokens(checked, check_rows(vectors, made), "embedding")
        elif made is not None or n_tokens is not None or isinstance(size, Integral):
            named = "embedding_size" if isinstance(size, Integral) else "n_tokens"
            found = check_tokens(checked, made if n_tokens is None else n_tokens, named)
        if found is None:
            warn_of_channels_first(checked)
        centre = None
        if found is None and estimator.standardize and estimator.module is None:
            centre = centre_of(checked)
        channels, longest = count_channels(checked), longest_series(checked)
        return cls(channels, longest, found, n_steps, centre, made is not None), checked

    def check(self, X: Any, estimator: Any) -> np.ndarray | Ragged:
        """Return validated series with the channels, and the tokens, of the training data."""
        series = as_list_of_series(X)
        refuse_texts(X, series, estimator)
        made = known_tokens(series)
        if self.has_unknown and estimator.n_tokens is None and made not in (None, self.n_tokens):
            raise ValueError(
                f"X has tokens of a tokenizer that has {made}, but the estimator was fitted with "
                f"those of one that has {self.n_tokens}: a number means another token."
            )
        if series is not None:
            fills = self.has_unknown and estimator._takes_empty
            checked = join_series(fill_empty(series) if fills else series)
        elif count_dimensions(X) > 2:
            checked = check_series_array(X)
        elif self.n_steps is not None:
            checked = torch_type(check_numbers(X, estimator, reset=False, dtype="numeric"))
        else:
            checked = torch_type(check_numbers(X, dtype="numeric"))
        if count_channels(checked) != self.channels:
            raise ValueError(
                f"X has {count_channels(checked)} channel(s), but the estimator was fitted with "
                f"{self.channels}."
            )
        if self.n_tokens is not None:
            check_tokens(checked, self.n_tokens)
        return checked

    def rows(
        self, X: Any, device: torch.device, dtype: torch.dtype, module: nn.Module
    ) -> SeriesRows:
        """Wrap series, which are padded batch by batch."""
        return SeriesRows(X, device, dtype, tokens=self.n_tokens is not None, centre=self.centre)

    @property
    def may_vary_in_length(self) -> bool:
        """Whether X was no table, whose width is fixed."""
        return self.n_steps is None

    def module_arguments(self) -> dict[str, Any]:
        """Return the numbers of channels, of tokens, and of columns."""
        n_features = self.channels if self.n_steps is None else self.n_steps
        return {
            "n_features_in": n_features,
            "n_channels": self.channels,
            "n_tokens": self.n_tokens,
        }

    def empty_batch(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return zeros (1, steps, channels), or tokens (1, steps)."""
        if self.n_tokens is not None:
            return torch.zeros(1, self.longest, device=device, dtype=torch.int64)
        return torch.zeros(1, self.longest, self.channels, device=device, dtype=dtype)

    def sample_shape(self, fewest_steps: int) -> tuple[int, ...]:
        """Return (steps,) or (steps, channels); long series are cut."""
        if self.n_steps is not None:
            return (self.n_steps,)
        n_steps = max(fewest_steps, min(self.longest, SAMPLE_STEPS))
        return (n_steps,) if self.n_tokens is not None else (n_steps, self.channels)

    def input_module(self, dtype: torch.dtype) -> nn.Module:
        """Return a module that gives each step its channels, less their centre."""
        return ArrangeSeries(dtype, self.n_tokens is not None, self.centre)


def check_tokens(
    X: np.ndarray | Ragged, n_tokens: int | None, named: str = "embedding_size"
) -> int:
    """Validate integer tokens, and return how many there are; at most `n_tokens`."""
    values = X.values if isinstance(X, Ragged) else X
    if values.ndim > (1 if isinstance(X, Ragged) else 2):
        raise ValueError(
            f"{named} was set, so X has to hold tokens: one integer a step, but it has "
            f"{count_channels(X)} channel(s) in a dimension of their own. Set "
            f"{named}=None for series of numbers."
        )
    if values.dtype.kind not in "biu":
        raise ValueError(
            f"{named} was set, so X has to hold tokens, which are integers, but its type "
            f"is {values.dtype}. Cast it, or set {named}=None for series of numbers."
        )
    smallest, largest = int(values.min()), int(values.max())
    if smallest < 0:
        raise ValueError(f"X has the token {smallest}; tokens are integers from 0.")
    if n_tokens is not None and largest >= n_tokens:
        raise ValueError(
            f"X has the token {largest}, but there are {n_tokens}, from 0 to {n_tokens - 1}. Set "
            "n_tokens if there are more than the training data have."
        )
    return largest + 1 if n_tokens is None else n_tokens
