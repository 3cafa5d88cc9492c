"""Random changes of the structure of honest files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.storage.attacks import NUMPY_NAMES, Content, Node, Stored, at, places, put, stored

NAMES = [
    "module_", "_loss", "_state", "memory", "checkpoint", "func", "steps", "estimators_", "forward",
    "fit", "predict", "__call__", "__class__", "__dict__", "__setstate__", "__array_interface__",
    "_parameters", "_forward_hooks", "_modules", "weight", "hidden_size", "num_layers", "classes_",
    "stack_method_", "scorer_", "_compiled_call_impl", "n_features_in_", "out_activation_", "to",
    "transform", "get_params", "shape", "dtype", "training", "key", "pos", "_members",
]  # fmt: skip
CLASSES = [
    "sklearn.pipeline.Pipeline", "sklearn.ensemble.StackingRegressor", "sklearn.svm.SVC",
    "sklearn.preprocessing.FunctionTransformer", "sklearn.metrics._scorer._Scorer",
    "sklearn.model_selection.GridSearchCV", "sklearn.neighbors.KNeighborsClassifier",
    "sklearn.isotonic.IsotonicRegression", "sklearn.cluster.KMeans", "torch.nn.Sequential",
    "torch.nn.LSTM", "torch.nn.Embedding", "torch.nn.MultiheadAttention", "torch.nn.ParameterList",
    "torch.nn.BatchNorm1d", "torch.nn.Conv2d", "torch.optim.Adam", "sknn.NeuralClassifier",
    "sknn.estimators.NeuralRegressor", "sknn.nn.DenseNetwork", "sknn.training.TrainingState",
    "sknn.training.Plateau", "numpy.float64", "builtins.list", "os.system", "torch.load",
]  # fmt: skip
NUMBERS: list[Any] = [
    0, 1, -1, 2, 7, 255, 2**31 - 1, 2**31, -(2**31), 2**53, 2**63 - 1, 2**63, 2**64, 10**30, 0.0,
    -0.5, 1e-300, 1e300, True, False,
]  # fmt: skip
TEXTS = [
    "", "auto", "predict", "write_bytes", "unlink", "cuda:7", "meta", "mean", "softmax", "adam",
    "lbfgs", "sgd", "one_cycle", "nan", "../../x", "\ud800", "{0.__class__}", "x" * 2000,
    "2*n_jobs", "float64", "load", "O", "<U0", "S8",
]  # fmt: skip
TAGS = [
    "RandomState", "array", "bunch", "bytes", "dict", "distribution", "element", "enum", "float",
    "floats", "foreign", "frozenset", "history", "ints", "masked", "name", "numpy.dtype", "object",
    "objects", "partial", "path", "scalar", "set", "skops", "slice", "sparse", "tensor",
    "torch.Size", "torch.device", "torch.dtype", "tuple",
]  # fmt: skip
SHAPES = [[], [0], [1], [2], [3, 4], [624], [1] * 33, [2**20, 0], [4, 3, 2]]


class Mutator:
    """Changes contents at random.

    Parameters
    ----------
    contents : list of Content
        Honest ones.
    seed : int
        The same number makes the same change.
    """

    def __init__(self, contents: list[Content], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.contents = contents

    def pick(self, things: Any) -> Any:
        return things[int(self.rng.integers(len(things)))]

    def __call__(self) -> Content:
        """Return a changed copy."""
        original = self.pick(self.contents)
        content = Content(json.loads(json.dumps(original.document)), dict(original.tensors))
        for _ in range(int(self.rng.choice([1, 1, 1, 2, 3, 6]))):
            if not isinstance(content.document.get("objects"), list) or not content.objects:
                break
            self.pick(CHANGES)(self, content)
        return content

    def place(self, content: Content) -> tuple[Any, ...]:
        found = [path for path in places(content.document) if len(path) > 1]
        return self.pick(found)

    def node(self, content: Content) -> Node:
        """Make a node of some kind."""
        name = self.pick([*content.tensors])
        tensor = {"tensor": [name]}
        kind = self.rng.integers(12)
        if kind == 0:
            return self.pick(NUMBERS)
        if kind == 1:
            return self.pick(TEXTS)
        if kind == 2:
            return {"object": int(self.rng.integers(-1, len(content.objects) + 1))}
        if kind == 3:
            return {"name": self.pick([*CLASSES, *content.classes()])}
        if kind == 4:
            return {self.pick(["tensor", "array", "floats", "ints", "skops"]): tensor["tensor"]}
        if kind == 5:
            return {"array": [tensor, self.pick(["<U1", "|S1", "<f8", "|b1", "O", "<M8[s]"]), [1]]}
        if kind == 6:
            return {
                self.pick(["floats", "ints", "element", "array"]): self.pick([tensor, [tensor]])
            }
        if kind == 7:
            return {"masked": [{"array": [tensor]}, {"array": [tensor]}, self.pick(NUMBERS)]}
        if kind == 8:
            function = {"name": self.pick(CLASSES)}
            return {"partial": [function, {"tuple": []}, {"dict": [[self.pick(NAMES), 1]]}]}
        if kind == 9:
            return content.add({"class": self.pick(CLASSES), "state": {self.pick(NAMES): 1}})
        if kind == 10:
            return json.loads(json.dumps(at(content.document, self.place(content))))
        return {self.pick(TAGS): self.pick([None, [], {}, 1, "x", [1, 2], [[1, 2]], tensor])}

    # ----------------------------------------------------------------------------- changes

    def replace(self, content: Content) -> None:
        put(content.document, self.place(content), self.node(content))

    def swap(self, content: Content) -> None:
        one, other = self.place(content), self.place(content)
        if one[: len(other)] != other and other[: len(one)] != one:
            values = at(content.document, one), at(content.document, other)
            put(content.document, one, json.loads(json.dumps(values[1])))
            put(content.document, other, values[0])

    def delete(self, content: Content) -> None:
        path = self.place(content)
        del at(content.document, path[:-1])[path[-1]]

    def repeat(self, content: Content) -> None:
        path = self.place(content)
        parent = at(content.document, path[:-1])
        if isinstance(parent, list):
            parent.insert(path[-1], parent[path[-1]])
        else:
            parent[self.pick(NAMES)] = json.loads(json.dumps(parent[path[-1]]))

    def attribute(self, content: Content) -> None:
        thing = self.pick(content.objects)
        if isinstance(thing, dict):
            part = thing.get(self.pick(["state", "fields", "parameters", "buffers", "modules"]))
            if isinstance(part, dict):
                part[self.pick(NAMES)] = self.node(content)

    def rename(self, content: Content) -> None:
        path = self.place(content)
        parent = at(content.document, path[:-1])
        if isinstance(parent, dict):
            parent[self.pick([*NAMES, *TAGS])] = parent.pop(path[-1])

    def other_class(self, content: Content) -> None:
        thing = self.pick(content.objects)
        if isinstance(thing, dict):
            thing["class"] = self.pick([*CLASSES, *content.classes()])

    def number(self, content: Content) -> None:
        found = [
            path
            for path in places(content.document)
            if len(path) > 1 and isinstance(at(content.document, path), int | float)
        ]
        if found:
            put(content.document, self.pick(found), self.pick(NUMBERS))

    def tensor(self, content: Content) -> None:
        name = self.pick([*content.tensors])
        old = content.tensors[name]
        change = self.rng.integers(4)
        if change == 0:
            dtype = self.pick([*NUMPY_NAMES])
            shape = [n if n < 2**20 else 1 for n in self.pick([old.shape, *SHAPES])]
            values = self.rng.integers(0, 256, int(np.prod(shape)) * np.dtype(dtype).itemsize)
            data = values.astype(np.uint8).tobytes()
            content.tensors[name] = Stored(NUMPY_NAMES[dtype], shape, data)
        elif change == 1:
            content.tensors[name] = content.tensors[self.pick([*content.tensors])]
        elif change == 2:
            content.tensors[name] = old._replace(shape=[*old.shape, 1])
        else:
            data = bytearray(old.content)
            for _ in range(min(8, len(data))):
                data[int(self.rng.integers(len(data)))] = int(self.rng.integers(256))
            content.tensors[name] = old._replace(content=bytes(data))

    def drop_tensor(self, content: Content) -> None:
        if len(content.tensors) > 1:
            del content.tensors[self.pick([*content.tensors])]

    def transplant(self, content: Content) -> None:
        """Put an object of another file in place of one."""
        other = self.pick(self.contents)
        place = int(self.rng.integers(len(content.objects)))
        content.objects[place] = json.loads(json.dumps(self.pick(other.objects)))
        content.tensors.setdefault("more", stored(np.zeros(3)))
        for name, each in other.tensors.items():
            content.tensors.setdefault(name, each)


CHANGES: list[Callable[[Mutator, Content], None]] = [
    Mutator.replace, Mutator.replace, Mutator.swap, Mutator.delete, Mutator.repeat,
    Mutator.attribute, Mutator.attribute, Mutator.rename, Mutator.other_class, Mutator.number,
    Mutator.number, Mutator.tensor, Mutator.tensor, Mutator.drop_tensor, Mutator.transplant,
]  # fmt: skip
