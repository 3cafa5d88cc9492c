"""Documents: objects, archives and all that holds kinds of its own, checked as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch

from ._checking import Checker, Leaf, Sorts
from ._kinds import PLAIN
from ._known import distributions
from ._objects import check_object
from ._schema import ARCHIVED, ARGUMENT, FREE, PART_KINDS, SETTING
from ._tensors import TensorInfo
from ._third_party import Archive
from ._values import Node

# SciPy takes milliseconds to make one.
MAX_DISTRIBUTIONS = 200

# Objects on all ways through a document, each as often as it is reached: twice at each of forty
# levels would be for ever.
MAX_REACHED = 100_000


class DocumentChecker(Checker):
    """Checks all nodes; `archive` returns what skops wrote into a tensor, and is None within it."""

    def __init__(
        self,
        objects: list[Node],
        tensors: Mapping[str, TensorInfo],
        resolve: Callable[[str], Any],
        archive: Callable[[str], Archive] | None,
    ) -> None:
        super().__init__(objects, tensors, resolve, in_archive=archive is None)
        self._archive = archive
        self._checked_archives: dict[str, Sorts] = {}
        self._sorts: dict[int, Sorts] = {}
        self._open: set[int] = set()
        self._n_distributions = 0
        self._n_reached = 0
        self._n_within: dict[int, int] = {}

    def _arguments(self, args: Node, keywords: Node, kind: Any, place: str) -> None:
        """Check what a class is called with."""
        self.expect_tuple(args, place)
        kind(self, args, place)
        for key, each in self.text_keys(keywords, place).items():
            self.attribute_name(key, place)
            kind(self, each, f"{place}.{key}")

    def _distribution(self, value: Any, place: str) -> Sorts:
        name, args, keywords = self.exactly(value, 3, place)
        if type(name) is not str or name not in distributions():
            raise self.refuse(place, "is no distribution of SciPy's")
        self._n_distributions += 1
        if self._n_distributions > MAX_DISTRIBUTIONS:
            raise self.refuse(place, f"is one of more than {MAX_DISTRIBUTIONS} distributions")
        self._arguments(args, keywords, PLAIN, place)
        return frozenset({"distribution"})

    def _partial(self, value: Any, place: str) -> Sorts:
        """Check what makes modules or optimizers of plain settings."""
        function, args, keywords = self.exactly(value, 3, place)
        if self.tag(function, place)[0] != "name":
            raise self.refuse(place, "is a partial call of no class")
        sorts = self.leaf("name", function["name"], place)
        if not sorts & {"module class", "solver class", "trusted"}:
            raise self.refuse(place, "is a partial call of another class than a module's")
        self._arguments(args, keywords, SETTING, place)
        return frozenset({"factory"})

    def _history(self, value: Any, place: str) -> Sorts:
        """Check the columns of a history; each has a value for the rows that it names."""
        n_rows, columns = self.exactly(value, 2, place)
        if type(n_rows) is not int or n_rows < 0:
            raise self.refuse(place, "is no history")
        n_entries = 0
        for column in self.exactly(columns, None, place):
            name, where, values = self.exactly(column, 3, place)
            if type(name) is not str:
                raise self.refuse(place, "has a column without a name")
            n_values = self._column(values, f"{place}.{name[:40]}")
            n_places = n_rows if where is None else self._column(where, place, n_rows)
            if n_values != n_places:
                raise self.refuse(place, "has columns of other lengths than its rows")
            n_entries += n_values
        if n_rows > n_entries:
            raise self.refuse(place, "has more rows than entries")
        return frozenset({"history"})

    def _column(self, node: Node, place: str, n_rows: int | None = None) -> int:
        """Check a column's values, or the rows where they stand; return their number."""
        tag, value = self.tag(node, place)
        if tag in ("floats", "ints") and not (n_rows is not None and tag == "floats"):
            return self.numbers(value, place, torch.float64 if tag == "floats" else torch.int64)
        if tag != "list":
            raise self.refuse(place, "is no column")
        for each in value:
            if n_rows is not None and (type(each) is not int or not 0 <= each < n_rows):
                raise self.refuse(place, "has rows that are none")
            if n_rows is None:
                PLAIN(self, each, place)
        return len(value)

    def check_part(self, name: str, node: Node) -> None:
        """Check a part of the document by its kind."""
        PART_KINDS.get(name, FREE)(self, node, name)

    # ------------------------------------------------------------------------------------ archives

    def _skops(self, value: Any, place: str) -> Sorts:
        """Check an archive of skops's as if it were a part of the document."""
        if self._archive is None or type(value) is not str:
            raise self.refuse(place, "is an archive within an archive")
        info = self.tensors.get(value)
        if info is None or info.dtype != torch.uint8 or len(info.shape) != 1:
            raise self.refuse(place, "is an archive that the file does not hold")
        if value not in self._checked_archives:
            archive = self._archive(value)
            inner = DocumentChecker(archive.objects, archive.infos, self.resolve, archive=None)
            ARCHIVED(inner, archive.root, place)
            sorts = {"estimator", "foreign"} if archive.is_foreign else {"estimator"}
            self._checked_archives[value] = frozenset(sorts)
        return self._checked_archives[value]

    def _foreign(self, value: Any, place: str) -> Sorts:
        """Check what is in an object that skops makes."""
        name, parts = self.exactly(value, 2, place)
        if not self.in_archive:
            raise self.refuse(place, "is no value")
        for each in self.exactly(parts, None, place):
            ARGUMENT(self, each, f"{place}.{name}")
        return frozenset({"foreign"})

    # ------------------------------------------------------------------------------------- objects

    def _object(self, number: Any, place: str) -> Sorts:
        """Check an object by what its class says that it holds; each once."""
        if type(number) is not int or not 0 <= number < len(self.objects):
            raise self.refuse(place, "is an object that the file does not hold")
        if number in self._open:
            raise self.refuse(place, "is an object that holds itself")
        if number in self._sorts:
            self._reach(self._n_within[number], place)
            return self._sorts[number]
        before = self._n_reached
        self._reach(1, place)
        self._open.add(number)
        self._sorts[number] = check_object(self, self.objects[number], place)
        self._open.remove(number)
        self._n_within[number] = self._n_reached - before
        return self._sorts[number]

    def _reach(self, n_objects: int, place: str) -> None:
        self._n_reached += n_objects
        if self._n_reached > MAX_REACHED + 20 * len(self.objects):
            raise self.refuse(place, "holds objects that are shared too often")

    def is_open(self, number: Any) -> bool:
        """Say whether an object is one that is being checked."""
        return type(number) is int and number in self._open

    leaves: ClassVar[Mapping[str, Leaf]] = {
        **Checker.leaves,
        "distribution": _distribution,
        "foreign": _foreign,
        "history": _history,
        "object": _object,
        "partial": _partial,
        "skops": _skops,
    }
