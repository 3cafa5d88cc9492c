"""Who is told how a training goes: lines and bars of epochs, and scikit-learn's callbacks."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from torch import Tensor

from sknn.data import Batch

# fits into 100 columns with the figures of training and validation
BAR = "{percentage:3.0f}%|{bar:10}| {n_fmt}/{total_fmt} epochs [{elapsed}<{remaining}{postfix}]"


class Listener:
    """Is told how a training (:class:`sknn.training.Training`) goes."""

    listens_to_batches = False
    runs_user_code = False  # which is called by one thread only

    def on_train_begin(self, training: Any) -> None:
        """Do what comes before the first epoch."""

    def on_train_end(self, training: Any) -> None:
        """Do what comes after the last epoch, or after an error."""

    def on_epoch_begin(self, training: Any) -> None:
        """Do what comes before an epoch; the history has a row for it."""

    def on_epoch_end(self, training: Any) -> None:
        """Do what comes after an epoch; its row is complete."""

    def on_batch_begin(self, training: Any, batch: Batch) -> None:
        """Do what comes before a step."""

    def on_grad_computed(self, training: Any, batch: Batch) -> None:
        """Do what comes between gradients and update."""

    def on_batch_end(self, training: Any, batch: Batch, outputs: Tensor, loss: Tensor) -> None:
        """Do what comes after a step, outputs (n, n_outputs) and mean loss () in hand."""

    def skip_epochs(self, n_epochs: int) -> None:
        """Take note of epochs that were run before an interruption."""


class TimeLimit(Listener):
    """Ends a training after the epoch in which its time is over; several may share one."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def on_epoch_end(self, training: Any) -> None:
        """End a training whose time is over."""
        if time.monotonic() >= self.end:
            training.converged = training.stop_training = True


class PrintEpochs(Listener):
    """Prints a line an epoch: its number, losses, scores and time."""

    def __init__(self, score_name: str, name: str = "") -> None:
        self.score_name = score_name
        self.name = name  # of what is trained, for the beginning of each line

    def on_epoch_end(self, training: Any) -> None:
        """Print the epoch that ended."""
        epoch, max_epochs = training.this_epoch, training.settings.max_epochs
        number = f"{training.n_epochs_run:>{len(str(max_epochs))}}/{max_epochs}"
        if max_epochs == 1:  # partial_fit, which does not know how many will come
            number = str(epoch["epoch"])
        seconds = epoch["dur"]
        duration = f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
        figures = "; ".join(
            f"{part} {', '.join(values)}"
            for part, values in _figures(epoch, self.score_name).items()
        )
        prefix = f"{self.name}: " if self.name else ""
        # the word of MLPClassifier, whose users look for it
        print(f"{prefix}Iteration {number}: {figures} ({duration})", flush=True)


class EpochBar:
    """A progress bar of epochs on the standard error stream, for one or several trainings."""

    def __init__(self, n_trainings: int = 1) -> None:
        self.n_trainings = n_trainings
        self._bar: Any = None
        self._lock = threading.Lock()

    def open(self, max_epochs: int) -> None:
        """Draw the empty bar for the first training that begins."""
        from tqdm import tqdm

        with self._lock:
            if self._bar is None:
                total = self.n_trainings * max_epochs
                self._bar = tqdm(total=total, bar_format=BAR, file=sys.stderr)

    def update(self, n_epochs: int, figures: str) -> None:
        """Move on by so many epochs."""
        with self._lock:
            self._bar.set_postfix_str(figures, refresh=False)
            self._bar.update(n_epochs)

    def leave(self, n_epochs_left: int) -> None:
        """Take away what a training that has ended left undone; the last one closes the bar."""
        with self._lock:
            if self._bar is None:  # another listener has refused to begin
                return
            self.n_trainings -= 1
            self._bar.total -= n_epochs_left
            is_last = self.n_trainings == 0
        if is_last:
            self.close()

    def close(self) -> None:
        """Leave the bar as it stands, whether or not all trainings have begun."""
        with self._lock:
            if self._bar is not None:
                self._bar.close()


class MoveBar(Listener):
    """Moves a progress bar on after each epoch."""

    def __init__(self, bar: EpochBar, score_name: str) -> None:
        self.bar = bar
        self.score_name = score_name
        self.n_shown = 0

    def on_train_begin(self, training: Any) -> None:
        """Draw the bar, if this is its first training."""
        self.bar.open(training.settings.max_epochs)

    def on_epoch_end(self, training: Any) -> None:
        """Show the epoch that ended, and those before an interruption."""
        figures = _figures(training.this_epoch, self.score_name)
        latest = ", ".join(figures.get("validation", figures["training"]))
        prefix = "validation " if "validation" in figures else ""
        self.bar.update(training.n_epochs_run - self.n_shown, prefix + latest)
        self.n_shown = training.n_epochs_run

    def on_train_end(self, training: Any) -> None:
        """Leave the bar as it stands."""
        self.bar.leave(training.settings.max_epochs - self.n_shown)


def tell(message: str, verbose: bool | str) -> None:
    """Print a line, above the bar if ``verbose="bar"`` draws one."""
    if verbose == "bar":
        from tqdm import tqdm

        tqdm.write(message, file=sys.stderr)
    else:
        print(message, flush=True)


def _figures(epoch: dict[str, Any], score_name: str) -> dict[str, list[str]]:
    """Return loss and score of the training and of the validation data, as far as there are any."""
    figures = {}
    for part, key in (("training", "train"), ("validation", "valid")):
        names = {f"{key}_loss": "loss {:#.4g}", f"{key}_score": f"{score_name} {{:.3f}}"}
        values = [text.format(epoch[name]) for name, text in names.items() if name in epoch]
        if values:
            figures[part] = values
    return figures


class ScikitLearnCallbacks(Listener):
    """Tells :mod:`sklearn.callback` about each epoch."""

    runs_user_code = True

    def __init__(
        self,
        estimator: Any,
        context: Any,  # root context of the fit
        data: dict[str, Any],  # X, y and metadata, as the user gave them
        fitted_attributes: Callable[[], dict[str, Any]],  # make a copy of the estimator fitted
    ) -> None:
        self.estimator = estimator
        self.context = context
        self.data = data
        self.fitted_attributes = fitted_attributes

    def skip_epochs(self, n_epochs: int) -> None:
        """Go on with the epochs' numbers after those that were run before an interruption."""
        for _ in range(n_epochs):
            self.context.subcontext(task_name="epoch")

    def _report(self, hook: Callable[..., Any]) -> Any:
        return hook(
            estimator=self.estimator,
            reconstruction_attributes=self.fitted_attributes,
            **self.data,
        )

    def on_train_begin(self, training: Any) -> None:
        """Open the fit's task."""
        self._report(self.context.call_on_fit_task_begin)

    def on_train_end(self, training: Any) -> None:
        """Close the fit's task."""
        self._report(self.context.call_on_fit_task_end)

    def on_epoch_begin(self, training: Any) -> None:
        """Open the epoch's task."""
        self._epoch_context = self.context.subcontext(task_name="epoch")
        self._report(self._epoch_context.call_on_fit_task_begin)

    def on_epoch_end(self, training: Any) -> None:
        """Close the epoch's task, and stop if a callback wants to."""
        if self._report(self._epoch_context.call_on_fit_task_end):
            training.converged = training.stop_training = True
