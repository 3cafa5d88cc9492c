"""Estimators for tables: numbers and categories with gaps, a row a sample."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from sknn._documentation import composed
from sknn._parameters import declares_parameters
from sknn.estimators._calibration import (
    Calibration,
    fit_quantile_shift,
    fit_temperature,
    fit_variance_factor,
)
from sknn.estimators._checks import CheckedData, FitArguments
from sknn.estimators._classifier import NeuralClassifierBase
from sknn.estimators._draft import Draft
from sknn.estimators._ensemble import count_rows
from sknn.estimators._features import embedding_names, encode_table
from sknn.estimators._fit import PreparedFit
from sknn.estimators._folds import Fold
from sknn.estimators._held_out import (
    HeldOut,
    answers_of_each,
    rounds_of_folds,
    select_greedily,
)
from sknn.estimators._layers import dropout_rates, positive_integers
from sknn.estimators._regressor import NeuralRegressorBase
from sknn.nn import DenseNetwork, FeatureEncoder, GaussianLoss, QuantilesLoss, average_outputs
from sknn.training import Listener, TimeLimit, Training

from ._columns import COLUMNS
from ._format import TableFormat
from ._hyperparameters import check_ranges, check_values, draw
from ._parameters import TabularParameters

# The defaults that follow the number of rows.
STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 2500, 30, 200
BATCH_SIZE, GROWS_FROM = 128, 10_000
FEWEST_ROWS = 20  # of fewer none is held out
N_MEMBERS, MOST_FOLDS = 8, 8
MANY_ROWS = 200_000  # get half as many networks, and a third of the epochs
# Networks that differ in hyperparameters, and how many drawings are averaged at most.
N_SEARCHED, MOST_CHOSEN = 32, 32

# The average of many networks has more rows between two quantiles than single ones, by this share.
# It was chosen on five tables; what comes of it: `python -m benchmarks tabular-intervals`.
AVERAGE_IS_NEARER = 0.04

ENCODER_PARAMETERS = (
    *("numerical_embedding", "n_bins", "scaling", "frequency_scale", "max_onehot"),
    "embedding_size",
)

FLOAT64 = np.dtype(np.float64)


# What stands in the docstrings of both.
METHOD = """\
An ensemble of dense networks [4]_ on scaled numbers, piecewise linear [1]_ and periodic [2]_
embeddings of them, and embeddings of categories. Each network holds out another fold of the
rows and ends with the weights of the epoch with the least loss there. Other ways to many
networks at little cost: [3]_. A `module` of the user's gets the matrix of numbers and codes in
place of the columns (see Notes), and is called with those of `n_numbers` and `n_levels` that
it takes."""
MATRIX = """\
A network sees a matrix of floats: first the numbers, centered and scaled by median and
interquartile range of the training data, NaN where missing, then a code for each category: 0
for a level that the training data have not, 1 for a missing one, 2 and more for those of the
training data, of which there are `n_levels` in each."""
SOURCES = """\
.. [1] Y. Gorishniy, I. Rubachev and A. Babenko, "On embeddings for numerical features in
   tabular deep learning", NeurIPS 2022, arXiv:2203.05556.
.. [2] D. Holzmueller, L. Grinsztajn and I. Steinwart, "Better by default: strong pre-tuned
   MLPs and boosted trees on tabular data", NeurIPS 2024, arXiv:2407.04491.
.. [3] Y. Gorishniy, A. Kotelnikov and A. Babenko, "TabM: advancing tabular deep learning with
   parameter-efficient ensembling", ICLR 2025, arXiv:2410.24210.
.. [4] B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable predictive
   uncertainty estimation using deep ensembles", NeurIPS 2017, arXiv:1612.01474."""


@declares_parameters
class TabularEstimator(TabularParameters):
    """Input convention and networks of the estimators for tables.

    Parameters
    ----------
    {parameters}
    """

    _format_kind = TableFormat
    _format: ClassVar[TableFormat]
    _takes = ("allow_nan", "categorical", "string")
    _scales_data = True
    _stops_by_loss = True

    def _obstacle_to_streams(self) -> str:
        return (
            "levels, scales and bins of the columns of a table come from all of its rows. Pass "
            "them to fit; with warm_start=True it goes on from the last weights."
        )

    # -------------------------------------------------------------------------------- resolve

    def _count_members(self, n_rows: int) -> int:
        if self.n_estimators != "auto":
            return int(self.n_estimators)
        if self.hyperparameters is not None:
            return N_SEARCHED
        return N_MEMBERS if n_rows < MANY_ROWS else N_MEMBERS // 2

    def _automatic_batch_size(self, n_samples: int) -> int:
        size = BATCH_SIZE * math.sqrt(max(n_samples / GROWS_FROM, 1))
        # batches of nearly equal size: a last one of a few rows would be a step of noise
        return math.ceil(n_samples / max(round(n_samples / size), 1))

    def _resolve_max_iter(self, n_samples: int) -> int:
        if self.max_iter != "auto":
            return int(self.max_iter)
        n_batches = self._count_batches(n_samples)
        fewest = FEWEST_EPOCHS if n_samples < MANY_ROWS else FEWEST_EPOCHS // 3
        return min(max(math.ceil(STEPS / n_batches), fewest), MOST_EPOCHS)

    def _resolve_patience(self, max_iter: int) -> float:
        # the last half of the schedule, where the rate falls, is where most networks are best
        return max(10, max_iter // 2) if self.n_iter_no_change == "auto" else self.n_iter_no_change

    def _holds_out(self, n_rows: int) -> bool:
        return self.early_stopping and n_rows >= FEWEST_ROWS

    def _make_listeners(self) -> list[Listener]:
        return [] if self.time_limit is None else [TimeLimit(self.time_limit)]

    def _answer_type(self, X: Any) -> np.dtype:
        return FLOAT64  # the columns of a table are of many types

    def _count_folds(self, n_rows: int, n_members: int, *, has_validation: bool) -> int:
        if self.validation != "folds" or has_validation or not self._holds_out(n_rows):
            return 1
        return min(n_members, MOST_FOLDS)

    # ----------------------------------------------------------------------------- held-out rows

    def _fold_of(self, number: int, n_folds: int, seed: int) -> Fold | None:
        if self.hyperparameters is not None and n_folds == 1:
            # what is compared has to hold out the same rows
            return Fold(0, 1 / (self.validation_fraction or 1), seed)  # with `X_val` it may be 0
        return super()._fold_of(number, n_folds, seed)

    def _drawn_parameters(self, number: int, seed: int) -> dict[str, Any]:
        if self.hyperparameters is None:
            return {}
        drawn = draw(self.hyperparameters, number, seed)
        check_values(drawn, self)
        return {"hyperparameters": None} | drawn

    def _fit(self, arguments: FitArguments) -> Any:
        if self.hyperparameters is not None:
            has_validation = arguments.validation is not None
            self._check_search(count_rows(arguments.X), has_validation=has_validation)
        return super()._fit(arguments)

    def _draft_members(
        self, draft: Draft, data: CheckedData, folder: Path | None, n_members: int
    ) -> list[Draft]:
        if self.hyperparameters is not None:  # now it is known which rows count
            self._check_search(data.n_counted, has_validation=data.validation is not None)
        return super()._draft_members(draft, data, folder, n_members)

    def _check_search(self, n_rows: int, *, has_validation: bool) -> None:
        """Refuse hyperparameters that nothing can be chosen by, with so many rows that count."""
        assert self.hyperparameters is not None
        check_ranges(self.hyperparameters, self)
        solvers = self.hyperparameters.get("solver", [self.solver])
        if isinstance(solvers, list | tuple | np.ndarray) and "lbfgs" in list(solvers):
            raise ValueError(
                "hyperparameters are chosen by held-out rows, and solver='lbfgs' holds out none."
            )
        n_members = self._count_members(n_rows)
        n_folds = self._count_folds(n_rows, n_members, has_validation=has_validation)
        if self.warm_start:
            raise ValueError("hyperparameters are drawn anew by each fit; use warm_start=False.")
        if not (self.early_stopping if has_validation else self._holds_out(n_rows)):
            raise ValueError(
                "hyperparameters are chosen by held-out rows: they need early_stopping=True, and "
                f"X_val or at least {FEWEST_ROWS} rows of weight above 0; X has {n_rows}."
            )
        if n_folds == 1 and not (has_validation or self.validation_fraction):
            raise ValueError(
                "validation_fraction=0 leaves no rows to choose hyperparameters by; increase it."
            )
        if n_members // n_folds < 2 or n_members % n_folds:
            raise ValueError(
                f"n_estimators={n_members} leaves no choice between hyperparameters: with "
                f"{n_folds} network(s) a drawing it is a multiple of {n_folds}, at least "
                f"{2 * n_folds}."
            )

    @abstractmethod
    def _answers(self, outputs: Tensor) -> np.ndarray:
        """Return what `oof_predictions_` has of outputs (n, n_outputs)."""

    @abstractmethod
    def _can_calibrate(self) -> bool:
        """Return whether the loss has answers that held-out rows correct."""

    @abstractmethod
    def _calibrate(self, held_out: HeldOut, n_averaged: int) -> Calibration:
        """Return the corrections that the outputs for held-out rows teach.

        Such a row is answered by the one network that held it out, and later rows by the average of
        `n_averaged`; 1 is where both are by the same.
        """

    def _conclude(self, training: Training) -> None:
        """Calibrate a network by the rows that it held out."""
        super()._conclude(training)
        calibrates = self.calibration and self._can_calibrate()
        if calibrates and training.validation is not None and training.is_done:
            self._learn_calibration(answers_of_each([training])[0], 1)

    def _learn_calibration(self, held_out: HeldOut, n_averaged: int) -> None:
        self.__dict__["_calibration"] = self._calibrate(held_out.known(), n_averaged)

    def _conclude_ensemble(self, fits: Sequence[PreparedFit]) -> None:
        """Choose networks, calibrate, and answer each row by the networks that held it out."""
        trainings = [fit.training for fit in fits]
        folds = [fit.estimator._fold for fit in fits]
        if any(each.validation is None for each in trainings):
            return
        subsets = [each.validation and each.validation.subset for each in trainings]
        holds_out_all = not any(part is None for part in [*folds, *subsets])  # X_val has no subset
        candidates = rounds_of_folds(trainings, folds) if holds_out_all else []
        is_common = all(subset is None for subset in subsets) or len({*folds} - {None}) == 1
        if is_common:
            candidates = answers_of_each(trainings)
        if self.hyperparameters is not None:
            chosen = select_greedily(candidates, self._loss, MOST_CHOSEN)
            candidates = [candidates[number] for number in chosen]
            networks = [i for each in candidates for i in each.networks]
            self.__dict__.update(self._joined([fits[i] for i in networks]))
        if candidates:
            together = torch.stack([each.outputs for each in candidates])
            average = average_outputs(together, self._loss.out_activation)
            held_out = candidates[0]._replace(outputs=average)
            n_averaged = 1 if is_common else len(candidates[0].networks)
            if self.calibration and self._can_calibrate():
                self._learn_calibration(held_out, n_averaged)
            if not is_common:
                self.oof_predictions_ = self._answers(average)

    # -------------------------------------------------------------------------------- network

    def _build_network(
        self, data: CheckedData, random_state: np.random.RandomState, dtype: torch.dtype
    ) -> DenseNetwork:
        sizes = positive_integers("hidden_layer_sizes", self.hidden_layer_sizes)
        key = ("encoder", dtype, *(repr(getattr(self, name)) for name in ENCODER_PARAMETERS))
        encoder: FeatureEncoder = data.once(key, lambda: self._make_encoder(data, dtype))
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
        return encode_table(
            data.X,
            data.sample_weight,
            self._format.n_levels,
            embeddings=embedding_names(self.numerical_embedding),
            n_bins=self._resolve_bins(len(data.X)),
            scaling=self.scaling,
            frequency_scale=self.frequency_scale,
            max_onehot=self.max_onehot,
            embedding_size=self.embedding_size,
            dtype=dtype,
        )


@declares_parameters
@composed(method=METHOD, columns=COLUMNS, matrix=MATRIX, sources=SOURCES)
class TabularClassifier(TabularEstimator, NeuralClassifierBase):
    """Classifier for tables: numbers and categories, with gaps and without preprocessing.

    {method}

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
    TabularRegressor : The same networks for regression.
    NeuralClassifier : Dense networks for numbers, without scaling and with every solver.
    sknn.preprocessing : The encodings of numbers as transformers.
    sklearn.ensemble.HistGradientBoostingClassifier : Trees for such tables.

    Notes
    -----
    {columns}

    {matrix}

    References
    ----------
    {sources}

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sknn import TabularClassifier
    >>> rng = np.random.default_rng(0)
    >>> flights = pd.DataFrame(
    ...     {
    ...         "delay": rng.exponential(30, 400).round(),
    ...         "carrier": rng.choice(["north", "south", "west"], 400),
    ...     }
    ... )
    >>> delay = flights["delay"] + 20 * (flights["carrier"] == "south")
    >>> arrives = np.where(delay + rng.normal(0, 5, 400) > 40, "late", "on time")
    >>> flights.loc[::9, "delay"] = np.nan
    >>> model = TabularClassifier(max_iter=15, random_state=0)
    >>> bool(model.fit(flights[:300], arrives[:300]).score(flights[300:], arrives[300:]) > 0.8)
    True
    >>> model.predict_proba(flights[:2]).shape
    (2, 2)
    >>> len(model.estimators_), model.oof_predictions_.shape
    (8, (300, 2))
    """

    def _resolve_alpha(self) -> float:
        if self.alpha != "auto":
            return self.alpha
        targets = self._targets
        return 2 / targets.n_outputs if targets.task == "multiclass" else 1.0

    def _answers(self, outputs: Tensor) -> np.ndarray:
        if not hasattr(self, "predict_proba"):
            decisions = outputs.double().cpu().numpy()
            return decisions[:, 0] if self._targets.task == "binary" else decisions
        if self._calibration is not None:
            outputs = self._calibration.logits(outputs)
        return self._probabilities(outputs, FLOAT64)

    def _can_calibrate(self) -> bool:
        return hasattr(self, "predict_proba")

    def _calibrate(self, held_out: HeldOut, n_averaged: int) -> Calibration:
        if n_averaged > 1:
            # an average is less sure than single networks are, as much as they are too sure
            return Calibration()
        return Calibration(
            fit_temperature(held_out.outputs, held_out.targets, held_out.sample_weight)
        )


@declares_parameters
@composed(method=METHOD, columns=COLUMNS, matrix=MATRIX, sources=SOURCES)
class TabularRegressor(TabularEstimator, NeuralRegressorBase):
    """Regressor for tables: numbers and categories, with gaps and without preprocessing.

    {method}

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    TabularClassifier : The same networks for classification.
    NeuralRegressor : Dense networks for numbers, without scaling and with every solver.
    sknn.preprocessing : The encodings of numbers as transformers.
    sklearn.ensemble.HistGradientBoostingRegressor : Trees for such tables.

    Notes
    -----
    {columns}

    {matrix}

    References
    ----------
    {sources}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sknn import TabularRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> X["sex"] = X["sex"].map({1: "first", 2: "second"})
    >>> X.loc[::7, "bmi"] = None
    >>> model = TabularRegressor(max_iter=20, random_state=0).fit(X[:300], y[:300])
    >>> bool(model.score(X[300:], y[300:]) > 0.4)
    True

    Quantiles of what is predicted:

    >>> model.set_params(loss="quantile", quantiles=(0.1, 0.5, 0.9))
    TabularRegressor(loss='quantile', max_iter=20, quantiles=(0.1, 0.5, 0.9),
                     random_state=0)
    >>> model.fit(X[:300], y[:300]).predict(X[300:]).shape
    (142, 3)
    """

    _scales_targets = True
    _clips_predictions = True

    def _resolve_alpha(self) -> float:
        return 0.3 if self.alpha == "auto" else self.alpha

    def _answers(self, outputs: Tensor) -> np.ndarray:
        return self._targets.decode(self._values(outputs).cpu().numpy())

    def _can_calibrate(self) -> bool:
        return isinstance(self._loss, QuantilesLoss | GaussianLoss)

    def _calibrate(self, held_out: HeldOut, n_averaged: int) -> Calibration:
        _, outputs, targets, weights = held_out
        loss = self._loss
        if isinstance(loss, QuantilesLoss):
            quantiles = self._targets.answer(outputs, loss)
            # an average errs less than the networks that have answered these rows
            nearer = 1 - AVERAGE_IS_NEARER * (1 - 1 / n_averaged)
            levels = 0.5 + nearer * (np.asarray(loss.quantiles) - 0.5)
            shift = fit_quantile_shift(quantiles, targets, levels, weights)
            return Calibration(quantile_shift=shift)
        if isinstance(loss, GaussianLoss):
            means, variances = loss.point(outputs).numpy(), loss.variances(outputs).numpy()
            factor = fit_variance_factor(means, variances, targets, weights)
            return Calibration(variance_factor=factor)
        return Calibration()
