"""The hook: a backend of joblib that sees all items of a search before any of them runs.

scikit-learn's searches and validation functions hand items, each a function and its arguments, to
:class:`joblib.Parallel`, one for each candidate and fold. :class:`StackingBackend` collects them,
makes calls of those with dense networks, which threads of this process run, or which share a stack
on a GPU, and passes the others on to the backend that was active before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import joblib
from joblib.parallel import FallbackToBackend, ParallelBackendBase

from ._calls import Call, parse_call
from ._docs import documented
from ._fits import Results, run_in_stacks, run_in_threads
from ._memory import available_memory, parse_memory_limit
from ._progress import Progress

# joblib hands out as many items at once as it believes there are workers.
MANY = 2**31
# Stands for n_jobs=None, which joblib replaces by a backend's default.
UNSET = -MANY

_MISSING = object()


class _Job:
    """Some items that joblib has submitted, and what came of them."""

    def __init__(self, items: list[Any], callback: Callable[..., Any] | None) -> None:
        self.items = items
        self.callback = callback
        self.results: list[Any] = [_MISSING] * len(items)


class StackingBackend(ParallelBackendBase):
    """Collects items and runs them when the first result is asked for."""

    supports_retrieve_callback = False
    default_n_jobs = UNSET

    def __init__(self, *, memory_limit: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.memory_limit = memory_limit
        self._waiting: list[_Job] = []
        self._collects = False
        self._n_jobs: int | None = None
        self._verbose = 0

    # ----------------------------------------------------------------- the backend before this

    def install(self) -> None:
        """Make this the active backend of the thread."""
        self._config = joblib.parallel_config(backend=self)

    def uninstall(self) -> None:
        """Make the backend active that was active before."""
        self._config.unregister()

    @contextmanager
    def previous_backend(self) -> Iterator[None]:
        """Leave the scene: nested calls, and those passed on, are not to come back here."""
        now = joblib.parallel_config()  # changes nothing, but knows what to come back to
        self.uninstall()
        try:
            yield
        finally:
            now.unregister()

    # ------------------------------------------------------------------------- joblib's protocol

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many items joblib may hand out at once."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if self._collects:
            return MANY
        with self.previous_backend():  # somebody wants to know how parallel work will be
            return joblib.effective_n_jobs(None if n_jobs == UNSET else n_jobs)

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Any = None,
        prefer: str | None = None,
        require: str | None = None,
        **options: Any,
    ) -> int:
        """Get ready to collect, and remember what was asked for."""
        if prefer is not None or require is not None:
            # not scikit-learn's searches and validation functions: they have no preferences
            with self.previous_backend():
                backend, _ = joblib.parallel.get_active_backend(prefer, require)
            raise FallbackToBackend(backend)
        self.parallel = parallel
        self._n_jobs = None if n_jobs == UNSET else n_jobs
        # joblib is not to print how many workers it believes there are
        self._verbose, parallel.verbose = parallel.verbose, 0
        if "n_jobs" in str(parallel.pre_dispatch):  # as many times as there are workers
            parallel.pre_dispatch = "all"
        self._collects = True
        return self.effective_n_jobs(n_jobs)

    def terminate(self) -> None:
        """Stop collecting."""
        self._collects = False
        self._waiting.clear()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Forget the items that have not run."""
        self._waiting.clear()

    def submit(self, func: Any, callback: Callable[..., Any] | None = None) -> _Job:
        """Collect items."""
        job = _Job(func.items, callback)
        self._waiting.append(job)
        return job

    apply_async = submit

    def retrieve_result(self, out: _Job, timeout: float | None = None) -> list[Any]:
        """Return the results of some items, running all collected ones if need be."""
        if any(result is _MISSING for result in out.results):
            jobs, self._waiting = self._waiting, []
            with self.previous_backend():
                self._run(jobs)
            for job in jobs:  # where calls are handed out in waves, this brings the next one
                if job.callback is not None:
                    job.callback(job.results)
        return out.results

    # ------------------------------------------------------------------------------ running items

    def _run(self, jobs: Sequence[_Job]) -> None:
        """Run items, those here that can be, and keep their results."""
        places = [(job, place) for job in jobs for place in range(len(job.items))]
        items = [job.items[place] for job, place in places]
        calls = [parse_call(index, item) for index, item in enumerate(items)]
        results = self._run_here([call for call in calls if call is not None and self._takes(call)])
        done = {index for index, _ in results}
        rest = [index for index in range(len(items)) if index not in done]
        results += zip(rest, self._run_singly([items[index] for index in rest]), strict=True)
        for index, result in results:
            job, place = places[index]
            job.results[place] = result

    def _takes(self, call: Call) -> bool:
        """Return whether a call is run by this process, and not by a backend of the user's."""
        # whoever has chosen such a one has a reason, such as further machines
        backend, _ = joblib.parallel.get_active_backend()
        own = (joblib.parallel.BACKENDS.get(name) for name in ("loky", "threading", "sequential"))
        return type(backend) in own or call.is_stacked

    def _run_singly(self, items: Sequence[Any]) -> list[Any]:
        """Return the results of items that run as they would have without this backend."""
        if not items:
            return []
        return list(joblib.Parallel(n_jobs=self._n_jobs, verbose=self._verbose)(items))

    def _run_here(self, calls: Sequence[Call]) -> Results:
        """Return the results of calls that this process runs."""
        if not calls:
            return []
        stacked = [call for call in calls if call.is_stacked]
        single = [call for call in calls if not call.is_stacked]
        limit = self.memory_limit
        if limit is None:
            devices = {call.device for call in stacked or single}
            limit = min(available_memory(device) for device in devices) // 2
        verbose = self._verbose >= 1 or any(call.verbose for call in calls)
        progress = Progress(calls, verbose=verbose)
        n_threads = max(joblib.effective_n_jobs(self._n_jobs), 1)
        try:
            results = run_in_stacks(stacked, limit, progress)
            return results + run_in_threads(single, n_threads, limit, progress)
        finally:
            progress.close()


@documented
@contextmanager
def stacked_fits(memory_limit: int | str | None = None) -> Iterator[None]:
    """Fit networks in threads or stacks that scikit-learn's functions fit within this context.

    It is what the searches and validation functions of this module use, for others such as
    :func:`sklearn.model_selection.learning_curve` and
    :func:`sklearn.model_selection.validation_curve`.

    Parameters
    ----------
    {parameters}

    Yields
    ------
    None

    Raises
    ------
    ValueError
        If `memory_limit` is no such limit.

    Notes
    -----
    It works as a backend of joblib's, in the thread that enters it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import validation_curve
    >>> from sknn import NeuralClassifier
    >>> from sknn.model_selection import stacked_fits
    >>> X, y = load_iris(return_X_y=True)
    >>> network = NeuralClassifier((20,), tol=0.01, random_state=0)
    >>> with stacked_fits():
    ...     train_scores, test_scores = validation_curve(
    ...         network, X, y, param_name="learning_rate_init", param_range=[0.01, 0.03, 0.1]
    ...     )
    >>> test_scores.shape
    (3, 5)
    """
    backend = StackingBackend(memory_limit=parse_memory_limit(memory_limit))
    backend.install()
    try:
        yield
    finally:
        backend.uninstall()
