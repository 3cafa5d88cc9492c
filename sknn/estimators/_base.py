"""What all estimators share: fit, predict, and what is known of a fitted network.

A family adds its format, its network and its parameters (:mod:`sknn.estimators.dense`), a task its
targets and methods (:mod:`sknn.estimators._classifier`). Think twice before adding to this class.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sknn._parameters import declares_parameters
from sknn.data import Ragged, Samples, in_parts, prediction_device, threads_for
from sknn.nn import LayerTrace, first_parameter, own_defaults, trace_layers
from sknn.storage import CALLBACK_CONTEXTS, portable_state, stored_attributes
from sknn.training import (
    Listener,
    MakeStep,
    ScikitLearnCallbacks,
    Training,
    Work,
    forward,
    isolated_torch_rng,
    join_outputs,
    predict_outputs,
    rows_at_once,
)

from ._attributes import FittedAttributes
from ._calibration import Calibration
from ._checks import CheckedData, FitArguments, join_validation
from ._fit import prepare
from ._folds import Fold
from ._format import Format
from ._inputs import array_like
from ._modules import portable_copy, working_copy
from ._scales import warn_if_useless
from ._training_parameters import TrainingParameters
from .targets import Targets

# On how many training rows a trained network is judged, and after how many updates: nobody expects
# much of fewer.
JUDGED_ROWS = 500
JUDGED_STEPS = 100

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


@declares_parameters
class NeuralEstimator(CallbackSupportMixin, FittedAttributes, TrainingParameters, ABC):
    """Base class of all estimators.

    Parameters
    ----------
    {parameters}
    """

    # ------------------------------------------------------------- what families and tasks add

    # stands, with the family's own, for {attributes} in the docstring of each estimator
    _common_attributes: ClassVar[str] = """
        module_ : torch.nn.Module
            The trained network.
        history_ : list of dict
            For each epoch `train_loss`, `train_score` (accuracy or R2, measured while training),
            `valid_loss` and `valid_score` if there are validation data, `learning_rate` at its
            start, and `dur`, its seconds. Where a regressor or a loss scales y, losses are those of
            scaled targets.
        loss_ : float
            Training loss of the last epoch, penalty included.
        loss_curve_ : list of float
            Training loss of each epoch.
        best_loss_ : float or None
            Smallest training loss; None with early stopping.
        validation_scores_ : list of float or None
            Validation score of each epoch; None without validation data.
        best_validation_score_ : float or None
            Largest validation score; None without validation data.
        n_iter_ : int
            Epochs of the last call of `fit` or `partial_fit` (iterations for "lbfgs").
        n_outputs_ : int
            Number of network outputs.
        n_parameters_ : int
            Number of trainable parameters.
        out_activation_ : str
            Output activation: "softmax", "logistic", "identity", "exp", "expm1" or "gaussian".
        t_ : int
            Number of samples seen in training, repetitions included.
        feature_names_in_ : ndarray of shape (`n_features_in_`,)
            Names of the features, where X has string column names.
        """

    # what X and what y may be
    _format_kind: ClassVar[type[Format]]
    _targets_kind: ClassVar[type[Targets]]
    _takes: ClassVar[tuple[str, ...]] = ()  # what X may be besides, in scikit-learn's tags

    # whether the loss is given values in the units that it names (`Loss.target_unit`), and whether
    # predicted values stay in the range of the training targets
    _scales_targets: ClassVar[bool] = False
    _clips_predictions: ClassVar[bool] = False

    # what answers are corrected by; a fit that has calibrated them sets it, the next one drops it
    _calibration: ClassVar[Calibration | None] = None

    _format: ClassVar[Format]
    _targets: ClassVar[Targets]

    _scales_data: ClassVar[bool] = False  # whether X and y need not be scaled by users

    # whether training stops by the validation loss, not the score, and before a schedule is over
    _stops_by_loss: ClassVar[bool] = False
    # whether the training loss falls as long as the network gets better
    _loss_tells: ClassVar[bool] = True
    # the part of the rows that a member of an ensemble holds out; None draws it anew
    _fold: ClassVar[Fold | None] = None

    @abstractmethod
    def _build_network(
        self, data: CheckedData, random_state: np.random.RandomState, dtype: torch.dtype
    ) -> torch.nn.Module:
        """Return the built-in network with its initial weights."""

    def _learn_features(self, X: Any, sample_weight: np.ndarray | None) -> Any:
        """Return what stands for validated training samples, as `_format.check` will for others."""
        return X

    def _fit_fixed_layers(self, data: CheckedData, rows: np.ndarray | None) -> None:
        """Fit the layers of a new network that training does not change; None is all rows."""
        return

    def _trace_layers(self) -> list[LayerTrace]:
        """Return the layers of `module_` in the order of calls, run on one sample."""
        parameter = first_parameter(self.module_)
        batch = self._format.empty_batch(parameter.device, parameter.dtype)
        return trace_layers(self.module_, batch)

    def _measure_work(self) -> Work:
        """Return what one sample costs the network `module_`."""
        return Work.of_training(self.n_parameters_, layer_size=1)

    def _make_augmentation(self) -> Callable[[Tensor], Tensor] | None:
        """Return what changes the inputs of training batches at random."""
        return None

    def _make_step(self) -> MakeStep | None:
        """Return what makes the step of training, if it is no descent along one loss."""
        return None

    def _make_listeners(self) -> list[Listener]:
        """Return who is told how training goes, beside what prints and the user's callbacks."""
        return []

    def _prediction_module(self) -> torch.nn.Module:
        """Return what predicts: the network, or an average over changed inputs."""
        return self.module_

    @classmethod
    def _get_param_names(cls) -> list[str]:
        """Return scikit-learn's list of the parameters, which it would make anew for each clone."""
        if "_parameter_names" not in vars(cls):
            cls._parameter_names = super()._get_param_names()
        return vars(cls)["_parameter_names"]

    def _runs_user_code(self) -> bool:
        """Say whether functions of the user's, which may draw torch's numbers, take part."""
        if self.module is not None:
            return True
        activation = getattr(self, "activation", ())
        activations = activation if isinstance(activation, list | tuple) else [activation]
        return any(callable(each) for each in (self.loss, self.solver, *activations))

    def _draws_torch_numbers(self) -> bool:
        """Say whether training may draw numbers of torch's."""
        dropout = getattr(self, "dropout", 0)
        has_dropout = dropout != 0 if isinstance(dropout, int | float) else np.any(dropout)
        has_noise = getattr(self, "noise", 0) > 0  # of series
        return bool(has_dropout or has_noise or self.callbacks) or self._runs_user_code()

    def _warn_of_scales(self, X: Any, targets: Any) -> None:
        """Warn of training data whose scale keeps a network from learning."""
        return

    def _resolve_max_iter(self, n_samples: int) -> int:
        """Return the largest number of epochs with so many training samples."""
        return self.max_iter

    def _resolve_patience(self, max_iter: int) -> float:
        """Return the epochs without an improvement that end a training of at most so many."""
        return self.n_iter_no_change

    @property
    def _solver(self) -> Any:
        """The solver of this fit, whose format is known."""
        return self.solver

    @property
    def _schedule(self) -> str:
        """The schedule of the learning rate."""
        return self.learning_rate

    def _resolve_learning_rate(self) -> float:
        """Return the learning rate, or its peak."""
        return self.learning_rate_init

    def _resolve_alpha(self) -> float:
        """Return the strength of the L2 penalty."""
        return self.alpha

    def _holds_out(self, n_rows: int) -> bool:
        """Return whether early stopping holds out some of the rows."""
        return self.early_stopping

    def _automatic_batch_size(self, n_samples: int) -> int:
        """Return the number of rows that "auto" stands for."""
        return min(200, n_samples)

    def _obstacle_to_streams(self) -> str:
        """Say why `partial_fit` cannot take rows part by part; "" if it can."""
        return ""

    def __sklearn_tags__(self) -> Any:
        """Say what X may be, and leave out the checks that pair a row with one target."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array &= self._targets_kind.pairs_rows
        for name in self._takes:
            setattr(tags.input_tags, name, True)
        return tags

    # ------------------------------------------------------------------------------------ fit

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Any:
        """Fit the network to data.

        Ctrl-C ends the training, leaves the estimator fitted with the weights so far, and is
        raised again. With `checkpoint`, a call with the same data and parameters goes on where
        the last one was interrupted, and returns at once if it was not.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Training samples, in a form that the class takes.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or values; several columns are a multilabel indicator matrix or several
            targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative.
        X_val : array-like of shape (n_val, n_features) or (n_val, ...), default=None
            Validation samples. They are scored after every epoch, whether or not
            `early_stopping` makes use of them.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Their labels or values.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data do not fit together or are not finite, a parameter's value is not
            allowed, a device does not exist, or training diverges.
        """
        validation = join_validation(X_val, y_val, sample_weight_val)
        return self._fit(FitArguments(X, y, sample_weight, validation))

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Any:
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        return self._fit(FitArguments(X, y, sample_weight, classes=classes, incremental=True))

    def _fit(self, arguments: FitArguments) -> Any:
        return prepare(self, arguments).run()

    def _own_defaults(self) -> AbstractContextManager[None]:
        """Return a context with torch's own defaults, whatever the program has set."""
        return own_defaults(keeps_float64=self._runs_user_code())

    def _goes_on(self, incremental: bool) -> bool:
        """Say whether this call takes up the weights of the last one."""
        return hasattr(self, "module_") and (incremental or self.warm_start)

    def _own_draws(self, device: torch.device) -> AbstractContextManager[Any]:
        """Return a context in which functions of the user's draw nothing that training draws."""
        if not self._runs_user_code():
            return nullcontext()
        return isolated_torch_rng(replace(self._state), device)

    def _copy_for_checkpoint(self, training: Training) -> Any:
        """Return a copy that shares the network, and that is stored at once."""
        copied = object.__new__(type(self))
        copied.__dict__.update(self._stored_attributes() | {"callbacks": None, "checkpoint": None})
        for name in CALLBACK_CONTEXTS:
            copied.__dict__.pop(name, None)
        state, generators = training.state, training.generators
        history = copy.copy(state.history)
        del history[training.n_whole_epochs :]
        torch_rng = state.torch_rng if generators is None else generators.states()[0]
        copied._state = replace(state, history=history, torch_rng=torch_rng)
        copied._conclude(training)
        return copied

    def _resolve_batch_size(self, n_samples: int) -> int:
        if self.batch_size == "auto":
            return self._automatic_batch_size(n_samples)
        return n_samples if self.batch_size == "all" else min(int(self.batch_size), n_samples)

    def _count_batches(self, n_samples: int) -> int:
        """Return the updates of an epoch of so many training samples."""
        return math.ceil(n_samples / self._resolve_batch_size(n_samples))

    def _make_reporter(
        self, given: dict[str, Any], training: Training
    ) -> ScikitLearnCallbacks | None:
        """Return what speaks to scikit-learn's callbacks, if there are any."""
        if not getattr(self, "_skl_callbacks", None):
            return None
        context = self._init_callback_context(max_subtasks=training.settings.max_epochs)
        return ScikitLearnCallbacks(self, context, given, self._fitted_copy)

    def _fitted_copy(self) -> dict[str, Any]:
        """Attributes of a copy that predicts with the weights so far."""
        return {"module_": working_copy(self.module_)}

    def _warn_if_useless(self, train: Samples) -> None:
        """Warn of a network that a constant prediction beats."""
        if callable(self.loss) or self._state.n_steps < JUDGED_STEPS:
            return
        n_rows = rows_at_once(self._work.layer_size, train.device, training=True)
        batch = train.some(min(n_rows, JUDGED_ROWS))
        threads = self._prediction_threads(n_rows, train.device)
        own = self._own_draws(train.device)
        with self._own_defaults(), threads, own, torch.inference_mode():
            outputs = forward(self.module_, batch.X, self._compute_dtype)
            warn_if_useless(
                self._loss, batch, outputs, train.answers(), scales_data=self._scales_data
            )

    def _conclude(self, training: Training) -> None:
        """Take what the training has come to, also where it was interrupted."""
        self.n_iter_ = training.n_epochs_run
        training.remember_optimizer()

    # -------------------------------------------------------------------------------- predict

    def _predict_outputs(self, X: Any) -> tuple[Any, Tensor, np.dtype]:
        """Return the fitted estimator, the network's outputs, and the float type of answers."""
        fitted = self._as_it_is()
        return fitted, *fitted._compute_outputs(X)

    def _as_it_is(self) -> Any:
        """Return an estimator with the present attributes, which a fit in a thread replaces."""
        present = object.__new__(type(self))
        object.__setattr__(present, "__dict__", self.__dict__)
        return present

    def _compute_outputs(
        self, X: Any, module: torch.nn.Module | None = None
    ) -> tuple[Tensor, np.dtype]:
        """Return the network's outputs, and the float type in which answers come back.

        `module` takes the place of :meth:`_prediction_module`.
        """
        if "module_" not in vars(self):
            check_is_fitted(self)
        with self._own_defaults():
            X = self._format.check(array_like(X, "X"), self)
            few = self._few_outputs(X) if module is None else None
            if few is not None:
                return few, self._answer_type(X)
            parameter = first_parameter(self.module_)
            device, dtype = parameter.device, parameter.dtype
            chunk_rows = rows_at_once(self._layer_size(X), device)
            if module is None:
                module = self._prediction_module()
            with self._prediction_threads(X.shape[0], device):
                parts = (  # a GPU need not hold all of X
                    self._format.rows(part, device, dtype, self.module_)
                    for part in in_parts(X, chunk_rows)
                )
                outputs = join_outputs(
                    X.shape[0],
                    X.shape[0] if isinstance(X, Ragged) else chunk_rows,
                    (
                        predict_outputs(module, rows, self._compute_dtype, chunk_rows)
                        for rows in parts
                    ),
                )
        self._refuse_overflow(outputs)
        return outputs, self._answer_type(X)

    def _answer_type(self, X: Any) -> np.dtype:
        """Return the float type in which answers to a validated X come back."""
        return answer_type(X)

    def _few_outputs(self, X: Any) -> Tensor | None:
        """Return the outputs of a few valid rows, if there is a shorter way than torch's."""
        return None

    def _layer_size(self, X: Any) -> int:
        """Return the numbers that the largest layer returns for one sample of a validated X."""
        return self._work.layer_size

    def _prediction_threads(
        self, n_rows: int, device: torch.device
    ) -> AbstractContextManager[None]:
        """Return a context with as many threads as predictions of some rows are worth."""
        return threads_for(n_rows * self._work.forward_flops, device)

    def _refuse_overflow(self, outputs: Tensor) -> None:
        """Refuse to answer with numbers that have overflowed."""
        # what is not finite makes the sum so; a sum alone may overflow
        if math.isfinite(outputs.sum()) or bool(outputs.isfinite().all()):
            return
        # modules of the user's may rule classes out by -inf
        if self.module is not None and bool(outputs.clamp(min=0).isfinite().all()):
            return
        kind = str(outputs.dtype).removeprefix("torch.")
        raise ValueError(
            f"the network's outputs for X are not finite: values of X are so large that {kind}, in "
            "which it computes, overflows, or its weights are not finite. Scale X as the training "
            "data, or look at module_."
        )

    # ---------------------------------------------------------------------------------- pickle

    def _stored_attributes(self) -> dict[str, Any]:
        """Return what is stored of an estimator: all but what belongs to one call of `fit`."""
        return dict(super().__getstate__())

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to a device: the network is stored on the CPU.

        What is no number and no text is in a :class:`sknn.storage.Portable`, since skops and
        others that ask for this state know no tensors.
        """
        state = self._stored_attributes()
        if "_state" in state:
            state["module_"] = portable_copy(self.module_)
            state["_state"] = self._state.on_cpu()
        return portable_state(state)

    def _of_this_version(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return the attributes that an earlier version has stored as this version has them."""
        kind = self._targets_kind
        if "n_outputs_" in state and not isinstance(state.get("_targets"), kind):
            state["_targets"] = kind.of_earlier_version(state)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Put the network where the parameter `device` says, or on the CPU."""
        state = dict(state)
        portable = state.pop("_portable", None)
        if portable is not None:
            state |= portable.attributes_for(type(self))
        super().__setstate__(self._of_this_version(state))
        if "module_" in self.__dict__:
            self.module_.to(prediction_device(self.device))


def answer_type(X: Any) -> np.dtype:
    """Return the float type in which answers to a validated X come back."""
    return FLOAT32 if X.dtype in (np.float32, np.float16) else FLOAT64


@stored_attributes.register
def _(estimator: NeuralEstimator) -> dict[str, Any]:
    return estimator._stored_attributes()
