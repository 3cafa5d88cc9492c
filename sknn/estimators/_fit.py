"""The way from what `fit` was given to a training: check, start, and hand over."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Hashable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch.nn.modules.batchnorm import _BatchNorm

from sknn.data import Answers, Samples, make_answers, resolve_device, resolve_precision
from sknn.nn import first_parameter, moved, set_mode
from sknn.training import (
    HORIZON_SCHEDULES,
    Checkpoint,
    EpochBar,
    Listener,
    MoveBar,
    PrintEpochs,
    Settings,
    Training,
    TrainingState,
    check_callbacks,
    describe_fit,
    folder_named,
    forward,
    isolated_torch_rng,
    make_training,
    takes_all_rows,
    train,
    warn_if_not_converged,
)

from ._checks import VALIDATION, CheckedData, FitArguments, check_data, naming
from ._draft import Draft
from ._modules import build_user_module, evaluating
from ._shared import SharedData, SharedRows
from ._validation import RowMemory, split_rows

TRIED_ROWS = 8  # of the training rows, on which a module of the user's is tried


@dataclass
class Company:
    """What a network shares with those that are fitted beside it, and what tells it apart."""

    folder: str | os.PathLike[str] | None  # of its checkpoint
    bar: EpochBar = field(default_factory=EpochBar)
    n_together: int = 1  # how many may be trained at the same time
    name: str = ""  # for printed lines
    first: Any = None  # the first of an ensemble, whose types the others take
    rows: SharedRows = field(default_factory=dict)  # wrapped once for all


class PreparedFit:
    """A fit of which only the training is left to do."""

    def __init__(self, draft: Draft, training: Training, *, incremental: bool) -> None:
        self.estimator = draft.estimator  # has the network, once the draft is committed
        self.goes_on = draft.goes_on
        self.training = training
        self.incremental = incremental  # `partial_fit` need not converge
        self.is_concluded = False

    def tell(self, listener: Listener | None) -> None:
        """Have the training tell another listener, if there is one."""
        if listener is not None:
            self.training.listeners = [*self.training.listeners, listener]

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
        """Give the estimator what the training has come to, also where it was interrupted."""
        self.is_concluded = True
        set_mode(self.estimator.module_, training=False)
        self.estimator._conclude(self.training)

    def warn(self) -> None:
        """Emit a ConvergenceWarning if the training did not converge."""
        if not self.incremental and self.estimator._loss_tells:
            warn_if_not_converged(self.training)
            self.estimator._warn_if_useless(self.training.train)


def prepare(
    estimator: Any, arguments: FitArguments, shared: SharedData | None = None
) -> PreparedFit:
    """Do everything that comes before the training, or refuse and change nothing."""
    with estimator._own_defaults():
        device = resolve_device(estimator.device)
        with Draft(estimator, goes_on=estimator._goes_on(arguments.incremental)) as draft:
            data = check_data(draft, arguments, shared)
            folder = None if arguments.incremental else folder_named(estimator.checkpoint)
            company = Company(folder) if shared is None else Company(folder, rows=shared.rows)
            prepared = prepare_checked(draft, data, device, company)
            prepared.tell(estimator._make_reporter(data.given, prepared.training))
            draft.commit()
    return prepared


# ------------------------------------------------------------------------------------------- start


def prepare_checked(
    draft: Draft, data: CheckedData, device: torch.device, company: Company
) -> PreparedFit:
    """Make the network, the samples and the training of validated data."""
    model = draft.fitted
    checkpoint = None if data.incremental else _open_checkpoint(draft, data, device, company)
    if draft.goes_on:
        _go_on(model, device, incremental=data.incremental)
    else:
        _start(draft, data, device, checkpoint, company)
    train, held_out = _make_samples(draft, data, device, company)
    if not model._state.history:
        # now it is known which rows are held out, of which a network must know nothing
        model._fit_fixed_layers(data, train.subset)
    if model.module is not None and not draft.goes_on:
        _try_module(model, train)
    training = _make_training(draft, data, train, held_out, checkpoint, company)
    return PreparedFit(draft, training, incremental=data.incremental)


def _open_checkpoint(
    draft: Draft, data: CheckedData, device: torch.device, company: Company
) -> Checkpoint | None:
    """Find out where an interrupted fit goes on, before a network is made."""
    model = draft.fitted
    if company.folder is None:
        return None
    if takes_all_rows(model._solver):
        raise ValueError(
            f"checkpoint needs a solver that goes through batches: {model._solver!r} gives away "
            "no state to go on from. Use another solver or checkpoint=None."
        )
    start = None
    if draft.goes_on:
        start = model.module_, model._state, model._row_memory
        dtype = first_parameter(model.module_).dtype
    else:
        dtype, _ = _resolve_types(model, data, device)
    return Checkpoint(
        company.folder,
        model.checkpoint_minutes,
        describe_fit(model, data.fingerprints, dtype, start),
        draft.estimator._copy_for_checkpoint,
        n_together=company.n_together,
    )


def _resolve_types(
    model: Any, data: CheckedData, device: torch.device
) -> tuple[torch.dtype, torch.dtype]:
    """Return the type of a new network's weights, and that of its products."""
    precision = model.precision
    if precision == "auto" and takes_all_rows(model._solver) and device.type == "cpu":
        precision = "float64"  # line searches and equations need more than float32's digits
    elif precision == "auto" and not model._format.may_be_float64:
        precision = "float32"
    return resolve_precision(precision, data.X.dtype, data.n_counted, device)


def _start(
    draft: Draft,
    data: CheckedData,
    device: torch.device,
    checkpoint: Checkpoint | None,
    company: Company,
) -> None:
    """Make a new network and a new training state."""
    model = draft.fitted
    random_state = model.random_state
    if random_state is None:  # one draw from NumPy's global generator
        random_state = check_random_state(None).randint(np.iinfo(np.int32).max)
    generator = check_random_state(random_state)
    if not isinstance(random_state, Integral):  # else nobody else has the generator
        draft.draws_from(generator)
    state = TrainingState(random_state=generator)
    if checkpoint is not None:
        checkpoint.begin_with(generator)
    weight_dtype, compute_dtype = _resolve_types(model, data, device)
    with isolated_torch_rng(state, device) if model._runs_user_code() else nullcontext():
        if model.module is None:
            module = model._build_network(data, generator, weight_dtype)
        else:
            arguments = model._format.module_arguments() | {"n_outputs": model.n_outputs_}
            module = build_user_module(model.module, arguments)
    if not isinstance(model.module, torch.nn.Module):  # layers of an instance keep their modes
        set_mode(module, training=False)
    if company.first is not None:
        # the members of an ensemble that has grown may have been made for other data
        weight_dtype = first_parameter(company.first.module_).dtype
        compute_dtype = company.first._compute_dtype
    model.n_iter_ = 0
    model.module_ = moved(module, device, weight_dtype)
    model._compute_dtype = compute_dtype
    model._work = model._measure_work()
    model._state = state
    model._row_memory = RowMemory()


def _go_on(model: Any, device: torch.device, *, incremental: bool) -> None:
    """Take up the network and the training state where the last call left them."""
    here = first_parameter(model.module_).device
    is_elsewhere = device.type != here.type or device.index not in (None, here.index)
    if is_elsewhere or not model._state.history:  # its fixed layers are about to be fitted
        model.module_ = copy.deepcopy(model.module_).to(device)
    if not incremental:
        # as in scikit-learn, a warm start keeps the weights and renews the optimizer
        model._state.optimizer = model._state.learning_rate = None
        model._state.n_steps = 0
        if model._state.plateau is not None:
            model._state.plateau.count = 0


def _make_samples(
    draft: Draft, data: CheckedData, device: torch.device, company: Company
) -> tuple[Samples, Samples | None]:
    """Return the training and the validation samples on the device."""
    model = draft.fitted
    dtype = first_parameter(model.module_).dtype
    # batch normalization has no variance from a single row
    has_batch_norm = any(isinstance(m, _BatchNorm) for m in model.module_.modules())
    smallest = 2 if has_batch_norm else 1

    def make(
        X: Any, y: Any, targets: Any, answers: Answers, *, subset: np.ndarray | None = None
    ) -> Samples:
        key = (_place(X), device, dtype)
        if key not in company.rows:  # other devices than the CPU get a copy of X
            rows = model._format.rows(X, device, dtype, model.module_)
            # X stays where it is, as long as its place is the key
            company.rows[key] = X, model._targets.training_rows(rows, targets)
        _, rows = company.rows[key]
        return Samples(rows, X, y, answers, subset=subset, smallest_batch=smallest)

    answers = data.once(
        ("answers", device, dtype),
        lambda: make_answers(data.targets, data.sample_weight, device, dtype),
    )
    training = data.X, data.y, data.targets, answers
    counted = answers.counted_rows
    splits = (
        model._holds_out(data.n_counted)
        and not takes_all_rows(model._solver)
        and data.validation is None
    )
    memory = _remember_rows(model, data.X, counted, splits=splits)
    if data.validation is not None:
        train = make(*training, subset=counted)
        with naming(VALIDATION):
            X_val, y_val, targets_val, weights_val = data.validation
            answers_val = make_answers(targets_val, weights_val, device, dtype)
            return train, make(X_val, y_val, targets_val, answers_val)
    if not splits:
        return make(*training, subset=counted), None
    labels = model._targets.stratification(data.y)
    if model._fold is not None:
        fold = model._fold
        folds = data.once(
            ("folds", fold.n_folds, fold.seed),
            lambda: fold.of_rows(data.X.shape[0], labels, data.sample_weight),
        )
        train_rows, held_out_rows = fold.split(data.X, folds, memory)
        if counted is not None:
            train_rows = train_rows[np.isin(train_rows, counted)]
    else:
        if draft.goes_on:
            draft.draws_from(model._state.random_state)
        train_rows, held_out_rows = split_rows(
            data.X,
            model.validation_fraction,
            stratify=labels,
            random_state=model._state.random_state,
            memory=memory,
            among=counted,
        )
    train = make(*training, subset=train_rows)
    held_out = make(*training, subset=held_out_rows)
    if not (train.weight_sum and held_out.weight_sum):
        raise ValueError(
            "sample_weight is zero for all rows of the training or of the validation part "
            "of a fold; pass X_val and y_val, or fewer zeros."
        )
    return train, held_out


def _place(X: Any) -> Hashable:
    """Return where the numbers of X are, and how they lie there."""
    if type(X) is not np.ndarray:
        return id(X)
    return X.__array_interface__["data"][0], X.shape, X.strides, X.dtype.str


def _remember_rows(
    model: Any, X: Any, counted: np.ndarray | None, *, splits: bool
) -> RowMemory | None:
    """Return what warm starts know of the rows, brought up to date where none is held out."""
    memory = model._row_memory
    if not model.warm_start:
        return None
    if not splits:
        memory.add_trained(X, counted)
    elif model._state.n_samples_seen and not len(memory.trained):
        raise ValueError(
            "early_stopping cannot tell which rows the earlier fits have trained on, since "
            "warm_start was not set then. Set it before the first fit, or pass X_val and "
            "y_val."
        )
    return memory


def _try_module(model: Any, train: Samples) -> None:
    """Run the user's module on a few rows: what does not fit is refused before training."""
    batch = train.some(TRIED_ROWS)
    threads, own = (
        model._prediction_threads(TRIED_ROWS, train.device),
        model._own_draws(train.device),
    )
    with threads, own, evaluating(model.module_), torch.no_grad():
        outputs = forward(model.module_, batch.X, model._compute_dtype)
    model._targets.check_outputs(outputs, len(batch.targets), model.module_, model._loss, model)


# --------------------------------------------------------------------------------------- hand over


def _make_training(
    draft: Draft,
    data: CheckedData,
    train: Samples,
    held_out: Samples | None,
    checkpoint: Checkpoint | None,
    company: Company,
) -> Training:
    """Return the training of the draft's network."""
    model = draft.fitted
    _warn_of_batch_size(model, len(train))
    max_iter = model._resolve_max_iter(len(train))
    settings = Settings.of(
        model,
        solver=model._solver,
        schedule=_resolve_schedule(model, incremental=data.incremental),
        horizon=max_iter,
        max_epochs=1 if data.incremental else max_iter,
        batch_size=model._resolve_batch_size(len(train)),
        early_stopping=(
            model.early_stopping and not takes_all_rows(model._solver) and held_out is not None
        ),
        stops_by_loss=model._stops_by_loss,
        scales_data=model._scales_data,
        n_iter_no_change=model._resolve_patience(max_iter),
        alpha=model._resolve_alpha(),
        learning_rate_init=model._resolve_learning_rate(),
        verbose="bar" if model.verbose == "bar" else bool(model.verbose),
        compute_dtype=model._compute_dtype,
        work=model._work,
        runs_user_code=model._runs_user_code(),
        draws_numbers=model._draws_torch_numbers(),
    )
    return make_training(
        model.module_,
        model._loss,
        settings,
        model._state,
        train,
        held_out,
        n_outputs=model.n_outputs_,
        decide=partial(model._targets.measure, loss=model._loss),
        score=model._targets.score,
        is_all=not data.incremental,  # a part of a stream does not stand for all of it
        augment=model._make_augmentation(),
        checkpoint=checkpoint,
        listeners=_make_listeners(model, company),
        callbacks=check_callbacks(model.callbacks or []),
        estimator=draft.estimator,
        make_step=model._make_step(),
    )


def _warn_of_batch_size(model: Any, n_samples: int) -> None:
    """Warn of batches that are larger than the training data."""
    batch_size = model.batch_size
    if isinstance(batch_size, str) or batch_size <= n_samples or takes_all_rows(model._solver):
        return
    warnings.warn(
        f"batch_size={batch_size} is larger than the {n_samples} training samples; all of them "
        "make one batch.",
        stacklevel=2,
    )


def _resolve_schedule(model: Any, *, incremental: bool) -> str:
    """Return the schedule of the learning rate that this call follows."""
    schedule = model._schedule
    if schedule in ("invscaling", "adaptive") and model._solver != "sgd":
        return "constant"
    if incremental and schedule in HORIZON_SCHEDULES:
        # nobody knows how many calls will come: the rate stays at its peak
        model._state.learning_rate = None
        return "constant"
    return schedule


def _make_listeners(model: Any, company: Company) -> list[Listener]:
    """Return what the family listens with, and what prints."""
    listeners = model._make_listeners()
    score_name = model._targets.score_name
    if model.verbose == "bar":
        listeners.append(MoveBar(company.bar, score_name))
    elif model.verbose:
        listeners.append(PrintEpochs(score_name, company.name))
    return listeners
