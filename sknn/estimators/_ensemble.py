"""Ensembles: several networks that differ in what is random, and whose answers are averaged.

An ensemble is one estimator to its user and `n_estimators` estimators inside: the members, with
its parameters and seeds of their own. It validates the data once, has each member prepare its fit
of them, and trains together what can be (:func:`sknn.training.train_all`).
"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples

from sknn._parameters import declares_parameters, parameter
from sknn._validation import POSITIVE_INTEGER
from sknn.data import count_threads, resolve_device
from sknn.nn import EnsembleNetwork
from sknn.storage import read_parts, write_parts
from sknn.training import (
    CHECKPOINT_FILE,
    STOP,
    DivergenceError,
    EpochBar,
    Interrupted,
    ScikitLearnCallbacks,
    TrainingState,
    folder_named,
    prepare_folder,
    raise_if,
    train_all,
    warn_if_not_converged,
)

from ._base import NeuralEstimator
from ._checks import CheckedData, FitArguments, check_data
from ._draft import Draft
from ._fit import Company, PreparedFit, prepare_checked
from ._folds import Fold
from ._shared import SharedRows

# What the data are found to be, which members take from the ensemble instead of finding it anew.
FROM_DATA = (
    "_format",
    "_targets",
    "classes_",
    "feature_names_in_",
    "n_features_in_",
    "n_outputs_",
    "out_activation_",
)

# Where an ensemble with random_state=None keeps what the seeds of its members come from.
SEEDS_FILE = "ensemble.sknn"

# What predictions need beside the network; it is the same for all members.
FROM_MEMBERS = ("n_outputs_", "out_activation_", "_loss", "_compute_dtype", "_work")


@declares_parameters
class EnsembleEstimator(NeuralEstimator):
    """Base class of the estimators that can be ensembles.

    Parameters
    ----------
    {parameters}
    """

    n_estimators: int = parameter(
        default=1,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Number of networks. Several make an ensemble, whose members differ in their initial weights,
        orders of the rows and validation parts, and whose probabilities (`predict_proba`) or
        predictions are averaged; where a loss defines no probabilities, the decisions are.
        Ensembles are mostly more accurate than one network, and surer of their probabilities with
        reason (Lakshminarayanan et al., 2017, arXiv:1612.01474). All members see all rows. On a CPU
        several are trained at a time, in threads, where that takes less time than one after the
        other; on a GPU they are one program. Their seeds come from `random_state`, so the first
        networks of a larger ensemble are those of a smaller one. Each has its own copies of
        `callbacks` and `module` (a module instance gives all of them the same initial weights). A
        warm start and `partial_fit` go on with all members; if `n_estimators` has grown, further
        ones start from new weights.""",
    )

    # what an ensemble consists of
    _members: ClassVar[list[Any] | None] = None

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

    def _fit(self, arguments: FitArguments) -> Any:
        goes_on = self._goes_on(arguments.incremental)
        members = self._members if goes_on else None
        n_earlier = int(goes_on) if members is None else len(members)
        n_members = self._count_members(count_rows(arguments.X))
        if n_earlier > n_members:
            raise ValueError(
                f"n_estimators={n_members} is less than the {n_earlier} networks of the "
                "last fit, with which warm_start and partial_fit go on."
            )
        if n_members > 1 or members is not None:
            return self._fit_ensemble(arguments, n_members)
        if not arguments.incremental:
            self._refuse_folder(member_folder("", 0), "of an ensemble")
        return super()._fit(arguments)

    def _refuse_folder(self, name: str | os.PathLike[str], whose: str) -> None:
        """Refuse a folder for checkpoints that holds those of another number of networks."""
        if self.checkpoint is not None and Path(self.checkpoint, name).expanduser().exists():
            raise ValueError(
                f"checkpoint={os.fspath(self.checkpoint)!r} is a folder with the checkpoint "
                f"{whose}, and n_estimators={self.n_estimators}. Name another folder, or delete "
                "this one to train anew."
            )

    def _count_members(self, n_rows: int) -> int:
        """Return the number of networks that so many rows get."""
        return self.n_estimators

    def _count_folds(self, n_rows: int, n_members: int, *, has_validation: bool) -> int:
        """Return into how many folds the rows are dealt; 1 if each network holds out its own.

        `has_validation` is whether `fit` got `X_val`.
        """
        return 1

    def _fold_of(self, number: int, n_folds: int, seed: int) -> Fold | None:
        """Return what a member holds out; None draws it by its own seed."""
        return Fold(number % n_folds, n_folds, seed) if n_folds > 1 else None

    def _drawn_parameters(self, number: int, seed: int) -> dict[str, Any]:
        """Return the parameters in which a member, or those of a round of folds, differ."""
        return {}

    def _fit_ensemble(self, arguments: FitArguments, n_members: int) -> Any:
        bar = EpochBar(n_members)
        with self._own_defaults(), ExitStack() as drafts:
            fits, given = self._prepare_ensemble(arguments, n_members, bar, drafts)
        context = self._open_context(given, fits)
        try:
            train_members(fits)
        finally:
            bar.close()  # which waits for networks that an interruption kept from training
            # reached by Ctrl-C too: what has been trained makes the ensemble
            fitted = [fit for fit in fits if fit.is_concluded or fit.goes_on]
            self.__dict__.update(self._joined(fitted or fits))
            if context is not None:
                context.call_on_fit_task_end(estimator=self, **given)
        if not arguments.incremental:
            unconverged = [fit for fit in fits if not fit.training.converged]
            if unconverged:
                warn_if_not_converged(unconverged[0].training)  # once for all
            fits[0].estimator._warn_if_useless(fits[0].training.train)
        self._conclude_ensemble(fits)
        return self

    def _conclude_ensemble(self, fits: Sequence[PreparedFit]) -> None:
        """Learn from what all networks have come to, if they were not interrupted."""

    def _prepare_ensemble(
        self, arguments: FitArguments, n_members: int, bar: EpochBar, stack: ExitStack
    ) -> tuple[list[PreparedFit], dict[str, Any]]:
        """Return the prepared fits of the members, and what scikit-learn's callbacks are given."""
        device = resolve_device(self.device)
        draft = stack.enter_context(Draft(self, goes_on=self._goes_on(arguments.incremental)))
        data = check_data(draft, arguments)
        folder = None if arguments.incremental else folder_named(self.checkpoint)
        if folder is not None:
            self._refuse_folder(CHECKPOINT_FILE, "of a single network")
        drafts = self._draft_members(draft, data, folder, n_members)
        rows: SharedRows = {}
        fits = []
        for number, member in enumerate(drafts):
            company = Company(
                None if folder is None else member_folder(folder, number),
                bar,
                n_together=len(drafts),
                name=f"network {number + 1} of {len(drafts)}",
                first=drafts[0].fitted if number else None,
                rows=rows,
            )
            stack.enter_context(member)
            fits.append(prepare_checked(member, data, device, company))
        for member in drafts:
            member.commit()
        joined = vars(draft.fitted)
        joined.update(self._joined(fits))
        for name in ("_state", "_row_memory"):  # of a single network that was here before
            joined.pop(name, None)
        draft.commit()
        return fits, data.given

    def _open_context(self, given: dict[str, Any], fits: Sequence[PreparedFit]) -> Any:
        """Begin a task with a subtask a member, if scikit-learn's callbacks are to follow them."""
        if not getattr(self, "_skl_callbacks", None):
            return None
        context = self._init_callback_context(max_subtasks=len(fits), sequential_subtasks=False)
        context = context.call_on_fit_task_begin(estimator=self, **given)
        for number, fit in enumerate(fits):
            max_epochs = fit.training.settings.max_epochs
            task = context.subcontext("network", number, max_subtasks=max_epochs)
            fit.tell(ScikitLearnCallbacks(self, task, given, fit.estimator._fitted_copy))
        return context

    def _joined(self, fits: Sequence[PreparedFit]) -> dict[str, Any]:
        """Return the attributes of the ensemble of the members that were fitted."""
        members = [fit.estimator for fit in fits]
        return {
            **{name: getattr(members[0], name) for name in FROM_MEMBERS},
            "_members": members,
            "module_": average_network(members),
            "n_iter_": max(member.n_iter_ for member in members),
        }

    # --------------------------------------------------------------------------------- members

    def _draft_members(
        self, draft: Draft, data: CheckedData, folder: Path | None, n_members: int
    ) -> list[Draft]:
        """Return drafts of the members that are to be fitted, those of the last fit first."""
        parameters = self.get_params(deep=False)
        for name in ("n_estimators", "random_state", "checkpoint"):
            del parameters[name]
        # The ensemble's parameters may have been changed since. Objects that were not stay what
        # they are in the members, copies that may have come to hold something (callbacks).
        given = self.__dict__.get("_given_parameters", {})
        changed = {
            name: value
            for name, value in parameters.items()
            if name not in given or value is not given[name]
        }
        draft.fitted._given_parameters = parameters
        drafts = [
            Draft(
                member, goes_on=True, parameters={k: copy.deepcopy(v) for k, v in changed.items()}
            )
            for member in (self._earlier_members() if draft.goes_on else [])
        ]
        seeds = self._draw_seeds(draft, len(drafts), folder, n_members)
        n_folds = self._count_folds(
            data.n_counted, n_members, has_validation=data.validation is not None
        )
        for number in range(len(drafts), n_members):
            # not by scikit-learn's `clone`, which callbacks with attributes of their own refuse
            copies = copy.deepcopy(parameters) | self._drawn_parameters(number // n_folds, seeds[0])
            member = type(self)(**copies, n_estimators=1, random_state=seeds[number])
            drafts.append(Draft(member, goes_on=False))
            drafts[-1].fitted._fold = self._fold_of(number, n_folds, seeds[0])
        for each in drafts:
            attributes = vars(each.fitted)
            for name in FROM_DATA:
                attributes.pop(name, None)
                if name in vars(draft.fitted):
                    attributes[name] = getattr(draft.fitted, name)
            is_weighted = data.sample_weight is not None
            attributes["_loss"] = draft.fitted._targets.make_loss(each.fitted, weighted=is_weighted)
        return drafts

    def _draw_seeds(
        self, draft: Draft, n_earlier: int, folder: Path | None, n_members: int
    ) -> list[int]:
        """Return the seeds of all members, if there are further ones than before."""
        if n_earlier == n_members:  # the user's generator stays where it is
            return []
        # one call, of which a larger ensemble gets more numbers: the first ones are the same
        random_state: np.random.RandomState = check_random_state(self.random_state)
        draft.draws_from(random_state)
        begun_with = copy.deepcopy(random_state)
        seeds = random_state.randint(np.iinfo(np.int32).max, size=n_members)
        if self.random_state is None and folder is not None:
            begun_with = recorded_generator(folder, begun_with)
            seeds = begun_with.randint(np.iinfo(np.int32).max, size=n_members)
        return seeds.tolist()

    def _earlier_members(self) -> list[Any]:
        """Return the members of the last fit; a network that was alone becomes one."""
        if self._members is not None:
            return list(self._members)
        member = copy.copy(self).set_callbacks()
        member.n_estimators, member.checkpoint = 1, None
        return [member]

    # ---------------------------------------------------------------------------------- pickle

    def _stored_attributes(self) -> dict[str, Any]:
        """Store the networks once, in the members."""
        state = super()._stored_attributes()
        if "_members" in state:
            state.pop("module_", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Average the networks of the members again."""
        super().__setstate__(state)
        if self._members is not None:
            self.module_ = average_network(self._members)


def count_rows(X: Any) -> int:
    """Return the number of rows; 0 of what has none, which is refused later."""
    try:
        return _num_samples(X)
    except TypeError:
        return 0


def average_network(members: Sequence[Any]) -> EnsembleNetwork:
    """Return a module that averages the networks of members."""
    networks = [member.module_ for member in members]
    return EnsembleNetwork(networks, members[0].out_activation_).eval()


def member_folder(folder: str | os.PathLike[str], number: int) -> Path:
    """Return where the checkpoint of a member is."""
    return Path(folder, f"network-{number + 1}")


def recorded_generator(folder: Path, random_state: np.random.RandomState) -> np.random.RandomState:
    """Return the generator that the seeds were drawn from when the fit was begun, or record one."""
    prepare_folder(folder, SEEDS_FILE)
    path = folder / SEEDS_FILE
    if path.exists():
        with read_parts(path) as stored:
            return stored.decode("random_state")
    write_parts(path, {"random_state": random_state}, kind="seeds")
    return random_state


def train_members(fits: Sequence[PreparedFit]) -> None:
    """Train the networks of an ensemble; an error of one ends all, and says whose it is."""
    is_over = STOP.get()

    def should_stop() -> bool:
        return is_over() or any(fit.training.error is not None for fit in fits)

    def forget_order(fit: PreparedFit) -> None:  # of all rows, which nobody reads any more
        fit.training.order = None

    with suppress(Interrupted):
        train_all(fits, on_done=forget_order, should_stop=should_stop, n_threads=count_threads())
    for number, fit in enumerate(fits):
        error = fit.training.error
        if isinstance(error, DivergenceError):
            raise DivergenceError(f"estimators_[{number}]: {error}") from error
        if error is not None:
            error.add_note(f"This was network {number + 1} of {len(fits)}, estimators_[{number}].")
            raise error
    raise_if(is_over)
