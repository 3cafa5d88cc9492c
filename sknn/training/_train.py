"""From plain values to a `Training`, and from that to trained weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from sknn.data import Samples, threads_for
from sknn.nn import DenseBackprop, Loss, own_defaults

from ._compiled import CompiledStep, is_compiled
from ._compiled_loop import CompiledLoop
from ._lbfgs import LBFGSLoop
from ._listeners import Listener
from ._loop import Loop
from ._randomness import own_generators
from ._ridge import RidgeLoop
from ._running_statistics import RunningStatistics
from ._scores import Score
from ._settings import Settings
from ._skorch import SkorchCallbacks, freeze_parameters
from ._state import TrainingState
from ._steps import Backprop, GradientStep, Step, make_backprop
from ._training import CheckpointProtocol, Training
from .solvers import LearningRate, make_optimizer, takes_all_rows

# From the network, its loss and the settings.
MakeStep = Callable[[nn.Module, Loss, Settings], Step]


def make_training(
    module: nn.Module,
    loss: Loss,
    settings: Settings,
    state: TrainingState,
    train: Samples,
    validation: Samples | None,
    *,
    n_outputs: int,
    decide: Callable[[Tensor, Tensor], Tensor],
    score: Score,
    is_all: bool = True,
    augment: Callable[[Any], Any] | None = None,
    checkpoint: CheckpointProtocol | None = None,
    listeners: Sequence[Listener] = (),
    callbacks: Sequence[Any] = (),  # skorch's, which hear before the listeners
    estimator: Any = None,  # what skorch's callbacks predict with
    make_step: MakeStep | None = None,  # None is the descent along the gradient of the loss
) -> Training:
    """Return the training of a module on its device, with step, optimizer and learning rate."""
    if make_step is None:
        statistics = RunningStatistics(module)
        needs_autograd = (
            settings.solver_name == "custom"
            or state.is_parted(settings.solver_name)
            or freeze_parameters(callbacks)
        )
        compiled = (
            not needs_autograd
            and augment is None
            and is_compiled(module, loss, settings, train, validation)
        )
        step: Step = _descent(
            module, loss, settings, statistics, n_outputs, needs_autograd, compiled=compiled
        )
    else:
        statistics = RunningStatistics(nn.Identity())  # a pass over the rows would not renew them
        step = make_step(module, loss, settings)
    if step.optimizer is not None:
        state.restore_optimizer(step.optimizer, settings.solver_name, module)
    training = Training(
        module=module,
        loss=loss,
        step=step,
        learning_rate=LearningRate(settings, step.optimizer, state),
        settings=settings,
        state=state,
        train=train,
        validation=validation,
        decide=decide,
        score=score,
        statistics=statistics,
        is_all=is_all,
        augment=augment,
        checkpoint=checkpoint,
        listeners=listeners,
    )
    if callbacks:
        told = SkorchCallbacks(training, list(callbacks), estimator)
        training.listeners = [told, *listeners]
    return training


def _descent(
    module: nn.Module,
    loss: Loss,
    settings: Settings,
    statistics: RunningStatistics,
    n_outputs: int,
    needs_autograd: bool,
    *,
    compiled: bool,
) -> GradientStep:
    """Return the step along the gradient of the loss, by the fastest way to it."""
    backprop: Backprop
    if compiled:
        backprop = DenseBackprop(module, loss)  # type: ignore[arg-type]
    else:
        backprop = make_backprop(
            module,
            loss,
            settings.compute_dtype,
            n_outputs=n_outputs,
            statistics=statistics,
            needs_autograd=needs_autograd,
        )
    if not backprop.parameters:
        raise ValueError("module_ has no trainable parameters; there is nothing to fit.")
    optimizer = None
    if not takes_all_rows(settings.solver):
        optimizer = make_optimizer(settings, backprop.parameters, backprop.weights)
    kind = CompiledStep if compiled else GradientStep
    return kind(module, loss, backprop, optimizer, settings)


def train(training: Training) -> None:
    """Train until something ends it; raise Interrupted where `training.should_stop` says so."""
    loop: type[Loop] = Loop
    if training.settings.solver == "lbfgs":
        loop = LBFGSLoop
    elif training.settings.solver == "ridge":
        loop = RidgeLoop
    elif isinstance(training.step, CompiledStep):
        loop = CompiledLoop
    with _surroundings(training):
        loop(training).run()


@contextmanager
def _surroundings(training: Training) -> Iterator[None]:
    """Hold torch's defaults, threads and random numbers while training runs."""
    settings, samples = training.settings, training.train
    n_rows = len(samples) if takes_all_rows(settings.solver) else settings.batch_size
    with ExitStack() as stack:
        stack.enter_context(own_defaults(keeps_float64=settings.runs_user_code))
        stack.enter_context(threads_for(n_rows * settings.work.flops, samples.device))
        if settings.draws_numbers:
            own = own_generators(training.state, samples.device)
            training.generators = stack.enter_context(own)
        yield
