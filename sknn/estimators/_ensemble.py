"""Ensembles: several networks that differ in what is random, and whose answers are averaged.

An ensemble is one estimator to its user and `n_estimators` estimators inside: the members, with
its parameters and seeds of their own. It validates the data once, has each member prepare its fit
of them, and trains together what can be (:func:`sknn.training.train_all`).
"""

from __future__ import annotations

import copy
import os
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from sknn._parameters import declares_parameters, parameter
from sknn.data import Rows, count_threads, resolve_device
from sknn.nn import EnsembleNetwork
from sknn.storage import read_parts, write_parts
from sknn.training import (
    CHECKPOINT_FILE,
    Checkpoint,
    DivergenceError,
    EpochBar,
    Interrupted,
    ScikitLearnCallbacks,
    TrainingState,
    prepare_folder,
    train_all,
    warn_if_not_converged,
)

from ._base import NeuralEstimator, PreparedFit, TrainingData
from ._refusals import remember

# What the data are found to be, which members take from the ensemble instead of finding it anew.
FROM_DATA = ("n_features_in_", "feature_names_in_", "classes_", "_targets", "n_outputs_")

# Where an ensemble with random_state=None keeps what the seeds of its members come from.
SEEDS_FILE = "ensemble.sknn"

# What predictions need beside the network; it is the same for all members.
FROM_MEMBERS = ("n_outputs_", "out_activation_", "_loss", "_compute_dtype", "_work")


@dataclass
class Membership:
    """What a member has of its ensemble while it is fitted.

    Attributes
    ----------
    ensemble : EnsembleEstimator
        The ensemble.
    members : list of EnsembleEstimator
        Its members, which prepare their fits in this order.
    number : int
        The member's place among them.
    context : sklearn.callback.CallbackContext or None
        The ensemble's, in which scikit-learn's callbacks follow the fit.
    folder : Path or None
        Where its checkpoint is.
    rows : dict
        The wrapped samples, by the array that they are made of, the device and the type.
    bar : EpochBar
        The progress bar that all members move, if there is one.
    """

    ensemble: EnsembleEstimator
    members: list[Any]
    number: int
    context: Any
    folder: Path | None
    rows: dict[Hashable, Rows]
    bar: EpochBar

    @property
    def name(self) -> str:
        """What the user reads of this member."""
        return f"network {self.number + 1} of {len(self.members)}"


@declares_parameters
class EnsembleEstimator(NeuralEstimator):
    """Base class of the estimators that can be ensembles.

    Parameters
    ----------
    {parameters}
    """

    n_estimators: int = parameter(
        default=1,
        constraints=[Interval(Integral, 1, None, closed="left")],
        doc="""int
        Number of networks. Several make an ensemble, whose members differ in their initial
        weights, orders of the rows and validation parts, and whose probabilities (`predict_proba`)
        or predictions are averaged; where a loss defines no probabilities, the decisions are.
        Ensembles are mostly more accurate than one network, and surer of their probabilities
        with reason (Lakshminarayanan et al., 2017, arXiv:1612.01474). All members see all rows.
        Where their networks allow it they are trained together, which takes less time than one
        after the other. Their seeds come from `random_state`, so the first networks of a larger
        ensemble are those of a smaller one. Each has its own copies of `callbacks` and `module`
        (a module instance gives all of them the same initial weights). A warm start and
        `partial_fit` go on with all members; if `n_estimators` has grown, further ones start from
        new weights.""",
    )

    # what an ensemble consists of
    _members: ClassVar[list[Any] | None] = None

    # what a member has while it is fitted
    _membership: ClassVar[Membership | None] = None

    @property
    def estimators_(self) -> list[Any]:
        """The members of an ensemble; a single network has none."""
        if self._members is not None:
            return self._members
        state = "is a single network" if hasattr(self, "module_") else "is not fitted yet"
        raise AttributeError(
            f"this {type(self).__name__} {state}; ensembles, n_estimators > 1, have estimators_."
        )

    @property
    def t_(self) -> int:
        """Number of samples seen in training, repetitions and all networks included."""
        if self._members is not None:
            return sum(member.t_ for member in self._members)
        return super().t_

    def _fitted_state(self) -> TrainingState:
        if self._members is not None:
            raise AttributeError(
                f"this {type(self).__name__} is an ensemble, whose networks were trained each by "
                "itself: see the attributes of estimators_[i]."
            )
        return super()._fitted_state()

    # ------------------------------------------------------------------------------------- fit

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        validation: tuple[Any, Any, Any] | None = None,
        incremental: bool = False,
    ) -> Any:
        goes_on = self._goes_on(incremental)
        members = self._members if goes_on else None
        n_earlier = int(goes_on) if members is None else len(members)
        if n_earlier > self.n_estimators:
            raise ValueError(
                f"n_estimators={self.n_estimators} is less than the {n_earlier} networks of the "
                "last fit, with which warm_start and partial_fit go on."
            )
        if self.n_estimators == 1 and members is None:
            if not incremental:
                self._refuse_folder(member_folder("", 0), "of an ensemble")
            return super()._fit(X, y, sample_weight, validation=validation, incremental=incremental)
        return self._fit_ensemble(X, y, sample_weight, validation, incremental)

    def _refuse_folder(self, name: str | os.PathLike[str], whose: str) -> None:
        """Refuse a folder for checkpoints that holds those of another number of networks."""
        if self.checkpoint is not None and Path(self.checkpoint, name).expanduser().exists():
            raise ValueError(
                f"checkpoint={os.fspath(self.checkpoint)!r} is a folder with the checkpoint "
                f"{whose}, and n_estimators={self.n_estimators}. Name another folder, or delete "
                "this one to train anew."
            )

    def _checkpoint_folder(self) -> str | os.PathLike[str] | None:
        if self._membership is None:
            return super()._checkpoint_folder()
        return self._membership.folder

    def _n_together(self) -> int:
        return 1 if self._membership is None else len(self._membership.members)

    def _start(
        self, data: TrainingData, device: torch.device, checkpoint: Checkpoint | None
    ) -> None:
        self.__dict__.pop("_members", None)
        super()._start(data, device, checkpoint)
        if self._membership is not None:
            del self.n_iter_  # whoever has one has been trained
            # the members of an ensemble that has grown may have been made for other data
            first = self._membership.members[0]
            self.module_.to(next(first.module_.parameters()).dtype)
            self._compute_dtype = first._compute_dtype

    def _fit_ensemble(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any] | None,
        incremental: bool,
    ) -> Any:
        put_back = remember(self)
        fits: list[PreparedFit] = []
        context: Any = None
        given: dict[str, Any] = {}
        is_whole = False
        try:
            try:
                with self._own_defaults():
                    fits, context, given = self._prepare_ensemble(
                        X, y, sample_weight, validation, incremental
                    )
                train_members(fits)
            finally:
                # reached by Ctrl-C too: what has been trained makes the ensemble
                is_whole = self._join([fit.estimator for fit in fits])
                if context is not None:
                    context.call_on_fit_task_end(estimator=self, **given)
        except BaseException:
            if not is_whole:
                put_back()
            raise
        unconverged = [fit for fit in fits if not (incremental or fit.training.converged)]
        if unconverged:
            warn_if_not_converged(unconverged[0].training)  # once for all
        if not incremental:
            fits[0].estimator._warn_if_useless(fits[0].training.train)
        return self

    def _prepare_ensemble(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any] | None,
        incremental: bool,
    ) -> tuple[list[PreparedFit], Any, dict[str, Any]]:
        """Return the prepared fits of the members, scikit-learn's context, and what it is given."""
        goes_on = self._goes_on(incremental)
        device = resolve_device(self.device)
        data = self._check_data(X, y, sample_weight, validation, incremental=incremental)
        named = None if incremental else super()._checkpoint_folder()
        folder = None if named is None else Path(named)
        if folder is not None:
            self._refuse_folder(CHECKPOINT_FILE, "of a single network")
        members = self._make_members(goes_on, folder)
        context = self._open_context(data.given, len(members))
        rows: dict[Hashable, Rows] = {}
        bar = EpochBar(len(members))
        try:
            for number, member in enumerate(members):
                own_folder = None if folder is None else member_folder(folder, number)
                member._membership = Membership(
                    self, members, number, context, own_folder, rows, bar
                )
            fits = [
                member._prepare_checked(data, device, incremental=incremental) for member in members
            ]
        except BaseException:
            if context is not None:
                context.call_on_fit_task_end(estimator=self, **data.given)
            raise
        for name in FROM_MEMBERS:  # for callbacks that predict while training goes on
            setattr(self, name, getattr(members[0], name))
        return fits, context, data.given

    def _open_context(self, given: dict[str, Any], n_members: int) -> Any:
        """Begin a task with a subtask a member, if scikit-learn's callbacks are to follow them."""
        if not getattr(self, "_skl_callbacks", None):
            return None
        context = self._init_callback_context(max_subtasks=n_members, sequential_subtasks=False)
        return context.call_on_fit_task_begin(estimator=self, **given)

    def _join(self, members: list[Any]) -> bool:
        """Become the ensemble of the members that have been trained; say whether any has."""
        for member in members:
            del member._membership
        members = [member for member in members if hasattr(member, "n_iter_")]
        if not members:
            return False
        self._members = members  # type: ignore[misc]
        for name in FROM_MEMBERS:
            setattr(self, name, getattr(members[0], name))
        self.module_ = self._average(members)
        self.n_iter_ = max(member.n_iter_ for member in members)
        for name in ("_state", "_row_memory"):  # of a single network that was here before
            self.__dict__.pop(name, None)
        return True

    def _average(self, members: list[Any]) -> EnsembleNetwork:
        networks = [member.module_ for member in members]
        return EnsembleNetwork(networks, self.out_activation_).eval()

    # --------------------------------------------------------------------------------- members

    def _make_members(self, goes_on: bool, folder: Path | None) -> list[Any]:
        """Return the members that are to be fitted, those of the last fit first."""
        members = self._earlier_members() if goes_on else []
        parameters = self.get_params(deep=False)
        for name in ("n_estimators", "random_state", "checkpoint"):
            del parameters[name]
        # The ensemble's parameters may have been changed since. Objects that were not stay what
        # they are in the members, copies that may have come to hold something (callbacks).
        given = self.__dict__.get("_given_parameters", {})
        for name, value in parameters.items():
            if name not in given or value is not given[name]:
                for member in members:
                    setattr(member, name, copy.deepcopy(value))
        self._given_parameters = parameters

        for seed in self._draw_seeds(len(members), folder):
            # not by scikit-learn's `clone`, which callbacks with attributes of their own refuse
            copies = copy.deepcopy(parameters)
            members.append(type(self)(**copies, n_estimators=1, random_state=seed))
        for member in members:
            for name in FROM_DATA:
                member.__dict__.pop(name, None)
                if name in self.__dict__:
                    setattr(member, name, getattr(self, name))
        return members

    def _draw_seeds(self, n_members: int, folder: Path | None) -> list[int]:
        """Return the seeds of further members."""
        if n_members == self.n_estimators:  # the user's generator stays where it is
            return []
        # one call, of which a larger ensemble gets more numbers: the first ones are the same
        random_state = check_random_state(self.random_state)
        begun_with = copy.deepcopy(random_state)
        seeds = random_state.randint(np.iinfo(np.int32).max, size=self.n_estimators)
        if self.random_state is None and folder is not None:
            begun_with = recorded_generator(folder, begun_with)
            seeds = begun_with.randint(np.iinfo(np.int32).max, size=self.n_estimators)
        return seeds[n_members:].tolist()

    def _earlier_members(self) -> list[Any]:
        """Return the members of the last fit; a network that was alone becomes one."""
        if self._members is not None:
            return list(self._members)
        member = copy.copy(self).set_callbacks()
        member.n_estimators, member.checkpoint = 1, None
        return [member]

    def _make_training_rows(
        self, X: Any, targets: Any, device: torch.device, dtype: torch.dtype
    ) -> Rows:
        if self._membership is None:
            return super()._make_training_rows(X, targets, device, dtype)
        # once for all members: other devices than the CPU get a copy of X
        rows, key = self._membership.rows, (id(X), device, dtype)
        if key not in rows:
            rows[key] = super()._make_training_rows(X, targets, device, dtype)
        return rows[key]

    def _printed_name(self) -> str:
        return "" if self._membership is None else self._membership.name

    def _make_bar(self) -> EpochBar:
        return super()._make_bar() if self._membership is None else self._membership.bar

    def _make_reporter(self, given: dict[str, Any], max_epochs: int) -> ScikitLearnCallbacks | None:
        if self._membership is None:
            return super()._make_reporter(given, max_epochs)
        ensemble, context = self._membership.ensemble, self._membership.context
        if context is None:
            return None
        task = context.subcontext("network", self._membership.number, max_subtasks=max_epochs)
        return ScikitLearnCallbacks(ensemble, task, given, self._fitted_copy)

    # ---------------------------------------------------------------------------------- pickle

    def _stored_attributes(self) -> dict[str, Any]:
        """Store the networks once, in the members."""
        state = super()._stored_attributes()
        state.pop("_membership", None)
        if "_members" in state:
            state.pop("module_", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Average the networks of the members again."""
        super().__setstate__(state)
        if self._members is not None:
            self.module_ = self._average(self._members)


def member_folder(folder: str | os.PathLike[str], number: int) -> Path:
    """Return where the checkpoint of a member is.

    Parameters
    ----------
    folder : str or os.PathLike
        The ensemble's.
    number : int
        The member's place.

    Returns
    -------
    Path
    """
    return Path(folder, f"network-{number + 1}")


def recorded_generator(folder: Path, random_state: np.random.RandomState) -> np.random.RandomState:
    """Return the generator that the members' seeds were drawn from when the fit was begun.

    Parameters
    ----------
    folder : Path
        The ensemble's.
    random_state : RandomState
        The generator of a fit that begins now, which is recorded.

    Returns
    -------
    RandomState
    """
    prepare_folder(folder, SEEDS_FILE)
    path = folder / SEEDS_FILE
    if path.exists():
        with read_parts(path) as stored:
            return stored.decode("random_state")
    write_parts(path, {"random_state": random_state}, kind="seeds")
    return random_state


def train_members(fits: Sequence[PreparedFit]) -> None:
    """Train the networks of an ensemble; an error of one ends all, and says whose it is."""

    def has_failed() -> bool:
        return any(fit.training.error is not None for fit in fits)

    with suppress(Interrupted):
        train_all(fits, should_stop=has_failed, n_threads=count_threads())
    for number, fit in enumerate(fits):
        error = fit.training.error
        if isinstance(error, DivergenceError):
            raise DivergenceError(f"estimators_[{number}]: {error}") from error
        if error is not None:
            error.add_note(f"This was network {number + 1} of {len(fits)}, estimators_[{number}].")
            raise error
