"""The bar of finished fits, and the signal to stop."""

from __future__ import annotations

import sys
import threading
from typing import Any


class Progress:
    """Counts finished fits, with `verbose` on a bar, and holds the signal to stop."""

    def __init__(self, n_fits: int = 0, *, verbose: bool = False) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._seen: set[int] = set()
        self._bar: Any = None
        if verbose and n_fits:
            from tqdm import tqdm

            self._bar = tqdm(total=n_fits, desc="Fits", unit="fit", file=sys.stderr)

    def fitted(self, index: int) -> None:
        """Count the fit of a call; one that is repeated counts once."""
        with self._lock:
            if index in self._seen:
                return
            self._seen.add(index)
            if self._bar is not None:
                self._bar.update()

    def stop(self) -> None:
        """Tell all fits to stop."""
        self._stop.set()

    def should_stop(self) -> bool:
        """Return whether they are to stop."""
        return self._stop.is_set()

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
