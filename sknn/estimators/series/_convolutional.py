"""Convolutional networks: X holds series."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions
from torch import nn

from sknn._parameters import declares_parameters, inherited, parameter
from sknn._validation import POSITIVE_INTEGER
from sknn.data import repeat_for_steps
from sknn.estimators._base import FLOAT64
from sknn.estimators._checks import CheckedData
from sknn.estimators._classifier import NeuralClassifierBase
from sknn.estimators._ensemble import EnsembleEstimator
from sknn.estimators._layers import LayerParameters, dropout_rates, positive_integers
from sknn.estimators._regressor import NeuralRegressorBase
from sknn.estimators._statistics import channel_statistics, weighted_statistics
from sknn.nn import (
    DenseNetwork,
    FeatureNetwork,
    InceptionEncoder,
    LiteEncoder,
    Noise,
    SeriesNetwork,
    Standardize,
)
from sknn.preprocessing import Rocket
from sknn.training import SOLVERS, TRAINING_FLOPS, Work

from ._family import noise
from ._format import SeriesFormat
from ._rocket_format import RocketFormat

# Networks that are trained from end to end; "minirocket" has fixed convolutions.
ENCODERS = {"inception": InceptionEncoder, "lite": LiteEncoder}
ARCHITECTURES = ("minirocket", *ENCODERS)
# What "auto" is for them: small batches have made them worse, and this many steps of the optimizer
# do where many more change little.
LARGEST_BATCH = 64
FEWEST_UPDATES = 200
FEWEST_EPOCHS = 30
MEMBERS = 5
EPOCHS = 30  # of dense layers on fixed features
# Training series up to which "auto" solves for the weights of a linear layer: equations take time
# that grows with the cube of the number.
MOST_SOLVED = 4000
# Standard deviations of shares are taken to be this at least, so that the few series in which an
# otherwise constant feature is different do not outweigh all others.
SMALLEST_SCALE = 0.01
# Standardized features of the changes from step to step are divided by this: the same penalty then
# weighs on their coefficients four times as much as on those of the series.
CHANGES_SCALE = 2.0


@declares_parameters
class ConvSeriesEstimator(EnsembleEstimator, LayerParameters):
    """Convolutions over the steps of series.

    Parameters
    ----------
    {parameters}
    """

    architecture: str = parameter(
        default="minirocket",
        constraints=[StrOptions(set(ARCHITECTURES))],
        doc="""{"minirocket", "inception", "lite"}
        Where the features come from. "minirocket" has fixed convolutions, of which the share of the
        steps above many biases is computed once (Dempster et al., 2021), for the series and for the
        changes from step to step. The others are trained: "inception" is the network of
        InceptionTime (Ismail Fawaz et al., 2020; 420,000 weights, kernels of 40, 20 and 10 steps),
        whose training takes minutes; "lite" (Ismail-Fawaz et al., 2024) is a small one of 10,000
        weights. Both end in the mean over the steps.""",
    )
    n_estimators: Any = parameter(
        default="auto",
        constraints=[StrOptions({"auto"}), POSITIVE_INTEGER],
        doc="""int or "auto"
        Number of networks, whose probabilities (`predict_proba`) or predictions are averaged. They
        differ in their initial weights, orders of the series and validation parts; on a CPU several
        are trained at a time, in threads. "auto" is 5 for "inception" and "lite", as their authors
        have it, and 1 for "minirocket". Seeds come from `random_state`, so the first networks of a
        larger ensemble are those of a smaller one.""",
    )
    n_features: int = parameter(
        default=10_000,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Features of "minirocket" of the series, and as many again of the changes; rounded down to
        a multiple of 84.""",
    )
    hidden_layer_sizes: int | Sequence[int] | None = inherited(
        LayerParameters, "hidden_layer_sizes", default=()
    )
    solver: Any = parameter(
        default="auto",
        constraints=[StrOptions({*SOLVERS, "lbfgs", "ridge", "auto"}), callable],
        doc="""{"auto", "ridge", "adam", "sgd", "lbfgs", "adamw", "nadam", "radam", "adamax", \
        "rmsprop", "adagrad", "adadelta"} or torch.optim.Optimizer class
        How the weights are found. "ridge" solves for those of a linear layer (no hidden layers): it
        minimises squared errors, of 1 and -1 for labels, with the penalty that is best for rows
        left out one by one; the outputs become logits by the factor that is best for the same
        rows. It takes all series at once, and no `alpha`. "auto" is "ridge" for "minirocket"
        without hidden layers and up to 4,000 series, else "adam".""",
    )
    noise: float = noise(default=0.1)
    batch_size: int | str = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "all"}), POSITIVE_INTEGER],
        doc="""int, "auto" or "all"
        Series a batch; "auto" is up to 200 for "minirocket" and up to 64 for the others, and "all"
        every series. Not used by "ridge" and "lbfgs".""",
    )
    learning_rate: str = inherited(LayerParameters, "learning_rate", default="one_cycle")
    learning_rate_init: float = inherited(LayerParameters, "learning_rate_init", default=0.001)
    max_iter: Any = parameter(
        default="auto",
        constraints=[StrOptions({"auto"}), POSITIVE_INTEGER],
        doc="""int or "auto"
        Largest number of epochs. "auto" is 30, and for "inception" and "lite" as many more as make
        200 batches.""",
    )

    _family_attributes: ClassVar[str] = """
        n_features_in_ : int
            Number of steps, if X was two-dimensional; else number of channels.
        n_channels_ : int
            Number of channels.
        """

    # what the format asks for: these are numbers
    embedding: ClassVar[None] = None
    freeze_embedding: ClassVar[bool] = False
    embedding_size: ClassVar[None] = None
    n_tokens: ClassVar[None] = None
    standardize: ClassVar[bool] = True

    _format_kind = SeriesFormat
    _takes = ("three_d_array",)
    _format: ClassVar[SeriesFormat | RocketFormat]  # type: ignore[assignment]

    @property
    def _scales_targets(self) -> bool:  # type: ignore[override]
        return self.module is None

    @property
    def _scales_data(self) -> bool:  # type: ignore[override]
        return self._scales_targets

    # ---------------------------------------------------------------------------------- input

    @property
    def n_channels_(self) -> int:
        """Number of channels."""
        return self._learned("_format").channels

    @property
    def _has_fixed_features(self) -> bool:
        return self.architecture == "minirocket" and self.module is None

    def _goes_on(self, incremental: bool) -> bool:
        goes_on = super()._goes_on(incremental)
        if goes_on and isinstance(self._format, RocketFormat) != self._has_fixed_features:
            raise ValueError(
                "warm_start and partial_fit go on with the network of the last fit, which "
                "architecture='minirocket' cannot be changed to or from. Fit a clone."
            )
        return goes_on

    def _learn_features(self, X: Any, sample_weight: np.ndarray | None) -> Any:
        """Choose the convolutions of training series, and return their features."""
        if not self._has_fixed_features:
            return X
        assert isinstance(self._format, SeriesFormat)
        # a copy: the weights' own draws are what the user's generator has given
        random = check_random_state(copy.deepcopy(self.random_state))
        rocket = Rocket.learn(
            X, self.n_features, random, differences=True, sample_weight=sample_weight
        )
        series = self._format._replace(centre=None)  # the features have their own
        self._format = RocketFormat(series, rocket, len(X))  # type: ignore[misc]
        return rocket.features(X)

    def _answer_type(self, X: Any) -> np.dtype:
        if self._has_fixed_features:
            return FLOAT64  # whatever type the series had that the features are of
        return super()._answer_type(X)

    # --------------------------------------------------------------------------------- solver

    @property
    def _solver(self) -> Any:
        """The solver of this fit."""
        if self.solver == "ridge":
            self._check_ridge()
        if not isinstance(self.solver, str) or self.solver != "auto":
            return self.solver
        n_series = getattr(self.__dict__.get("_format"), "n_series", 0)
        is_linear = self._has_fixed_features and not self._hidden_sizes()
        can_be_solved = is_linear and self._is_squared() and not self._holds_out(n_series)
        return "ridge" if can_be_solved and n_series <= MOST_SOLVED else "adam"

    def _count_members(self, n_rows: int) -> int:
        if self.n_estimators == "auto":
            return MEMBERS if self.architecture in ENCODERS and self.module is None else 1
        if self.n_estimators > 1 and self._solver == "ridge":
            raise ValueError(
                f"n_estimators={self.n_estimators} networks would be equal: with "
                "solver='ridge' nothing in them is random. Use n_estimators=1, or solver='adam'."
            )
        return int(self.n_estimators)

    def _hidden_sizes(self) -> list[int]:
        return positive_integers("hidden_layer_sizes", self.hidden_layer_sizes)

    def _is_squared(self) -> bool:
        """Return whether squared errors are a way to minimise the loss."""
        return self.loss in ("log_loss", "squared_error")

    def _check_ridge(self) -> None:
        """Refuse what does not go with solver="ridge"."""
        for name, is_wrong, allowed in (
            ("module", self.module is not None, "None"),
            ("architecture", not self._has_fixed_features, "'minirocket'"),
            ("hidden_layer_sizes", bool(self._hidden_sizes()), "()"),
            ("loss", not self._is_squared(), "'log_loss' or 'squared_error'"),
        ):
            if is_wrong:
                raise ValueError(
                    f"solver='ridge' solves for one linear layer of fixed features, which "
                    f"{name}={getattr(self, name)!r} does not go with: use {allowed}, or "
                    "solver='adam'."
                )

    def _automatic_batch_size(self, n_samples: int) -> int:
        if self.architecture in ENCODERS:
            return min(LARGEST_BATCH, n_samples)
        return super()._automatic_batch_size(n_samples)

    def _resolve_max_iter(self, n_samples: int) -> int:
        if self.max_iter != "auto":
            return int(self.max_iter)
        if self.architecture not in ENCODERS or self.module is not None:
            return EPOCHS
        return max(FEWEST_EPOCHS, math.ceil(FEWEST_UPDATES / self._count_batches(n_samples)))

    # -------------------------------------------------------------------------------- network

    def _measure_work(self) -> Work:
        if self.module is not None:
            return Work.of_training(None, self._format.longest)
        if self.architecture in ENCODERS:
            network: Any = self.module_
            longest = self._format.longest
            flops = TRAINING_FLOPS * self.n_parameters_ * longest
            return Work(flops, network.encoder.width * longest)
        return Work.of_training(self.n_parameters_, max([1, *self._hidden_sizes()]))

    def _build_network(
        self, data: CheckedData, random_state: np.random.RandomState, dtype: torch.dtype
    ) -> nn.Module:
        if self.architecture in ENCODERS:
            network = self._make_trained_network(data)
            network.initialize(random_state)
            return network
        assert isinstance(self._format, RocketFormat)
        mean, scale = weighted_statistics(data.X, data.sample_weight)
        scale = np.maximum(scale, SMALLEST_SCALE)
        scale[len(self._format.rocket.kernels[0].biases) :] *= CHANGES_SCALE
        dense = DenseNetwork(
            data.X.shape[1],
            self._hidden_sizes(),
            self.n_outputs_,
            activation=self.activation,
            dropout=dropout_rates(self, len(self._hidden_sizes())),
            normalization=self.normalization,
            random_state=random_state,
            dtype=dtype,
        )
        return FeatureNetwork(
            Standardize(torch.from_numpy(mean), torch.from_numpy(scale)).to(dtype), dense
        )

    def _make_trained_network(self, data: CheckedData) -> SeriesNetwork:
        """Return a network of convolutions that are trained, without initial weights."""
        if isinstance(self.activation, list | tuple):
            raise ValueError(
                f"architecture={self.architecture!r} takes one activation for all hidden layers, "
                f"got {self.activation!r}."
            )
        weights = data.sample_weight
        if weights is not None:
            weights = repeat_for_steps(data.X, weights)
        assert isinstance(self._format, SeriesFormat)
        mean, scale = channel_statistics(data.X, weights, self._format.centre)
        layers: list[nn.Module] = [Standardize(torch.from_numpy(mean), torch.from_numpy(scale))]
        if self.noise:
            layers.append(Noise(self.noise))
        return SeriesNetwork(
            nn.Sequential(*layers),
            self._format.channels,
            ENCODERS[self.architecture],
            self.n_outputs_,
            pooling="mean",
            hidden_layer_sizes=self._hidden_sizes(),
            activation=self.activation,
            dropout=dropout_rates(self, 1)[0],
            normalization=self.normalization,
        )


@declares_parameters
class ConvSeriesClassifier(ConvSeriesEstimator, NeuralClassifierBase):
    """Convolutional network for the classification of series.

    X holds series of one channel as rows of shape (n_samples, n_steps), series of several
    channels as an array of shape (n_samples, n_steps, n_channels), or series of different
    lengths as a list (or a one-dimensional object array) of arrays of shape (n_steps_i,
    n_channels) or (n_steps_i,). What a series is predicted does not depend on what stands beside
    it. Binary, multiclass and multilabel problems.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}
    classes_ : ndarray of shape (n_classes,)
        The labels; for multilabel problems the numbers of the labels.

    See Also
    --------
    RecurrentClassifier : Recurrent layers over the steps.
    AttentionClassifier : A transformer encoder over the steps.
    ConvSeriesRegressor : The same network for regression.
    sknn.preprocessing.MiniRocket : The features alone.

    References
    ----------
    .. [1] A. Dempster, D. F. Schmidt and G. I. Webb, "MiniRocket: a very fast (almost)
       deterministic transform for time series classification", KDD 2021, arXiv:2012.08791.
    .. [2] C. W. Tan, A. Dempster, C. Bergmeir and G. I. Webb, "MultiRocket: multiple pooling
       operators and transformations for fast and effective time series classification", Data
       Mining and Knowledge Discovery 36, 2022, arXiv:2102.00457.
    .. [3] H. Ismail Fawaz et al., "InceptionTime: finding AlexNet for time series
       classification", Data Mining and Knowledge Discovery 34, 2020, arXiv:1909.04939.
    .. [4] A. Ismail-Fawaz, M. Devanne, S. Berretti, J. Weber and G. Forestier, "Look into the
       LITE in deep learning for time series classification", 2024, arXiv:2409.02869.

    Examples
    --------
    Which of two frequencies?

    >>> import numpy as np
    >>> from sknn import ConvSeriesClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["slow", "fast"], 30)
    >>> speed = np.where(y == "slow", 1, 2)
    >>> X = np.sin(np.outer(speed, np.arange(50) / 3) + rng.uniform(0, 6, size=(60, 1)))
    >>> X += rng.normal(scale=0.3, size=X.shape)
    >>> classifier = ConvSeriesClassifier(random_state=0).fit(X[::2], y[::2])
    >>> classifier.score(X[1::2], y[1::2])
    1.0
    """


@declares_parameters
class ConvSeriesRegressor(ConvSeriesEstimator, NeuralRegressorBase):
    """Convolutional network for values that belong to series.

    X is as for :class:`ConvSeriesClassifier`. One or several targets.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    RecurrentRegressor : Recurrent layers over the steps.
    ConvSeriesClassifier : The same network for classification.

    Examples
    --------
    The frequency of a noisy sine:

    >>> import numpy as np
    >>> from sknn import ConvSeriesRegressor
    >>> rng = np.random.default_rng(0)
    >>> y = rng.uniform(0.1, 0.5, size=300)
    >>> X = np.sin(y[:, None] * np.arange(30) + rng.uniform(0, 6, size=(300, 1)))
    >>> regressor = ConvSeriesRegressor(random_state=0).fit(X[:200], y[:200])
    >>> bool(regressor.score(X[200:], y[200:]) > 0.9)
    True
    """
