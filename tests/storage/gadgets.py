"""Files that try to make `load`, or a later call, do more than a model does."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.storage.attacks import Content, Node, Stored, blank, seal, stored

__all__ = ["GADGETS"]

Gadget = Callable[["Honest"], "Content | bytes"]
GADGETS: dict[str, Gadget] = {}


class Honest:
    """Honest files by name, from which gadgets are made."""

    def __init__(self, contents: dict[str, Content], archives: dict[str, bytes]) -> None:
        self._contents = contents
        self.archives = archives

    def __getitem__(self, name: str) -> Content:
        return self._contents[name].copy()


def gadget(name: str) -> Callable[[Gadget], Gadget]:
    def keep(function: Gadget) -> Gadget:
        assert name not in GADGETS, name
        GADGETS[name] = function
        return function

    return keep


def obj(content: Content, cls: str, **state: Node) -> Node:
    return content.add({"class": cls, "state": state})


def module(content: Content, cls: str, **parts: Any) -> Node:
    """Add a module; `parts` are its modules, parameters, buffers and state."""
    node = {
        "class": cls, "state": {}, "parameters": {}, "buffers": {}, "modules": {}, "trainable": [],
        "transient": [], "training": False,
    }  # fmt: skip
    return content.add(node | parts)


def root_of(content: Content, node: Node) -> Content:
    content.document["parts"]["estimator"] = node
    return content


def texts(*values: str) -> Any:
    array = np.array(values)
    return stored(np.frombuffer(array.tobytes(), np.uint8)), array.dtype.str, list(array.shape)


def pipeline(content: Content, *steps: tuple[str, Node], **state: Node) -> Node:
    return obj(
        content,
        "sklearn.pipeline.Pipeline",
        **{
            "steps": [{"tuple": [name, step]} for name, step in steps],
            "memory": None,
            "transform_input": None,
            "verbose": False,
            **state,
        },
    )


def name(full: str) -> Node:
    return {"name": full}


def grid(content: Content, estimator: Node, values: Node, **state: Node) -> Node:
    return obj(
        content,
        "sklearn.model_selection.GridSearchCV",
        **{
            "estimator": estimator,
            "param_grid": values,
            "scoring": None,
            "n_jobs": None,
            "refit": True,
            "cv": 2,
            "verbose": 0,
            "pre_dispatch": "2*n_jobs",
            "error_score": {"float": "nan"},
            "return_train_score": False,
            **state,
        },
    )


def scaler(content: Content) -> Node:
    return obj(
        content, "sklearn.preprocessing.StandardScaler", copy=True, with_mean=True, with_std=True
    )


def dummy(content: Content, **state: Node) -> Node:
    return obj(
        content,
        "sklearn.dummy.DummyClassifier",
        **{"strategy": "prior", "random_state": None, "constant": None, **state},
    )


# ---------------------------------------------------------------- folders that a file would name

EVIL = "evil_folder"


def memory_values(content: Content) -> dict[str, Node]:
    array, dtype, shape = texts(EVIL)
    return {
        "list": [EVIL],
        "tuple": {"tuple": [EVIL]},
        "array": content.array(array, dtype, shape),
        "array of objects": {"objects": [[1], [EVIL]]},
        "masked array": {
            "masked": [
                content.array(array, dtype, shape),
                content.array(np.zeros(1, bool)),
                EVIL,
            ]
        },
        "path": [{"path": EVIL}],
        "numpy text": [{"scalar": ["<U11", EVIL]}],
    }


for form in memory_values(blank(None)):
    for parameter in (
        "memory",
        "checkpoint",
        "pipe__memory",
        "net__checkpoint",
        "steps__0__memory",
    ):

        @gadget(f"a search over {parameter} as {form}")
        def _(honest: Honest, form: str = form, parameter: str = parameter) -> Content:
            content = honest["classifier"]
            inner = pipeline(content, ("scaler", scaler(content)), ("end", dummy(content)))
            network = content.document["parts"]["estimator"]
            estimator = {
                "memory": inner,
                "checkpoint": network,
                "pipe__memory": pipeline(content, ("pipe", inner)),
                "net__checkpoint": pipeline(content, ("net", network)),
                "steps__0__memory": inner,
            }[parameter]
            values = {"dict": [[parameter, memory_values(content)[form]]]}
            return root_of(content, grid(content, estimator, values))


@gadget("a bagging ensemble that hands on a folder")
def _(honest: Honest) -> Content:
    content = blank(None)
    inner = pipeline(content, ("scaler", scaler(content)), ("end", dummy(content)))
    outer = pipeline(content, ("_x", inner))
    return root_of(
        content,
        obj(
            content, "sklearn.ensemble.BaggingClassifier", estimator=outer, n_estimators=1,
            max_samples=1.0, max_features=1.0, bootstrap=True, bootstrap_features=False,
            oob_score=False, warm_start=False, n_jobs=None, random_state=0, verbose=0,
            _x__memory=EVIL, estimator_params=["_x__memory"],
        ),
    )  # fmt: skip


@gadget("a pipeline with a folder")
def _(honest: Honest) -> Content:
    content = blank(None)
    return root_of(
        content,
        pipeline(content, ("a", scaler(content)), ("b", dummy(content)), memory=EVIL),
    )


@gadget("texts that name files")
def _(honest: Honest) -> Content:
    content = blank(None)
    reader = obj(
        content, "sklearn.feature_extraction.text.HashingVectorizer", input="filename",
        encoding="utf-8", decode_error="ignore", strip_accents=None, preprocessor=None,
        tokenizer=None, analyzer="word", lowercase=True, token_pattern=r"(?u)\b\w\w+\b",
        stop_words=None, n_features=8, ngram_range={"tuple": [1, 1]}, binary=False, norm="l2",
        alternate_sign=True, dtype=name("numpy.float64"),
    )  # fmt: skip
    return root_of(content, pipeline(content, ("read", reader)))


# ------------------------------------------------------------------ attributes in place of methods


@gadget("the module of an estimator is a table with a function of its own")
def _(honest: Honest) -> Content:
    content = honest["classifier"]
    content.named("NeuralClassifier")["state"]["module_"] = {
        "bunch": [["to", {"partial": [name("os.system"), {"tuple": ["true"]}, {"dict": []}]}]]
    }
    return content


@gadget("a stack that writes to a path")
def _(honest: Honest) -> Content:
    content = honest["classifier"]
    state = content.named("NeuralClassifier")["state"]
    state["module_"] = obj(
        content, "sklearn.ensemble.StackingRegressor", estimators=[],
        estimators_=[{"path": "x"}], stack_method_=["write_bytes"],
    )  # fmt: skip
    return content


@gadget("a stack that unlinks in predict")
def _(honest: Honest) -> Content:
    content = blank(None)
    return root_of(
        content,
        obj(
            content, "sklearn.ensemble.StackingRegressor", estimators=[], cv=None, n_jobs=None,
            passthrough=False, verbose=0, final_estimator=None, estimators_=[{"path": "x"}],
            stack_method_=["unlink"], final_estimator_=dummy(content),
        ),
    )  # fmt: skip


DUNDERS = [
    "__class__", "__dict__", "__init__", "__call__", "__array__", "__array_interface__",
    "__array_struct__", "__array_priority__", "__array_function__", "__array_ufunc__", "__len__",
    "__iter__", "__getitem__", "__getattr__", "__getattribute__", "__setattr__", "__setstate__",
    "__getstate__", "__reduce__", "__reduce_ex__", "__del__", "__hash__", "__eq__", "__index__",
    "__float__", "__fspath__", "__deepcopy__", "__copy__", "__sklearn_clone__",
    "__sklearn_tags__", "__sklearn_is_fitted__", "__torch_function__", "__dlpack__",
    "__dataframe__", "__module__", "__name__", "__wrapped__", "__self__", "__func__",
]  # fmt: skip


# ------------------------------------------------------------------------- arrays that lie


def with_attribute(honest: Honest, name: str, node: Callable[[Content], Node]) -> Content:
    content = honest["classifier"]
    content.named("NeuralClassifier")["state"][name] = node(content)
    return content


ODD_ARRAYS: dict[str, Callable[[Content], Node]] = {
    f"{kind} of many elements": lambda c, kind=kind: c.array(np.zeros(0, np.uint8), kind, [10**9])
    for kind in ("|S0", "<U0", "|V0", "S")
}
ODD_ARRAYS |= {
    "bytes that are no truth": lambda c: c.array(Stored("BOOL", [4], bytes([0, 1, 2, 255]))),
    "bytes that are no truth, by type": lambda c: c.array(
        np.array([0, 1, 2, 255], np.uint8), "|b1", [4]
    ),
    "characters that are none": lambda c: c.array(np.full(8, 255, np.uint8), "<U1", [2]),
    "a huge empty array": lambda c: {"objects": [[0, 2**40], []]},
    "an array of 33 dimensions": lambda c: c.array(np.zeros(1, np.uint8), "|u1", [1] * 33),
    "an array of negative length": lambda c: c.array(np.zeros(1, np.uint8), "|u1", [-1, -1]),
    "an array of a length that wraps": lambda c: c.array(
        np.zeros(0, np.uint8), "|u1", [2**32, 2**32]
    ),
    "an array of objects": lambda c: c.array(np.zeros(8, np.uint8), "|O", [1]),
    "a structured array": lambda c: c.array(np.zeros(8, np.uint8), "i4,i4", [1]),
    "a type with a subarray": lambda c: c.array(np.zeros(8, np.uint8), "(2,)i4", [1]),
    "a type with a comma": lambda c: {"numpy.dtype": "i4,O"},
    "a type of objects": lambda c: {"numpy.dtype": "O"},
    "dates of no unit": lambda c: c.array(np.zeros(8, np.uint8), "<M8[9999ZZ]", [1]),
    "a mask of another type": lambda c: {
        "masked": [c.array(np.zeros(4)), c.array(np.zeros(4)), {"scalar": ["<f8", 0.0]}]
    },
    "a fill value that is an estimator": lambda c: {
        "masked": [c.array(np.zeros(4)), c.array(np.zeros(4, bool)), scaler(c)]
    },
    "a tensor in itself": lambda c: {"element": {"element": c.tensor(np.zeros(()))}},
    "an order with a dimension twice": lambda c: {
        "tensor": [c.tensor(np.zeros((2, 2)))["tensor"][0], [0, 0]]
    },
    "an order of truths": lambda c: {
        "tensor": [c.tensor(np.zeros((2, 2)))["tensor"][0], [True, False]]
    },
    "a size of 2^62": lambda c: {"torch.Size": [2**62]},
    "a scalar text of 10^9": lambda c: {"scalar": ["<U999999999", "x"]},
    "a scalar of bytes": lambda c: {"scalar": ["S8", 3_000_000_000]},
    "a scalar of objects": lambda c: {"scalar": ["O", 1]},
    "a scalar out of range": lambda c: {"scalar": ["|i1", 10**9]},
    "a scalar that is no number": lambda c: {"scalar": ["<f8", True]},
    "a slice of texts": lambda c: {"slice": ["a" * 10**6, None, None]},
    "a device that is none": lambda c: {"torch.device": "cuda:999"},
    "the device meta": lambda c: {"torch.device": "meta"},
    "a generator whose place is far": lambda c: generator(c, position=10**6),
    "a generator whose place is a truth": lambda c: generator(c, position=True),
    "a generator with a key of another type": lambda c: generator(c, key=np.zeros(624, np.int32)),
    "a generator with a short key": lambda c: generator(c, key=np.zeros(5, np.uint32)),
    "a generator with nan": lambda c: generator(c, gauss={"float": "nan"}),
    "a generator with a number of 4,000 digits": lambda c: generator(c, gauss=10**4000),
    "a number of 4,000 digits": lambda c: 10**4000,
    "a text with half a character": lambda c: "\ud800",
    "a key that is an array": lambda c: {"dict": [[c.array(np.zeros(1)), 1]]},
    "a key that is nan": lambda c: {"dict": [[{"float": "nan"}, 1], [{"float": "nan"}, 2]]},
    "a set of lists": lambda c: {"set": [[1]]},
    "a set of dicts": lambda c: {"set": [{"dict": []}]},
    "a history of negative rows": lambda c: {"history": [-1, []]},
    "an enumeration of ours": lambda c: {"enum": [name("sknn.NeuralClassifier"), "x"]},
    "an enumeration by a dunder": lambda c: {"enum": [name("builtins.int"), "__class__"]},
    "a distribution": lambda c: {"distribution": ["norm", {"tuple": []}, {"dict": []}]},
    "a distribution with estimators": lambda c: {
        "distribution": ["norm", {"tuple": [scaler(c)]}, {"dict": []}]
    },
    "a frozen distribution with a seed": lambda c: {
        "distribution": ["norm", {"tuple": []}, {"dict": [["seed", 1]]}]
    },
    "a custom histogram": lambda c: {"distribution": ["rv_histogram", {"tuple": []}, {"dict": []}]},
    "a path": lambda c: {"path": "/etc/passwd"},
    "an object of a builtin class": lambda c: c.add({"class": "builtins.list", "state": {}}),
    "an object of a NumPy class": lambda c: c.add({"class": "numpy.float64", "state": {}}),
    "an object of a solver's class": lambda c: c.add({"class": "torch.optim.SGD", "state": {}}),
    "an object of a function": lambda c: c.add({"class": "sklearn.metrics.r2_score", "state": {}}),
    "an object without its fields": lambda c: c.add(
        {"class": "sknn.training.TrainingState", "state": {}}
    ),
    "fields of an estimator": lambda c: c.add({"class": "sknn.NeuralClassifier", "fields": {}}),
    "an object that holds itself": lambda c: itself(c),
    "an object out of range": lambda c: {"object": 10**30},
    "an object by a truth": lambda c: {"object": True},
    "a partial call of a function": lambda c: {
        "partial": [name("sklearn.metrics.r2_score"), {"tuple": []}, {"dict": []}]
    },
    "a partial call of a partial call": lambda c: {
        "partial": [
            {"partial": [name("torch.nn.Linear"), {"tuple": []}, {"dict": []}]},
            {"tuple": []},
            {"dict": []},
        ]
    },
    "a partial call with keywords of an object": lambda c: {
        "partial": [name("torch.nn.Linear"), {"tuple": []}, scaler(c)]
    },
    "torch's own loader": lambda c: {"torch.dtype": "load"},
    "a lazy part of torch": lambda c: {"torch.dtype": "_inductor"},
    "a foreign node": lambda c: {"foreign": ["x", []]},
    "a sparse matrix with lying indices": lambda c: {
        "sparse": [
            "csr_matrix",
            [2, 2],
            c.array(np.ones(2)),
            c.array(np.array([10**9, 5], np.int32)),
            c.array(np.array([0, 1, 2], np.int32)),
        ]
    },
    "bytes that are no base64": lambda c: {"bytes": "*"},
}


def generator(
    c: Content, position: Node = 0, key: Any = None, gauss: Node = 0.0, has_gauss: Node = 0
) -> Node:
    array = c.array(np.arange(624, dtype=np.uint32) if key is None else key)
    state = {"dict": [["key", array], ["pos", position]]}
    return {
        "RandomState": {
            "dict": [
                ["bit_generator", "MT19937"], ["state", state], ["has_gauss", has_gauss],
                ["gauss", gauss],
            ]
        }
    }  # fmt: skip


def itself(c: Content) -> Node:
    node = scaler(c)
    c.objects[node["object"]]["state"]["mean_"] = node
    return node


for title, make in ODD_ARRAYS.items():

    @gadget(f"a parameter: {title}")
    def _(honest: Honest, make: Callable[[Content], Node] = make) -> Content:
        return with_attribute(honest, "alpha", make)

    @gadget(f"an attribute: {title}")
    def _(honest: Honest, make: Callable[[Content], Node] = make) -> Content:
        return with_attribute(honest, "odd_", make)

    @gadget(f"the root: {title}")
    def _(honest: Honest, make: Callable[[Content], Node] = make) -> Content:
        content = honest["classifier"]
        return root_of(content, make(content))


# -------------------------------------------------------------------------- files that cost much


def shared(make: Callable[[Content, Node, Node], Node], start: Node, content: Content) -> Node:
    """Hold a thing twice, and that twice, forty levels deep."""
    node = start
    for _ in range(40):
        node = make(content, node, make(content, node, node))
    return node


def linear(content: Content) -> Node:
    weight = content.tensor(np.zeros((2, 4)))
    return module(
        content, "torch.nn.Linear", parameters={"weight": weight, "bias": None},
        state={"in_features": 4, "out_features": 2}, trainable=["weight"],
    )  # fmt: skip


def sequential(content: Content, *modules: Node) -> Node:
    names = {str(i): each for i, each in enumerate(modules)}
    return module(content, "torch.nn.Sequential", modules=names)


@gadget("cost: modules that are shared at every level")
def _(honest: Honest) -> Content:
    content = honest["classifier"]
    content.named("NeuralClassifier")["state"]["module_"] = shared(
        lambda c, a, b: sequential(c, a, b), linear(content), content
    )
    return content


@gadget("cost: estimators that are shared at every level")
def _(honest: Honest) -> Content:
    content = blank(None)
    return root_of(
        content,
        shared(lambda c, a, b: pipeline(c, ("a", a), ("b", b)), scaler(content), content),
    )


@gadget("cost: a scalar text of gigabytes")
def _(honest: Honest) -> Content:
    return with_attribute(honest, "odd_", lambda c: {"scalar": ["S8", 3 * 10**9]})


@gadget("cost: one tensor as a list, 3,000 times")
def _(honest: Honest) -> Content:
    def many(content: Content) -> Node:
        tensor = content.tensor(np.zeros(10**5))
        return [{"floats": tensor} for _ in range(3000)]

    return with_attribute(honest, "odd_", many)


@gadget("cost: one tensor as a masked array, 3,000 times")
def _(honest: Honest) -> Content:
    def many(content: Content) -> Node:
        data = content.array(np.zeros(10**5))
        mask = content.array(np.zeros(10**5, np.int8))
        return [{"masked": [data, mask, 0.0]} for _ in range(3000)]

    return with_attribute(honest, "odd_", many)


@gadget("cost: one tensor as a masked array with booleans, 3,000 times")
def _(honest: Honest) -> Content:
    def many(content: Content) -> Node:
        data = content.array(np.zeros(10**5))
        mask = content.array(np.zeros(10**5, bool))
        return [{"masked": [data, mask, 0.0]} for _ in range(3000)]

    return with_attribute(honest, "odd_", many)


@gadget("cost: one tensor as an array, 50,000 times")
def _(honest: Honest) -> Content:
    def many(content: Content) -> Node:
        array = content.array(np.zeros(10**6, np.uint8), "<U2", [125_000])
        return [array for _ in range(50_000)]

    return with_attribute(honest, "odd_", many)


@gadget("cost: one tensor as a parameter of a thousand orders")
def _(honest: Honest) -> Content:
    def many(content: Content) -> Node:
        tensor = content.tensor(np.zeros((2,) * 12))["tensor"][0]
        rng = np.random.default_rng(0)
        names = {f"p{i}": {"tensor": [tensor, rng.permutation(12).tolist()]} for i in range(3000)}
        return sequential_of(content, names)

    return with_attribute(honest, "module_", many)


def sequential_of(content: Content, parameters: dict[str, Node]) -> Node:
    return module(content, "torch.nn.Sequential", parameters=parameters, trainable=list(parameters))


@gadget("cost: a history without rows and many columns")
def _(honest: Honest) -> Content:
    return with_attribute(
        honest,
        "odd_",
        lambda c: {"history": [10**9, [["a", None, {"floats": c.tensor(np.zeros(0))}]]]},
    )


@gadget("cost: a history in the state of a training")
def _(honest: Honest) -> Content:
    content = honest["classifier"]
    content.named("TrainingState")["fields"]["history"] = {
        "history": [10**9, [["a", None, content.array(np.zeros((10**9 // 10**9, 0)))]]]
    }
    return content


@gadget("cost: a history of a long empty list")
def _(honest: Honest) -> Content:
    content = honest["classifier"]
    empty = content.tensor(Stored("F64", [10**9, 0], b""))
    content.named("TrainingState")["fields"]["history"] = {
        "history": [10**9, [["a", None, {"floats": empty}]]]
    }
    return content


@gadget("cost: a history with a row for each of 200,000 values, ten times")
def _(honest: Honest) -> Content:
    content = honest["classifier"]
    columns = [[f"c{i}", None, {"floats": content.tensor(np.zeros(20_000))}] for i in range(10)]
    content.named("TrainingState")["fields"]["history"] = {"history": [20_000, columns]}
    return content


@gadget("cost: keys with one hash")
def _(honest: Honest) -> Content:
    prime = 2**61 - 1
    return with_attribute(
        honest, "odd_", lambda c: {"dict": [[i * prime, 0] for i in range(1, 100_000)]}
    )


@gadget("cost: 5,000 keys with one hash")
def _(honest: Honest) -> Content:
    prime = 2**61 - 1
    return with_attribute(
        honest, "odd_", lambda c: {"dict": [[i * prime, 0] for i in range(1, 5_000)]}
    )


@gadget("cost: 5,000 tuples with one hash")
def _(honest: Honest) -> Content:
    prime = 2**61 - 1
    return with_attribute(
        honest,
        "odd_",
        lambda c: {"set": [{"tuple": [i * prime] * 20} for i in range(1, 5_000)]},
    )


@gadget("cost: keys that share their low bits")
def _(honest: Honest) -> Content:
    return with_attribute(
        honest, "odd_", lambda c: {"dict": [[i << 34, 0] for i in range(1, 120_000)]}
    )


@gadget("cost: floats that share their low bits")
def _(honest: Honest) -> Content:
    return with_attribute(
        honest, "odd_", lambda c: {"set": [float(2.0**i) for i in range(900)] * 200}
    )


@gadget("cost: a template that backtracks")
def _(honest: Honest) -> Content:
    content = blank(None)
    return root_of(
        content,
        obj(
            content, "sklearn.compose.ColumnTransformer", transformers=[],
            verbose_feature_names_out="{a}" * 100_000 + "{",
        ),
    )  # fmt: skip


@gadget("cost: a template of plain text that backtracks")
def _(honest: Honest) -> Content:
    content = blank(None)
    return root_of(
        content,
        obj(
            content, "sklearn.compose.ColumnTransformer", transformers=[],
            verbose_feature_names_out="a" * 1_000_000 + "{",
        ),
    )  # fmt: skip


@gadget("cost: a getter that backtracks")
def _(honest: Honest) -> Content:
    content = blank(None)
    return root_of(
        content,
        obj(
            content, "sklearn.feature_selection.SelectFromModel", estimator=dummy(content),
            importance_getter="a" * 1_000_000 + "!",
        ),
    )  # fmt: skip


@gadget("cost: a type that backtracks")
def _(honest: Honest) -> Content:
    return with_attribute(honest, "odd_", lambda c: {"numpy.dtype": "U" + "0" * 10**6})


@gadget("cost: deep lists")
def _(honest: Honest) -> bytes:
    content = with_attribute(honest, "odd_", lambda c: "HERE")
    text = json.dumps(content.document).replace('"HERE"', "[" * 400 + "]" * 400)
    return seal(content, document=text)


@gadget("cost: a chain of objects")
def _(honest: Honest) -> Content:
    content = blank(None)
    node = scaler(content)
    for _ in range(20_000):
        node = pipeline(content, ("a", node))
    return root_of(content, node)


@gadget("cost: a chain of modules of which each holds the next")
def _(honest: Honest) -> Content:
    content = honest["classifier"]
    node = linear(content)
    for _ in range(150):
        node = sequential(content, node)
    content.named("NeuralClassifier")["state"]["module_"] = node
    return content


@gadget("cost: 60,000 tensors")
def _(honest: Honest) -> Content:
    def many(content: Content) -> Node:
        return [content.tensor(np.zeros(1, np.uint8)) for _ in range(40_000)]

    return with_attribute(honest, "odd_", many)


@gadget("cost: long names of 10,000 tensors")
def _(honest: Honest) -> Content:
    content = honest["classifier"]
    nodes = []
    for i in range(10_000):
        key = f"{i}" + "x" * 1000
        content.tensors[key] = stored(np.zeros(1, np.uint8))
        nodes.append({"tensor": [key]})
    content.named("NeuralClassifier")["state"]["odd_"] = nodes
    return content


@gadget("cost: many generators")
def _(honest: Honest) -> Content:
    def many(content: Content) -> Node:
        node = generator(content)["RandomState"]
        return [
            {"RandomState": json.loads(json.dumps(node).replace("0.0", f"0.{i}1"))}
            for i in range(10_000)
        ]

    return with_attribute(honest, "odd_", many)


@gadget("cost: many distributions")
def _(honest: Honest) -> Content:
    return with_attribute(
        honest,
        "odd_",
        lambda c: [{"distribution": ["norm", {"tuple": []}, {"dict": []}]} for _ in range(30_000)],
    )


@gadget("cost: many empty arrays of 2^24")
def _(honest: Honest) -> Content:
    return with_attribute(
        honest,
        "odd_",
        lambda c: [{"objects": [[0, 2**24], []]} for _ in range(30_000)],
    )


@gadget("a document with half a character")
def _(honest: Honest) -> bytes:
    content = honest["classifier"]
    return seal(content, document=json.dumps(content.document) + chr(0xD800))


def document(estimator: str, objects: str = "[]", versions: str = "{}") -> str:
    return (
        f'{{"kind": "model", "versions": {versions}, "parts": {{"estimator": {estimator}}}, '
        f'"objects": {objects}}}'
    )


ROOT = '{"object": 0}'
DOCUMENTS = {
    "no document": "",
    "a list": "[]",
    "a number": "1",
    "no parts": "{}",
    "parts that are a list": '{"kind": "m", "versions": {}, "parts": [], "objects": []}',
    "objects that are a dict": document("1", "{}"),
    "versions that are numbers": document("1", versions='{"a": 1}'),
    "no estimator": '{"kind": "m", "versions": {}, "parts": {"fit": 1}, "objects": []}',
    "a part in a part": document('{"estimator": 1}'),
    "objects that are null": document(ROOT, "[null]"),
    "an object without class": document(ROOT, "[{}]"),
    "an object of a list's class": document(ROOT, '[{"class": [], "state": {}}]'),
    "a state that is a list": document(ROOT, '[{"class": "sknn.NeuralClassifier", "state": []}]'),
    "an object by a list": document('{"object": []}'),
    "an object by a dict": document('{"object": {}}'),
    "a name that is a list": document('{"name": []}'),
    "an archive by a list": document('{"skops": []}'),
    "a number too long": document("9" * 5000),
    "not a number": document("NaN"),
    "keys twice": document("1").replace('{"kind"', '{"kind": "other", "kind"'),
}

for title, text in DOCUMENTS.items():

    @gadget(f"a document: {title}")
    def _(honest: Honest, text: str = text) -> bytes:
        return seal(blank(None), document=text)


# ----------------------------------------------------------------------------- archives of skops's


class Archive:
    """An archive of skops's: its tree and its files."""

    def __init__(self, content: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            self.files = {each: archive.read(each) for each in archive.namelist()}
        self.tree = json.loads(self.files.pop("schema.json"))
        self._number = 10**6

    def alone(self) -> Content:
        """Return a file with nothing else in it."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for each, data in self.files.items():
                archive.writestr(each, data)
            archive.writestr("schema.json", json.dumps(self.tree))
        content = blank({"skops": "archive"})
        content.tensors["archive"] = stored(np.frombuffer(buffer.getvalue(), np.uint8))
        return content

    @property
    def attributes(self) -> dict[str, Any]:
        return self.tree["content"]["content"]

    def set(self, attribute: str, node: Any) -> None:
        if attribute not in self.attributes:
            text = self.node("builtins.str", "TypeNode")
            self.tree["content"]["key_types"]["content"].append(text)
        self.attributes[attribute] = node

    def node(self, cls: str, loader: str, **more: Any) -> Any:
        package, _, bare = cls.rpartition(".")
        self._number += 1
        return {
            "__class__": bare, "__module__": package, "__loader__": loader,
            "__id__": self._number, **more,
        }  # fmt: skip

    def json(self, value: Any) -> Any:
        return self.node("builtins.str", "JsonNode", content=json.dumps(value), is_json=True)

    def array(self, array: Any) -> Any:
        buffer = io.BytesIO()
        np.save(buffer, array)
        node = self.node("numpy.ndarray", "NdArrayNode", type="numpy")
        node["file"] = f"{node['__id__']}.npy"
        self.files[node["file"]] = buffer.getvalue()
        return node

    def ordered(self) -> Any:
        """Return a node that takes skops to make."""
        types = self.node("builtins.list", "ListNode", content=[])
        return self.node("collections.OrderedDict", "DictNode", content={}, key_types=types)

    def object(self, cls: str, **attributes: Any) -> Any:
        types = [self.node("builtins.str", "TypeNode") for _ in attributes]
        keys = self.node("builtins.list", "ListNode", content=types)
        state = self.node("builtins.dict", "DictNode", content=attributes, key_types=keys)
        return self.node(cls, "ObjectNode", content=state)


def lying(archive: Archive, attribute: str, array: Any) -> None:
    archive.set(attribute, archive.array(array))


LIES: dict[str, tuple[str, str, Any]] = {
    "support vectors without end": ("svc", "_n_support", np.full(2, 10**9, np.int32)),
    "support vectors of other rows": ("svc", "support_", np.full(10, 10**9, np.int32)),
    "few columns of support vectors": ("svc", "support_vectors_", np.zeros((10, 0))),
    "few coefficients": ("svc", "_dual_coef_", np.zeros((1, 1))),
    "neighbours of no class": ("neighbours", "_y", np.full(10, 10**9, np.int64)),
    "fewer neighbours": ("neighbours", "_fit_X", np.zeros((1, 1))),
    "clusters without columns": ("clusters", "cluster_centers_", np.zeros((2, 1))),
}

for title, (which, attribute, array) in LIES.items():
    for is_foreign in (False, True):

        @gadget(f"an archive with {title}{', made by skops' * is_foreign}")
        def _(
            honest: Honest,
            which: str = which,
            attribute: str = attribute,
            array: Any = array,
            is_foreign: bool = is_foreign,
        ) -> Content:
            archive = Archive(honest.archives[which])
            lying(archive, attribute, array)
            if is_foreign:
                archive.set("other_", archive.ordered())
            return archive.alone()


IMPORTS = {
    "a module of NumPy's": "numpy.f2py.__main__.add",
    "a module of scikit-learn's": "sklearn.metrics.tests.test_common.accuracy_score",
    "a module of SciPy's": "scipy.special._precompute.gammainc_asy.expit",
    "another function": "os.system",
    "a builtin": "builtins.eval",
}

for title, full in IMPORTS.items():
    for loader in ("FunctionNode", "TypeNode"):

        @gadget(f"an archive that imports {title} as a {loader}")
        def _(honest: Honest, full: str = full, loader: str = loader) -> Content:
            archive = Archive(honest.archives["scaler"])
            archive.set("other_", archive.ordered())
            archive.set("function_", archive.node(full, loader))
            return archive.alone()


def evil_pipeline(archive: Archive) -> Any:
    step = archive.node("builtins.tuple", "TupleNode")
    step["content"] = [
        archive.json("a"), archive.object("sklearn.preprocessing._data.StandardScaler")
    ]  # fmt: skip
    steps = archive.node("builtins.list", "ListNode", content=[step])
    return archive.object(
        "sklearn.pipeline.Pipeline", steps=steps, memory=archive.json(EVIL),
        transform_input=archive.json(None), verbose=archive.json(False),
    )  # fmt: skip


@gadget("an archive with a folder")
def _(honest: Honest) -> Content:
    archive = Archive(honest.archives["scaler"])
    archive.tree = {**evil_pipeline(archive), "protocol": archive.tree["protocol"]}
    return archive.alone()


@gadget("an archive with a folder, made by skops")
def _(honest: Honest) -> Content:
    archive = Archive(honest.archives["scaler"])
    archive.set("other_", archive.ordered())
    archive.set("pipeline_", evil_pipeline(archive))
    return archive.alone()


@gadget("an archive with two nodes of one number")
def _(honest: Honest) -> Content:
    archive = Archive(honest.archives["scaler"])
    harmless, evil = archive.json(1), evil_pipeline(archive)
    harmless["__id__"] = evil["__id__"]
    types = [archive.node("builtins.str", "TypeNode") for _ in range(2)]
    keys = archive.node("builtins.list", "ListNode", content=types)
    archive.set(
        "other_",
        archive.node(
            "collections.OrderedDict", "DictNode", content={"a": evil, "b": harmless},
            key_types=keys,
        ),
    )  # fmt: skip
    return archive.alone()


@gadget("an archive whose type is another node")
def _(honest: Honest) -> Content:
    archive = Archive(honest.archives["scaler"])
    array = archive.array(np.zeros(0))
    evil = evil_pipeline(archive)
    evil["file"] = array["file"]
    archive.set("other_", archive.ordered())
    archive.set("dtype_", archive.node("numpy.dtype", "DTypeNode", content=evil))
    return archive.alone()


@gadget("an archive of an older protocol")
def _(honest: Honest) -> Content:
    archive = Archive(honest.archives["scaler"])
    archive.tree["protocol"] = 0
    content = {"module_path": "os", "function": "system"}
    archive.set("function_", archive.node("numpy.add", "FunctionNode", content=content))
    return archive.alone()


@gadget("an archive with a method")
def _(honest: Honest) -> Content:
    archive = Archive(honest.archives["scaler"])
    content = {"obj": archive.array(np.zeros(3, np.uint8)), "func": "tofile"}
    archive.set("method_", archive.node("numpy.ndarray", "MethodNode", content=content))
    return archive.alone()


@gadget("an archive with a call")
def _(honest: Honest) -> Content:
    archive = Archive(honest.archives["scaler"])
    arguments = archive.node("builtins.tuple", "TupleNode", content=[archive.json("system")])
    archive.set("call_", archive.node("operator.methodcaller", "OperatorFuncNode", attrs=arguments))
    return archive.alone()


@gadget("an archive with a path")
def _(honest: Honest) -> Content:
    archive = Archive(honest.archives["scaler"])
    arguments = archive.node("builtins.tuple", "TupleNode", content=[archive.json("x")])
    archive.set(
        "path_",
        archive.node("pathlib.PosixPath", "ConstructorFromReduceNode", content=arguments),
    )
    return archive.alone()


@gadget("an archive whose estimator has a method of its own")
def _(honest: Honest) -> Content:
    archive = Archive(honest.archives["scaler"])
    archive.set("transform", archive.node("numpy.add", "FunctionNode"))
    return archive.alone()


@gadget("an archive whose estimator has a dunder")
def _(honest: Honest) -> Content:
    archive = Archive(honest.archives["scaler"])
    archive.set("__array_interface__", archive.json(1))
    return archive.alone()


@gadget("cost: an archive that names one file for 3,000 arrays")
def _(honest: Honest) -> Content:
    archive = Archive(honest.archives["scaler"])
    array = archive.array(np.zeros(10**5))
    for i in range(3000):
        archive.set(f"a{i}_", array | {"__id__": 10**7 + i})
    return archive.alone()


@gadget("cost: one archive 20,000 times")
def _(honest: Honest) -> Content:
    archive = Archive(honest.archives["scaler"])
    for i in range(300):
        archive.set(f"a{i}_", archive.json(i))
    content = archive.alone()
    content.document["parts"]["estimator"] = pipeline(
        content, *((f"s{i}", {"skops": "archive"}) for i in range(20_000))
    )
    return content


# ------------------------------------------------------------- what is done while an object is made

ODD_MEMBERS: dict[str, Callable[[Content], Node]] = {
    "scalers": lambda c: [scaler(c), scaler(c)],
    "themselves": lambda c: [{"object": 0}],
    "none": lambda c: [],
    "nothing": lambda c: [None, None],
    "one of another size": lambda c: [c.document["parts"]["estimator"], scaler(c)],
    "a dict": lambda c: {"dict": [["a", scaler(c)]]},
}

for title, make in ODD_MEMBERS.items():

    @gadget(f"an ensemble with {title} as members")
    def _(honest: Honest, make: Callable[[Content], Node] = make) -> Content:
        content = honest["ensemble"]
        content.named("NeuralRegressor")["state"]["_members"] = make(content)
        return content


ODD_THRESHOLDS: dict[str, Callable[[Content], Node]] = {
    "a module": linear,
    "modules in modules": lambda c: sequential(c, sequential(c, linear(c)), linear(c)),
    "an estimator": scaler,
    "a function": lambda c: name("sklearn.metrics.r2_score"),
    "a class": lambda c: name("sklearn.pipeline.Pipeline"),
    "texts": lambda c: ["a", "b"],
    "nan": lambda c: c.array(np.full(5, np.nan)),
    "nothing": lambda c: None,
    "two dimensions": lambda c: c.array(np.zeros((3, 3))),
    "a parameter of a network": lambda c: {
        "tensor": c.named("Linear")["parameters"]["weight"]["tensor"]
    },
}

for title, make in ODD_THRESHOLDS.items():

    @gadget(f"an isotonic regression with {title} as thresholds")
    def _(honest: Honest, make: Callable[[Content], Node] = make) -> Content:
        content = honest["classifier"]
        thresholds = make(content)
        return root_of(
            content,
            obj(
                content, "sklearn.isotonic.IsotonicRegression", y_min=None, y_max=None,
                increasing=True, out_of_bounds="nan", X_thresholds_=thresholds,
                y_thresholds_=thresholds, X_min_=0.0, X_max_=1.0, increasing_=True,
            ),
        )  # fmt: skip


@gadget("a random number of pooling that is far out")
def _(honest: Honest) -> Content:
    content = honest["classifier"]
    samples = content.tensor(np.full((6, 1, 2), 2.9e9))
    pool = module(
        content, "torch.nn.FractionalMaxPool2d", buffers={"_random_samples": samples},
        state={"kernel_size": 2, "return_indices": False, "output_size": 1,
               "output_ratio": None},
    )  # fmt: skip
    shape = module(
        content, "torch.nn.Unflatten", state={"dim": 1, "unflattened_size": {"tuple": [1, 2, 2]}}
    )
    content.named("NeuralClassifier")["state"]["module_"] = sequential(content, shape, pool)
    return content


for n in (2**62, 2**62 - 2**20, 2**63 - 1, -(2**62), 2**32 + 1):

    @gadget(f"a convolution with a dilation of {n}")
    def _(honest: Honest, n: int = n) -> Content:
        content = honest["classifier"]
        conv = module(
            content, "torch.nn.Conv1d", trainable=["weight"],
            parameters={"weight": content.tensor(np.ones((1, 1, 3))), "bias": None},
            state={
                "in_channels": 1, "out_channels": 1, "kernel_size": {"tuple": [3]},
                "stride": {"tuple": [1]}, "padding": {"tuple": [0]}, "dilation": {"tuple": [n]},
                "transposed": False, "output_padding": {"tuple": [0]}, "groups": 1,
                "padding_mode": "zeros", "_reversed_padding_repeated_twice": [0, 0],
            },
        )  # fmt: skip
        shape = module(
            content, "torch.nn.Unflatten", state={"dim": 1, "unflattened_size": {"tuple": [1, 4]}}
        )
        content.named("NeuralClassifier")["state"]["module_"] = sequential(content, shape, conv)
        return content


for n in (-1, 0, -(2**31), 2**31, 10**6, None, True):

    @gadget(f"clusters that are counted by {n} threads")
    def _(honest: Honest, n: Any = n) -> Content:
        archive = Archive(honest.archives["clusters"])
        archive.set("_n_threads", archive.json(n))
        return archive.alone()
