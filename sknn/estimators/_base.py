"""What all estimators share: the one way through fit and predict.

A family adds its module and its input convention (:mod:`sknn.estimators.dense._dense`), a task adds
its targets and losses (:mod:`sknn.estimators._tasks`). Think twice before adding to this class.
"""

from __future__ import annotations

import copy
import html
import math
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from sklearn.base import _fit_context, is_regressor
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import check_random_state, estimator_html_repr
from sklearn.utils.validation import _check_sample_weight, check_is_fitted
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from sknn._parameters import declares_parameters
from sknn.data import (
    Rows,
    Samples,
    fingerprint,
    make_rows,
    prediction_device,
    resolve_device,
    resolve_precision,
    threads_for,
)
from sknn.nn import Loss, own_defaults
from sknn.storage import portable_state, stored_attributes
from sknn.training import (
    HORIZON_SCHEDULES,
    Checkpoint,
    EpochBar,
    Listener,
    MoveBar,
    PrintEpochs,
    ScikitLearnCallbacks,
    Settings,
    Training,
    TrainingState,
    Work,
    check_callbacks,
    check_outputs,
    forward,
    isolated_torch_rng,
    make_training,
    predict_outputs,
    rows_at_once,
    train,
    warn_if_not_converged,
)

from ._fit_record import describe_fit
from ._inputs import array_like
from ._modules import build_user_module, portable_copy
from ._refusals import CALLBACK_CONTEXTS, unchanged_if_refused
from ._scales import warn_if_useless
from ._training_parameters import TrainingParameters
from ._validation import RowMemory, check_weight_sum, split_rows


class TrainingData(NamedTuple):
    """What a network may take from the training data before it is trained.

    Attributes
    ----------
    X : ndarray, CSR matrix or Ragged
        The validated samples.
    targets : ndarray or Ragged
        What the loss takes.
    sample_weight : ndarray or None
        Weights, those of the classes multiplied in.
    """

    X: Any
    targets: Any
    sample_weight: np.ndarray | None


@dataclass(eq=False)
class CheckedData:
    """What `fit` got, validated.

    Attributes
    ----------
    given : dict
        X, y and metadata as the user gave them, for scikit-learn's callbacks.
    X : ndarray, CSR matrix or Ragged
        The samples.
    y : ndarray or Ragged
        Labels or values.
    targets : ndarray or Ragged
        What the loss takes.
    sample_weight : ndarray or None
        Weights, those of the classes multiplied in.
    validation : tuple or None
        X, y, targets and weights of the validation data.
    """

    given: dict[str, Any]
    X: Any
    y: Any
    targets: Any
    sample_weight: np.ndarray | None
    validation: tuple[Any, Any, Any, Any] | None

    @cached_property
    def fingerprints(self) -> dict[str, str | None]:
        """A digest for each part, by the name that the user knows it by."""
        X_val, _, targets_val, weights_val = self.validation or (None, None, None, None)
        parts = {
            "X": self.X,
            "y": self.targets,
            "sample_weight": self.sample_weight,
            "X_val": X_val,
            "y_val": targets_val,
            "sample_weight_val": weights_val,
        }
        return {name: fingerprint(part) for name, part in parts.items()}


@declares_parameters
class NeuralEstimator(CallbackSupportMixin, TrainingParameters, ABC):
    """Base class of all estimators.

    Parameters
    ----------
    {parameters}
    """

    # ------------------------------------------------------------- what families and tasks add

    @abstractmethod
    def _check_X(self, X: Any) -> Any:
        """Validate the X that a fitted estimator predicts for."""

    @abstractmethod
    def _check_X_y(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        """Validate samples and targets; with `reset` they say what later ones must look like."""

    @abstractmethod
    def _build_network(
        self,
        data: TrainingData,
        n_outputs: int,
        random_state: np.random.RandomState,
        dtype: torch.dtype,
    ) -> torch.nn.Module:
        """Return the built-in network with its initial weights."""

    @abstractmethod
    def _module_arguments(self) -> dict[str, Any]:
        """Return what a module factory of the user's may ask for, by name."""

    def _make_rows(self, X: Any, device: torch.device, dtype: torch.dtype) -> Rows:
        """Wrap a validated X so that batches of it can be taken."""
        return make_rows(X, device, dtype)

    def _make_training_rows(
        self, X: Any, targets: Any, device: torch.device, dtype: torch.dtype
    ) -> Rows:
        """Wrap a validated X to train on, where the network also reads targets."""
        return self._make_rows(X, device, dtype)

    def _measure_work(self) -> Work:
        """Return what one sample costs the network `module_`."""
        return Work.of_training(self.n_parameters_, layer_size=1)

    def _make_augmentation(self) -> Callable[[Tensor], Tensor] | None:
        """Return what changes the inputs of training batches at random."""
        return None

    def _prediction_module(self) -> torch.nn.Module:
        """Return what predicts: the network, or an average over changed inputs."""
        return self.module_

    # Whether precision="auto" may be float64, see `resolve_precision`.
    _auto_float64: ClassVar[bool] = True

    def _runs_user_code(self) -> bool:
        """Say whether functions of the user's, which may draw torch's numbers, take part."""
        return self.module is not None or callable(self.loss) or callable(self.solver)

    def _draws_torch_numbers(self) -> bool:
        """Say whether training may draw numbers of torch's."""
        return self._runs_user_code() or bool(self.callbacks)

    @abstractmethod
    def _encode_targets(self, y: Any, *, continued: bool) -> Any:
        """Return what the loss takes; set what decoding needs."""

    @abstractmethod
    def _count_outputs(self, targets: Any) -> int:
        """Return the number of network outputs."""

    @abstractmethod
    def _make_loss(self, weighted: bool) -> Loss:
        """Return the loss."""

    @abstractmethod
    def _decide(self, outputs: Tensor) -> Tensor:
        """Turn network outputs into class decisions or predicted values."""

    @abstractmethod
    def _score_decisions(
        self, decisions: Tensor, targets: Tensor, sample_weight: Tensor | None
    ) -> float:
        """Return accuracy or R2."""

    def _stratification(self, y: Any) -> np.ndarray | None:
        """Return the labels by which the validation part is stratified."""
        return None

    def _warn_of_scales(self, X: Any, targets: Any) -> None:
        """Warn of training data whose scale keeps a network from learning."""

    def _check_warm_start(self, y: Any) -> None:
        """Raise ValueError if a warm start cannot go on with these targets."""

    def _class_weighted(self, sample_weight: np.ndarray | None, y: Any) -> np.ndarray | None:
        """Multiply the weights of the classes in."""
        return sample_weight

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
        return self._fit(X, y, sample_weight, validation=validation)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any) -> Any:
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        return self._fit(X, y, sample_weight, incremental=True)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        validation: tuple[Any, Any, Any] | None = None,
        incremental: bool = False,
    ) -> Any:
        prepared = self._prepare(
            X, y, sample_weight, validation=validation, incremental=incremental
        )
        return prepared.run()

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        validation: tuple[Any, Any, Any] | None = None,
        incremental: bool = False,
    ) -> PreparedFit:
        """Do everything that comes before the training, or refuse and change nothing."""
        with self._own_defaults(), unchanged_if_refused(self):
            device = resolve_device(self.device)
            data = self._check_data(X, y, sample_weight, validation, incremental=incremental)
            return self._prepare_checked(data, device, incremental=incremental)

    def _own_defaults(self) -> AbstractContextManager[None]:
        """Return a context with torch's own defaults, whatever the program has set."""
        return own_defaults(keeps_float64=self._runs_user_code())

    def _goes_on(self, incremental: bool) -> bool:
        """Say whether this call takes up the weights of the last one."""
        return hasattr(self, "module_") and (incremental or self.warm_start)

    def _check_data(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any] | None,
        *,
        incremental: bool,
    ) -> CheckedData:
        """Validate what is trained on, and what is validated on."""
        X, y = array_like(X, "X"), array_like(y, "y")
        continued = self._goes_on(incremental)
        given = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
        X, y = self._check_X_y(X, y, reset=not continued)
        weights = self._check_weights("sample_weight", sample_weight, X)
        if continued and not incremental:
            self._check_warm_start(y)
        targets = self._encode_targets(y, continued=continued)
        weights = self._class_weighted(weights, y)
        if weights is not None:
            check_weight_sum(weights)
        if not continued:
            self.n_outputs_ = self._count_outputs(targets)
            if not incremental:
                self._warn_of_scales(X, targets)
        checked = None if validation is None else self._check_validation(*validation)
        return CheckedData(given, X, y, targets, weights, checked)

    def _prepare_checked(
        self, data: CheckedData, device: torch.device, *, incremental: bool
    ) -> PreparedFit:
        """Make the network, the samples and the net of validated data."""
        checkpoint = None if incremental else self._open_checkpoint(data, device)
        goes_on = self._goes_on(incremental)
        if not goes_on:
            start = TrainingData(data.X, data.targets, data.sample_weight)
            self._start(start, device, checkpoint)
        else:
            self._continue(device, incremental=incremental)
        self._loss = self._make_loss(weighted=data.sample_weight is not None)
        self.out_activation_ = self._loss.out_activation

        train_samples, held_out = self._make_samples(data, device)
        if self.module is not None and not goes_on:
            self._try_module(train_samples)
        training = self._make_training(
            train_samples, held_out, data.given, checkpoint, incremental=incremental
        )
        return PreparedFit(self, training, incremental)

    def _try_module(self, train: Samples) -> None:
        """Run the user's module on a few rows: what does not fit is refused before training."""
        batch = train.some(TRIED_ROWS)
        modes = [(layer, layer.training) for layer in self.module_.modules()]
        self.module_.eval()
        threads = self._prediction_threads(TRIED_ROWS, train.device)
        with threads, self._own_draws(train.device), torch.no_grad():
            outputs = forward(self.module_, batch.X, self._compute_dtype)
        for layer, mode in modes:
            layer.training = mode
        self._check_module_outputs(outputs, len(batch.targets))

    def _own_draws(self, device: torch.device) -> AbstractContextManager[Any]:
        """Return a context in which functions of the user's draw nothing that training draws."""
        if not self._runs_user_code():
            return nullcontext()
        return isolated_torch_rng(replace(self._state), device)

    def _check_module_outputs(self, outputs: Any, n_rows: int) -> None:
        """Refuse or warn of what the user's module returns."""
        check_outputs(outputs, n_rows, self.n_outputs_)

    def _checkpoint_folder(self) -> str | os.PathLike[str] | None:
        """Return the folder of this network's checkpoint."""
        return None if self.checkpoint is None else os.path.expanduser(self.checkpoint)

    def _open_checkpoint(self, data: CheckedData, device: torch.device) -> Checkpoint | None:
        """Find out where an interrupted fit goes on, before anything is changed."""
        folder = self._checkpoint_folder()
        if folder is None:
            return None
        if self.solver == "lbfgs":
            raise ValueError(
                "checkpoint needs a solver that goes through batches: SciPy's L-BFGS gives away "
                "no state to go on from. Use another solver or checkpoint=None."
            )
        goes_on = self._goes_on(incremental=False)
        if goes_on:
            dtype = next(self.module_.parameters()).dtype
        else:
            dtype, _ = self._resolve_types(data.X, device)
        fit = describe_fit(self, data, dtype, goes_on=goes_on)
        return Checkpoint(
            folder,
            self.checkpoint_minutes,
            fit,
            self._copy_for_checkpoint,
            n_together=self._n_together(),
        )

    def _n_together(self) -> int:
        """Return how many networks may be trained at the same time."""
        return 1

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

    def _continue(self, device: torch.device, *, incremental: bool) -> None:
        """Take up the network and the training state where the last call left them."""
        self.module_.to(device)
        if not incremental:
            # as in scikit-learn, a warm start keeps the weights and renews the optimizer
            self._state.optimizer = self._state.learning_rate = None
            self._state.n_steps = 0
            if self._state.plateau is not None:
                self._state.plateau.count = 0

    def _solver_key(self) -> str:
        return self.solver if isinstance(self.solver, str) else "custom"

    def _resolve_types(self, X: Any, device: torch.device) -> tuple[torch.dtype, torch.dtype]:
        """Return the type of a new network's weights, and that of its products."""
        precision = self.precision
        if precision == "auto" and self.solver == "lbfgs" and device.type == "cpu":
            precision = "float64"  # line searches need more than float32's digits
        elif precision == "auto" and not self._auto_float64:
            precision = "float32"
        return resolve_precision(precision, X.dtype, X.shape[0], device)

    def _start(
        self, data: TrainingData, device: torch.device, checkpoint: Checkpoint | None
    ) -> None:
        """Make a new network and a new training state."""
        random_state = self.random_state
        if random_state is None:  # one draw from NumPy's global generator
            random_state = check_random_state(None).randint(np.iinfo(np.int32).max)
        state = TrainingState(random_state=check_random_state(random_state))
        if checkpoint is not None:
            checkpoint.begin_with(state.random_state)
        n_outputs = self.n_outputs_
        weight_dtype, compute_dtype = self._resolve_types(data.X, device)

        with isolated_torch_rng(state, device) if self._runs_user_code() else nullcontext():
            if self.module is None:
                module = self._build_network(data, n_outputs, state.random_state, weight_dtype)
            else:
                arguments = self._module_arguments() | {"n_outputs": n_outputs}
                module = build_user_module(self.module, arguments)
        if not isinstance(self.module, torch.nn.Module):  # layers of an instance keep their modes
            module.eval()
        self.n_iter_ = 0
        self.module_ = module.to(device=device, dtype=weight_dtype)
        self._compute_dtype = compute_dtype
        self._work = self._measure_work()
        self._state = state
        self._row_memory = RowMemory()

    def _check_weights(self, name: str, weights: Any, X: Any) -> np.ndarray | None:
        if weights is None:
            return None
        try:
            return _check_sample_weight(weights, X, dtype=np.float64, ensure_non_negative=True)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    def _make_samples(
        self, data: CheckedData, device: torch.device
    ) -> tuple[Samples, Samples | None]:
        """Return the training and the validation samples on the device."""
        dtype = next(self.module_.parameters()).dtype
        # batch normalization has no variance from a single row
        has_batch_norm = any(isinstance(m, _BatchNorm) for m in self.module_.modules())

        def make(
            X: Any, y: Any, targets: Any, weights: Any, *, subset: np.ndarray | None = None
        ) -> Samples:
            rows = self._make_training_rows(X, targets, device, dtype)
            smallest = 2 if has_batch_norm else 1
            return Samples(rows, X, y, targets, weights, subset=subset, smallest_batch=smallest)

        X, y, targets, weights = data.X, data.y, data.targets, data.sample_weight
        splits = self.early_stopping and self.solver != "lbfgs" and data.validation is None
        memory = self._remember_rows(X, splits=splits)
        if data.validation is not None:
            train = make(X, y, targets, weights)
            with naming_validation():
                return train, make(*data.validation)
        if not splits:
            return make(X, y, targets, weights), None
        train_rows, held_out_rows = split_rows(
            X,
            self.validation_fraction,
            stratify=self._stratification(y),
            random_state=self._state.random_state,
            memory=memory,
        )
        train = make(X, y, targets, weights, subset=train_rows)
        held_out = make(X, y, targets, weights, subset=held_out_rows)
        if not (train.weight_sum and held_out.weight_sum):
            raise ValueError(
                "sample_weight is zero for all rows of the training or of the validation part "
                "that early_stopping has drawn; pass X_val and y_val, or fewer zeros."
            )
        return train, held_out

    def _check_validation(
        self, X_val: Any, y_val: Any, weights_val: Any
    ) -> tuple[Any, Any, Any, np.ndarray | None]:
        """Validate the user's validation data as the training data, with errors of their own."""
        with naming_validation():
            X_val, y_val = array_like(X_val, "X_val"), array_like(y_val, "y_val")
            X_val, y_val = self._check_X_y(X_val, y_val, reset=False)
            targets_val = self._encode_targets(y_val, continued=True)
        weights_val = self._check_weights("sample_weight_val", weights_val, X_val)
        return X_val, y_val, targets_val, weights_val

    def _remember_rows(self, X: Any, *, splits: bool) -> RowMemory | None:
        """Return what warm starts know of the rows, brought up to date where all are trained on."""
        memory = self._row_memory
        if not self.warm_start:
            return None
        if not splits:
            memory.add_trained(X)
        elif self._state.n_samples_seen and not len(memory.trained):
            raise ValueError(
                "early_stopping cannot tell which rows the earlier fits have trained on, since "
                "warm_start was not set then. Set it before the first fit, or pass X_val and "
                "y_val."
            )
        return memory

    def _resolve_schedule(self, *, incremental: bool) -> str:
        """Return the schedule of the learning rate that this call follows."""
        schedule = self.learning_rate
        if schedule in ("invscaling", "adaptive") and self.solver != "sgd":
            return "constant"
        if incremental and schedule in HORIZON_SCHEDULES:
            # nobody knows how many calls will come: the rate stays at its peak
            self._state.learning_rate = None
            return "constant"
        return schedule

    def _make_training(
        self,
        train: Samples,
        validation: Samples | None,
        given: dict[str, Any],
        checkpoint: Checkpoint | None,
        *,
        incremental: bool,
    ) -> Training:
        max_iter = self._resolve_max_iter(len(train))
        settings = Settings.of(
            self,
            schedule=self._resolve_schedule(incremental=incremental),
            horizon=max_iter,
            max_epochs=1 if incremental else max_iter,
            batch_size=self._resolve_batch_size(len(train)),
            early_stopping=self.early_stopping and self.solver != "lbfgs",
            verbose="bar" if self.verbose == "bar" else bool(self.verbose),
            compute_dtype=self._compute_dtype,
            work=self._work,
            runs_user_code=self._runs_user_code(),
            draws_numbers=self._draws_torch_numbers(),
        )
        return make_training(
            self.module_,
            self._loss,
            settings,
            self._state,
            train,
            validation,
            n_outputs=self.n_outputs_,
            decide=self._decide,
            score=self._score_decisions,
            is_all=not incremental,  # a part of a stream does not stand for all of it
            augment=self._make_augmentation(),
            checkpoint=checkpoint,
            listeners=self._make_listeners(given, settings.max_epochs),
            callbacks=check_callbacks(self.callbacks or []),
            estimator=self,
        )

    def _resolve_max_iter(self, n_samples: int) -> int:
        """Return the largest number of epochs with so many training samples."""
        return self.max_iter

    def _resolve_batch_size(self, n_samples: int) -> int:
        if self.batch_size == "auto":
            return min(200, n_samples)
        if self.batch_size == "all":
            return n_samples
        batch_size = int(self.batch_size)
        if batch_size > n_samples and self.solver != "lbfgs":
            warnings.warn(
                f"batch_size={batch_size} is larger than the {n_samples} training samples; all "
                "of them make one batch.",
                stacklevel=2,
            )
        return min(batch_size, n_samples)

    def _make_listeners(self, given: dict[str, Any], max_epochs: int) -> list[Listener]:
        """Return what prints, and what speaks to scikit-learn's callbacks."""
        listeners: list[Listener] = []
        if self.verbose:
            score_name = "R2" if is_regressor(self) else "accuracy"
            if self.verbose == "bar":
                listeners.append(MoveBar(self._make_bar(), score_name))
            else:
                listeners.append(PrintEpochs(score_name, self._printed_name()))
        reporter = self._make_reporter(given, max_epochs)
        return listeners if reporter is None else [*listeners, reporter]

    def _printed_name(self) -> str:
        """Return what the lines of epochs begin with."""
        return ""

    def _make_bar(self) -> EpochBar:
        """Return the progress bar of this fit."""
        return EpochBar()

    def _make_reporter(self, given: dict[str, Any], max_epochs: int) -> ScikitLearnCallbacks | None:
        """Return what speaks to scikit-learn's callbacks, if there are any."""
        if not getattr(self, "_skl_callbacks", None):
            return None
        context = self._init_callback_context(max_subtasks=max_epochs)
        return ScikitLearnCallbacks(self, context, given, self._fitted_copy)

    def _fitted_copy(self) -> dict[str, Any]:
        """Attributes of a copy that predicts with the weights so far."""
        return {"module_": copy.deepcopy(self.module_).eval()}

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
            warn_if_useless(self._loss, batch, outputs, train.answers())

    def _conclude(self, training: Training) -> None:
        """Take what the training has come to, also where it was interrupted."""
        self.n_iter_ = training.n_epochs_run
        training.remember_optimizer()

    # -------------------------------------------------------------------------------- predict

    def _predict_outputs(self, X: Any) -> tuple[Tensor, np.dtype]:
        """Return the network's outputs, and the float type in which answers come back."""
        check_is_fitted(self)
        with self._own_defaults():
            X = self._check_given_X(X)
            parameter = next(self.module_.parameters())
            rows = self._make_rows(X, parameter.device, parameter.dtype)
            chunk_rows = rows_at_once(self._work.layer_size, parameter.device)
            module = self._prediction_module()
            with self._prediction_threads(len(rows), rows.device):
                outputs = predict_outputs(module, rows, self._compute_dtype, chunk_rows)
        self._refuse_overflow(outputs)
        return outputs, np.dtype(np.float32 if X.dtype in FLOAT32_ANSWERS else np.float64)

    def _check_given_X(self, X: Any) -> Any:
        """Return what a user passes to predictions as :meth:`_check_X` does, tensors as arrays."""
        return self._check_X(array_like(X, "X"))

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

    # ------------------------------------------------------------------------ fitted attributes

    @property
    def history_(self) -> Any:
        """One dict an epoch: losses, scores, learning rate and seconds."""
        return self._fitted_state().history

    @property
    def loss_curve_(self) -> list[float]:
        """Training loss of each epoch."""
        return [epoch["train_loss"] for epoch in self.history_]

    @property
    def loss_(self) -> float:
        """Training loss of the last epoch."""
        losses = self.loss_curve_
        if not losses:
            raise AttributeError("no epoch has been completed, so there is no loss_ yet")
        return losses[-1]

    @property
    def best_loss_(self) -> float | None:
        """Smallest training loss; None with early stopping."""
        plateau = self._fitted_state().plateau
        return None if plateau is None or plateau.maximize else plateau.best

    @property
    def validation_scores_(self) -> list[float] | None:
        """Validation score of each epoch; None without validation data."""
        scores = [epoch["valid_score"] for epoch in self.history_ if "valid_score" in epoch]
        return scores or None

    @property
    def best_validation_score_(self) -> float | None:
        """Largest validation score; None without validation data."""
        scores = self.validation_scores_
        return None if scores is None else max((s for s in scores if s == s), default=np.nan)

    @property
    def t_(self) -> int:
        """Number of samples seen in training, repetitions included."""
        return self._fitted_state().n_samples_seen

    @property
    def n_parameters_(self) -> int:
        """Number of trainable parameters."""
        module = getattr(self, "module_", None)
        if module is None:
            raise AttributeError(f"this {type(self).__name__} is not fitted yet")
        return sum(p.numel() for p in module.parameters() if p.requires_grad)

    def _fitted_state(self) -> TrainingState:
        if "_state" not in self.__dict__:
            raise AttributeError(f"this {type(self).__name__} is not fitted yet")
        return self._state

    def _html_repr(self) -> str:
        """scikit-learn's diagram, and below it the network of a fitted estimator."""
        diagram = estimator_html_repr(self)
        module = getattr(self, "module_", None)
        if module is None:
            return diagram
        summary = f"Network of {self.n_parameters_:,} parameters"
        text = html.escape(repr(module))
        return f"{diagram}<details><summary>{summary}</summary><pre>{text}</pre></details>"

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

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Put the network where the parameter `device` says, or on the CPU."""
        state = dict(state)
        portable = state.pop("_portable", None)
        if portable is not None:
            state |= portable.attributes_for(type(self))
        super().__setstate__(state)
        if "module_" in self.__dict__:
            self.module_.to(prediction_device(self.device))


@contextmanager
def naming_validation() -> Iterator[None]:
    """Say of errors that they are about the validation data."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"X_val, y_val: {error}") from error


def join_validation(X_val: Any, y_val: Any, sample_weight_val: Any) -> tuple[Any, Any, Any] | None:
    """Return the validation data that `fit` got; None if it got none.

    Parameters
    ----------
    X_val, y_val, sample_weight_val
        As in :meth:`NeuralEstimator.fit`.

    Returns
    -------
    tuple or None

    Raises
    ------
    ValueError
        If a part is missing.
    """
    if (X_val is None) != (y_val is None):
        raise ValueError("X_val and y_val go together: only one of them was given.")
    if sample_weight_val is not None and X_val is None:
        raise ValueError("sample_weight_val was given without X_val and y_val.")
    return None if X_val is None else (X_val, y_val, sample_weight_val)


@stored_attributes.register
def _(estimator: NeuralEstimator) -> dict[str, Any]:
    return estimator._stored_attributes()


class PreparedFit(NamedTuple):
    """A fit of which only the training is left to do.

    Attributes
    ----------
    estimator : NeuralEstimator
        Has its network with the initial weights.
    training : Training
        The net and its samples.
    incremental : bool
        Whether this is a call of `partial_fit`, which need not converge.
    """

    estimator: NeuralEstimator
    training: Training
    incremental: bool = False

    def run(self) -> Any:
        """Train; return the estimator."""
        try:
            train(self.training)
        finally:
            # reached by Ctrl-C too: the estimator is left fitted
            self.conclude()
        self.warn()
        return self.estimator

    def conclude(self) -> None:
        """Give the estimator the fitted attributes."""
        self.estimator.module_.eval()
        self.estimator._conclude(self.training)

    def warn(self) -> None:
        """Emit a ConvergenceWarning if the training did not converge."""
        if not self.incremental:
            warn_if_not_converged(self.training)
            self.estimator._warn_if_useless(self.training.train)


# On how many training rows a module of the user's is tried, and a trained network judged, and
# after how many updates: nobody expects much of fewer.
TRIED_ROWS = 8
JUDGED_ROWS = 500
JUDGED_STEPS = 100

FLOAT32_ANSWERS = (np.float32, np.float16)
