"""Estimators for tables: numbers and categories with gaps, a row a sample."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import is_classifier
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from sknn._documentation import composed
from sknn._parameters import declares_parameters, inherited, parameter
from sknn._validation import POSITIVE, POSITIVE_INTEGER
from sknn.estimators._classifier import NeuralClassifierBase
from sknn.estimators._ensemble import EnsembleEstimator
from sknn.estimators._fit import CheckedData, PreparedFit
from sknn.estimators._layers import LayerParameters, dropout_rates, positive_integers
from sknn.estimators._regressor import NeuralRegressorBase
from sknn.nn import DenseNetwork, FeatureEncoder
from sknn.training import Listener, TimeLimit, Work, held_out_outputs

from ._columns import COLUMNS
from ._encoding import NUMERICAL_EMBEDDINGS, automatic_bins, embedding_names, make_encoder
from ._format import TableFormat

# The defaults that follow the number of rows.
STEPS = 2500
BATCH_SIZE = 128
FEWEST_EPOCHS, MOST_EPOCHS = 20, 200
N_MEMBERS, MOST_FOLDS = 8, 8
# Of fewer rows none is held out.
FEWEST_ROWS = 20

AUTO = StrOptions({"auto"})

FLOAT64 = np.dtype(np.float64)


@declares_parameters
class TabularEstimator(EnsembleEstimator, LayerParameters):
    """Input convention and networks of the estimators for tables.

    Parameters
    ----------
    {parameters}
    """

    categorical_features: Any = parameter(
        default="from_dtype",
        constraints=["array-like", StrOptions({"from_dtype"}), None],
        doc="""array-like of {bool, int, str}, "from_dtype" or None
        Which columns are categories: a mask, column numbers or column names. "from_dtype" takes
        columns of categories and of strings; with None every column has to be a number.""",
    )
    numerical_embedding: Any = parameter(
        default=NUMERICAL_EMBEDDINGS,
        constraints=[StrOptions(set(NUMERICAL_EMBEDDINGS)), list, tuple, None],
        doc="""{"piecewise_linear", "periodic"}, sequence of them or None
        What the first layer gets beside each scaled number. "piecewise_linear": the share of each
        of `n_bins` bins that lies below it (Gorishniy et al., 2022, arXiv:2203.05556).
        "periodic": three learned linear functions of 16 cosines of learned frequencies (PBLD of
        Holzmueller et al., 2024, arXiv:2407.04491).""",
    )
    n_bins: int | str = parameter(
        default="auto",
        constraints=[POSITIVE_INTEGER, AUTO],
        doc="""int or "auto"
        Largest number of bins a column. Their edges are quantiles; a value with more rows than an
        average bin is an edge together with its two neighbours. "auto" is 32 for
        regression; for classes a bin for every 400 rows, at least 8 and at most 48.""",
    )
    scaling: str | None = parameter(
        default="robust",
        constraints=[StrOptions({"robust", "standard"}), None],
        doc="""{"robust", "standard"} or None
        How numbers are scaled. "robust" takes off the median, divides by the interquartile range
        and clips smoothly, ``x / sqrt(1 + (x / 3)^2)``; "standard" takes off the mean and divides
        by the standard deviation. Missing numbers become the median in any case, and an indicator
        says so.""",
    )
    frequency_scale: float = parameter(
        default=0.1,
        constraints=[POSITIVE],
        doc="""float
        Standard deviation of the first frequencies of "periodic" embeddings, in oscillations an
        interquartile range.""",
    )
    max_onehot: int = parameter(
        default=9,
        constraints=[Interval(Real, 0, None, closed="left")],
        doc="""int
        Categories with at most so many levels become zeros and a one, others an embedding.""",
    )
    embedding_size: int = parameter(
        default=8,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Learned numbers for each level of a category with many levels.""",
    )
    validation: str = parameter(
        default="folds",
        constraints=[StrOptions({"folds", "holdout"})],
        doc="""{"folds", "holdout"}
        What `early_stopping` watches if `fit` gets no `X_val`. "folds" deals the rows into as many
        parts as there are networks, at most 8, and each network holds out another one: all rows
        are trained on, and the answers of networks that have not seen them make
        `oof_predictions_`. "holdout", and a single network, hold out `validation_fraction`. Of
        fewer than 20 rows none is held out.""",
    )

    hidden_layer_sizes: int | Sequence[int] | None = inherited(
        LayerParameters, "hidden_layer_sizes", default=(128, 128)
    )
    dropout: float | Sequence[float] = inherited(LayerParameters, "dropout", default=0.1)
    n_estimators: Any = parameter(
        default="auto",
        constraints=[POSITIVE_INTEGER, AUTO],
        doc="""int or "auto"
        Number of networks, whose probabilities (`predict_proba`) or predictions are averaged; they
        differ in their initial weights, orders of the rows and held-out rows, and are trained as
        one program. "auto" is 8. Their seeds come from `random_state`, so the first networks of a
        larger ensemble are those of a smaller one, if they have the same folds. A warm start goes
        on with all members; if `n_estimators` has grown, further ones start from new weights.""",
    )
    solver: Any = inherited(LayerParameters, "solver", default="adamw")
    beta_2: float = inherited(LayerParameters, "beta_2", default=0.99)
    learning_rate: str = inherited(LayerParameters, "learning_rate", default="warmup_cosine")
    batch_size: Any = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "all"}), POSITIVE_INTEGER],
        doc="""int, "auto" or "all"
        Rows a batch. "auto" is about 128, so that all batches are of nearly equal size.""",
    )
    max_iter: Any = parameter(
        default="auto",
        constraints=[POSITIVE_INTEGER, AUTO],
        doc="""int or "auto"
        Largest number of epochs. "auto" gives 2,500 updates of the weights, in 20 to 200
        epochs.""",
    )
    early_stopping: bool = parameter(
        default=True,
        constraints=["boolean"],
        doc="""bool
        Whether to watch the loss of held-out rows, or of `X_val` if `fit` gets it, to end where it
        does not improve, whatever the schedule, and to keep the weights of the best epoch.""",
    )
    n_iter_no_change: Any = parameter(
        default="auto",
        constraints=[POSITIVE_INTEGER, AUTO],
        doc="""int or "auto"
        Epochs without an improvement by `tol` before training stops. "auto" is a quarter of
        `max_iter`, at least 10.""",
    )
    tol: float = inherited(LayerParameters, "tol", default=1e-5)

    time_limit: float | None = parameter(
        default=None,
        constraints=[POSITIVE, None],
        doc="""float or None
        Seconds after which no further epoch begins. What is trained by then depends on the clock;
        None leaves it to `max_iter` and early stopping.""",
    )

    _family_attributes: ClassVar[str] = """
        n_features_in_ : int
            Number of columns.
        oof_predictions_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Out-of-fold answers: for each training row the prediction of the networks that held it
            out; of a classifier the probabilities, or the outputs where its loss defines none. With
            ``validation="folds"`` and two networks or more.
        estimators_ : list of estimators
            The networks, each a fitted estimator of the same class, if there are several.
            `n_iter_` is the largest of theirs then, `t_` and `n_parameters_` are sums, and
            `module_` averages their networks. The losses, the scores and the history are those of
            ``estimators_[i]``, and asking the ensemble for them is an AttributeError.
        """

    _format_kind = TableFormat
    _format: ClassVar[TableFormat]
    _takes = ("allow_nan", "categorical", "string")
    # of the stopping rule, see `training.Settings`
    _watches_loss = True
    _ends_schedules = True

    def __sklearn_tags__(self) -> Any:
        """Say that there is early stopping on a random part of the rows."""
        tags = super().__sklearn_tags__()
        tags.non_deterministic = False
        return tags

    def _obstacle_to_streams(self) -> str:
        return (
            "levels, scales and bins of the columns of a table come from all of its rows. Pass "
            "them to fit; with warm_start=True it goes on from the last weights."
        )

    # -------------------------------------------------------------------------------- resolve

    def _count_members(self, n_rows: int) -> int:
        return N_MEMBERS if self.n_estimators == "auto" else int(self.n_estimators)

    def _automatic_batch_size(self, n_samples: int) -> int:
        # batches of nearly equal size: a last one of a few rows would be a step of noise
        return math.ceil(n_samples / max(round(n_samples / BATCH_SIZE), 1))

    def _resolve_max_iter(self, n_samples: int) -> int:
        if self.max_iter != "auto":
            return int(self.max_iter)
        n_batches = math.ceil(n_samples / self._resolve_batch_size(n_samples))
        return min(max(math.ceil(STEPS / n_batches), FEWEST_EPOCHS), MOST_EPOCHS)

    def _resolve_patience(self, max_iter: int) -> float:
        return max(10, max_iter // 4) if self.n_iter_no_change == "auto" else self.n_iter_no_change

    def _holds_out(self, n_rows: int) -> bool:
        return self.early_stopping and n_rows >= FEWEST_ROWS

    def _make_listeners(self) -> list[Listener]:
        return [] if self.time_limit is None else [TimeLimit(self.time_limit)]

    def _answer_type(self, X: Any) -> np.dtype:
        return FLOAT64  # the columns of a table are of many types

    def _count_folds(self, n_rows: int, n_members: int) -> int:
        if self.validation != "folds" or not self._holds_out(n_rows):
            return 1
        return min(n_members, MOST_FOLDS)

    # ----------------------------------------------------------------------------- out of fold

    @abstractmethod
    def _answers(self, outputs: Tensor) -> np.ndarray:
        """Return what `oof_predictions_` has of outputs (n, n_outputs)."""

    def _conclude_ensemble(self, fits: Sequence[PreparedFit]) -> None:
        """Keep for each row what the networks answer that held it out."""
        if any(fit.estimator._fold is None for fit in fits):
            return
        counts = np.zeros(len(fits[0].training.train.rows))
        sums: Any = 0.0
        for fit in fits:
            samples = fit.training.validation
            if samples is None:
                return
            answers = self._answers(held_out_outputs(fit.training))
            if not np.ndim(sums):
                sums = np.zeros((len(counts), *answers.shape[1:]))
            sums[samples.subset] += answers
            counts[samples.subset] += 1
        with np.errstate(invalid="ignore"):  # NaN where a warm start has no row held out
            self.oof_predictions_ = sums / counts.reshape(-1, *[1] * (sums.ndim - 1))

    # -------------------------------------------------------------------------------- network

    def _build_network(
        self, data: CheckedData, random_state: np.random.RandomState, dtype: torch.dtype
    ) -> DenseNetwork:
        sizes = positive_integers("hidden_layer_sizes", self.hidden_layer_sizes)
        encoder: FeatureEncoder = data.once("encoder", lambda: self._make_encoder(data, dtype))
        return DenseNetwork(
            encoder.width,
            sizes,
            self.n_outputs_,
            encoder=encoder.fresh(),
            activation=self.activation,
            dropout=dropout_rates(self, len(sizes)),
            normalization=self.normalization,
            random_state=random_state,
            initialization="he",
            dtype=dtype,
        )

    def _make_encoder(self, data: CheckedData, dtype: torch.dtype) -> FeatureEncoder:
        n_bins = self.n_bins
        if n_bins == "auto":
            n_bins = automatic_bins(len(data.X), is_classifier=is_classifier(self))
        return make_encoder(
            data.X,
            data.sample_weight,
            self._format.n_levels,
            embeddings=embedding_names(self.numerical_embedding),
            n_bins=int(n_bins),
            scaling=self.scaling,
            frequency_scale=self.frequency_scale,
            max_onehot=self.max_onehot,
            embedding_size=self.embedding_size,
            dtype=dtype,
        )

    def _measure_work(self) -> Work:
        network = self.module_
        encoder = network.input_encoder if isinstance(network, DenseNetwork) else None
        if encoder is None:
            return super()._measure_work()
        first, *others = network.linear_layers  # type: ignore[misc]
        multiplications = (
            encoder.multiplications
            + encoder.n_active * first.out_features
            + sum(layer.weight.numel() for layer in others)
        )
        return Work.of_training(multiplications, encoder.width)


@declares_parameters
@composed(columns=COLUMNS)
class TabularClassifier(TabularEstimator, NeuralClassifierBase):
    """Classifier for tables: numbers and categories, with gaps and without preprocessing.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}
    classes_ : ndarray of shape (n_classes,)
        The labels; for multilabel problems the numbers of the labels.

    Notes
    -----
    {columns}
    """

    alpha: float = inherited(TabularEstimator, "alpha", default=1.0)
    learning_rate_init: float = inherited(TabularEstimator, "learning_rate_init", default=0.002)

    def _answers(self, outputs: Tensor) -> np.ndarray:
        if not hasattr(self, "predict_proba"):
            decisions = outputs.double().cpu().numpy()
            return decisions[:, 0] if self._targets.task == "binary" else decisions
        return self._probabilities(outputs, FLOAT64)


@declares_parameters
@composed(columns=COLUMNS)
class TabularRegressor(TabularEstimator, NeuralRegressorBase):
    """Regressor for tables: numbers and categories, with gaps and without preprocessing.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    Notes
    -----
    {columns}
    """

    alpha: float = inherited(TabularEstimator, "alpha", default=0.3)
    learning_rate_init: float = inherited(TabularEstimator, "learning_rate_init", default=0.005)

    _scales_targets = True
    _clips_predictions = True

    def _answers(self, outputs: Tensor) -> np.ndarray:
        return self._targets.decode(self._values(outputs).cpu().numpy())
