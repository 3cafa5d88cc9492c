"""What a file may hold, and where: structural attacks with a right checksum."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
import torch
from sklearn.cluster import KMeans
from sklearn.ensemble import StackingRegressor, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error
from sklearn.metrics._scorer import _Scorer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import Bunch
from torch import nn

import sknn
from sknn.model_selection import GridSearchCV
from sknn.storage import ModelFileError
from sknn.storage._checking import RefusedError
from sknn.storage._documents import DocumentChecker
from sknn.storage._files import write_file
from sknn.storage._tensors import infos_of
from sknn.storage._third_party import Archive
from sknn.storage._trust import names_in
from tests.storage.attacks import document_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(30, 4))
y = np.arange(30) % 3
SMALL: dict[str, Any] = {"hidden_layer_sizes": (3,), "max_iter": 1, "random_state": 0}


def network(**parameters: Any) -> Any:
    return sknn.NeuralClassifier(**SMALL | parameters).fit(X, y)


def write_unchecked(model: Any, path: Path) -> None:
    """Write what `save` would refuse to write."""
    write_file(path, *document_of(model))


def attacked_module() -> Any:
    """The module of the first attack: its method `to` is an instance attribute that calls."""
    stacking = StackingRegressor([])
    stacking.estimators_, stacking.stack_method_ = [Path("x")], ["write_bytes"]
    model = sknn.NeuralRegressor(**SMALL).fit(X, y)
    scorer = _Scorer(mean_squared_error, 1, {}, "transform")
    model.module_ = Bunch(scorer=scorer, stacking=stacking)
    return model


def with_attributes(model: Any, **attributes: Any) -> Any:
    vars(model).update(attributes)
    return model


def in_module(**attributes: Any) -> Any:
    model = network()
    vars(model.module_.layers[0]).update(attributes)
    return model


def stacked(**attributes: Any) -> Any:
    return with_attributes(
        StackingRegressor([("n", sknn.NeuralRegressor())]),
        **{"estimators_": [network()], "stack_method_": ["predict"]} | attributes,
    )


# What an attacker would have an object hold, as the public `save` would once have written it.
GADGETS: dict[str, Callable[[], Any]] = {
    "a bunch as a module": attacked_module,
    "a path among estimators": lambda: stacked(estimators_=[Path("x")], stack_method_=["unlink"]),
    "another method": lambda: stacked(stack_method_=["write_bytes"]),
    "a method that loads": lambda: stacked(stack_method=("__reduce__",)),
    "a folder to read pickles from": lambda: make_pipeline(network(), memory="folder"),
    "a path to read pickles from": lambda: make_pipeline(network(), memory=Path("folder")),
    "memory in a grid": lambda: GridSearchCV(make_pipeline(network()), {"memory": ["folder"]}),
    "memory in a nested grid": lambda: GridSearchCV(
        make_pipeline(network()), [{"a__memory": np.array(["folder"], dtype=object)}]
    ),
    "memory in the best parameters": lambda: with_attributes(
        GridSearchCV(make_pipeline(network()), {}),
        best_params_={"memory": "folder"},
    ),
    "a folder in a grid": lambda: GridSearchCV(network(), {"checkpoint": [Path("folder")]}),
    "a method of an estimator": lambda: with_attributes(network(), fit=StandardScaler),
    "another method of one": lambda: with_attributes(network(), predict=nn.Linear),
    "a property of an estimator": lambda: with_attributes(network(), history_=[]),
    "a hook of pickle": lambda: with_attributes(network(), __reduce__=nn.Linear),
    "a hook of NumPy": lambda: with_attributes(network(), __array_interface__={"version": 3}),
    "a hook of copy": lambda: with_attributes(network(), __deepcopy__=nn.Linear),
    "a dunder of a class": lambda: with_attributes(network(), __class__=5),
    "a link of scikit-learn's": lambda: with_attributes(network(), _doc_link_module="javascript"),
    "constraints": lambda: with_attributes(network(), _parameter_constraints={}),
    "a method of a module": lambda: in_module(forward=nn.Linear),
    "another method of a module": lambda: in_module(to=nn.Linear),
    "a compiled call": lambda: in_module(_compiled_call_impl=nn.Linear),
    "hooks of a module": lambda: in_module(_forward_pre_hooks_x={"a": 1}),
    "an attribute that no such module has": lambda: in_module(surprise=1),
    "an estimator in a module": lambda: in_module(in_features=StandardScaler()),
    "an array as a module": lambda: with_attributes(network(), module_=np.eye(3)),
    "an estimator as a module": lambda: with_attributes(network(), module_=StandardScaler()),
    "an estimator as a loss": lambda: with_attributes(network(), _loss=StandardScaler()),
    "an estimator as a state": lambda: with_attributes(network(), _state=StandardScaler()),
    "another output": lambda: with_attributes(network(), out_activation_="__class__"),
    "an optimizer as a type": lambda: with_attributes(network(), _compute_dtype="float32"),
    "a scorer of another method": lambda: with_attributes(
        GridSearchCV(network(), {}),
        scorer_=_Scorer(mean_squared_error, 1, {}, "unlink"),
    ),
    "a scorer of no function": lambda: with_attributes(
        GridSearchCV(network(), {}),
        scorer_=_Scorer(network(), 1, {}, "predict"),
    ),
    "code in pre_dispatch": lambda: GridSearchCV(network(), {}, pre_dispatch="9**9**9"),
    "attributes in a template": lambda: make_pipeline(
        with_attributes(
            VotingClassifier([("n", network())]), verbose_feature_names_out="{a.__class__}"
        ),
        network(),
    ),
    "a device of another kind": lambda: with_attributes(network(), device="privateuseone"),
    "callbacks that are none": lambda: with_attributes(network(), callbacks=[StandardScaler()]),
    "callbacks of scikit-learn's": lambda: with_attributes(
        network(), _skl_callbacks=[StandardScaler()]
    ),
    "an output in another format": lambda: with_attributes(
        network(), _sklearn_output_config={"transform": "antigravity"}
    ),
    "a bunch of bunches": lambda: with_attributes(network(), classes_=Bunch(a=1)),
    "a path": lambda: with_attributes(network(), loss=Path("x")),
}


@pytest.mark.parametrize("name", GADGETS)
def test_what_does_not_belong_is_refused_when_it_is_read_and_written(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.sknn"
    model = GADGETS[name]()
    write_unchecked(model, path)
    with pytest.raises(ModelFileError, match=str(path)):
        sknn.load(path)
    with pytest.raises(ModelFileError, match=str(path)):
        sknn.file_info(path)
    with pytest.raises(TypeError, match="and cannot be saved"):
        sknn.save(model, tmp_path / "other.sknn")
    assert not (tmp_path / "other.sknn").exists()


def test_nothing_happens_while_files_are_read(audited: Any, tmp_path: Path) -> None:
    honest, paths = tmp_path / "honest", []
    sknn.save(make_pipeline(StandardScaler(), network()).fit(X, y), honest)
    for name, make in GADGETS.items():
        paths.append(tmp_path / f"{name.replace('/', ' ')}.sknn")
        write_unchecked(make(), paths[-1])
    first, *others = audited([honest, *paths])
    assert first == ("loaded", [])
    for path, (result, events) in zip(paths, others, strict=True):
        assert (result, events) == ("refused", []), path.name


# ------------------------------------------------------------- every node in every position


FOREIGN: dict[str, Any] = {
    "path": {"path": "/etc/passwd"},
    "bunch": {"bunch": [["to", 1]]},
    "partial": {"partial": [{"name": "sklearn.metrics.r2_score"}, {"tuple": []}, {"dict": []}]},
    "estimator class": {
        "partial": [{"name": "sknn.NeuralClassifier"}, {"tuple": []}, {"dict": []}]
    },
    "enum": {"enum": [{"name": "torch.nn.Linear"}, "__init__"]},
    "lazy type": {"torch.dtype": "_inductor"},
    "foreign": {"foreign": ["a.B", []]},
    "sparse": {"sparse": ["csr_matrix", [1, 1], [], [], []]},
    "history": {"history": [3, []]},
    "distribution": {"distribution": ["__init__", {"tuple": []}, {"dict": []}]},
    "code": {"name": "builtins.eval"},
    "archive": {"skops": "estimator.module_.layers.0.weight"},
    "itself": {"object": 0},
}


def positions(document: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    found = []
    for thing in document["objects"]:
        for part in ("state", "fields", "parameters", "buffers", "modules"):
            found += [(thing[part], name) for name in thing.get(part, {})]
    return found


def is_refused(document: dict[str, Any], tensors: dict[str, torch.Tensor]) -> bool:
    """Say whether a document is refused before anything is made of it."""
    infos = infos_of(tensors)
    archives = {
        name: Archive(each.numpy().tobytes())
        for name, each in tensors.items()
        if "0.1" in name[-3:]
    }
    node, objects = document["parts"]["estimator"], document["objects"]
    try:
        if list(names_in(node, objects, archives.__getitem__)):
            return True
        checker = DocumentChecker(objects, infos, lambda name: None, archives.__getitem__)
        checker.check_part("estimator", node)
    except (RefusedError, LookupError, TypeError, ValueError):
        return True
    return False


@pytest.mark.parametrize("name", FOREIGN)
def test_what_no_place_takes_is_refused_in_every_place(name: str) -> None:
    search = GridSearchCV(network(dropout=0.1), {"alpha": [0.1]}, cv=2).fit(X, y)
    document, tensors = document_of(make_pipeline(StandardScaler(), search))
    places = positions(document)
    assert len(places) > 150
    assert not is_refused(document, tensors)
    taken = []
    for holder, attribute in places:
        kept, holder[attribute] = holder[attribute], FOREIGN[name]
        if not is_refused(document, tensors):
            taken.append(attribute)
        holder[attribute] = kept
    # which is not taken over
    assert set(taken) == ({"checkpoint"} if name == "path" else set())


def test_no_attribute_takes_the_place_of_anything_that_a_class_defines() -> None:
    document, tensors = document_of(network())
    (estimator,) = (each for each in document["objects"] if "Classifier" in each["class"])
    own = set(estimator["state"]) | {"checkpoint", "callbacks"}
    names = {*dir(sknn.NeuralClassifier), "__array__", "__array_struct__", "__getattr__", "", "a.b"}
    assert len(names - own) > 60
    for name in names - own:
        estimator["state"][name] = 1
        assert is_refused(document, tensors), name
        del estimator["state"][name]


# ------------------------------------------------------------------------ archives of skops's


def archive_of(model: Any, change: Callable[[Any], None]) -> bytes:
    """Return what skops writes of an estimator, after a change of its tree of nodes."""
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as archive,
        zipfile.ZipFile(changed, "w") as other,
    ):
        for entry in archive.namelist():
            content = archive.read(entry)
            if entry == "schema.json":
                tree = json.loads(content)
                change(tree)
                content = json.dumps(tree, indent=2).encode()
            other.writestr(entry, content)
    return changed.getvalue()


def attributes(tree: Any) -> Any:
    return tree["content"]["content"]


def json_node(value: Any) -> Any:
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(value),
    }


def add_attribute(name: str, node: Any) -> Callable[[Any], None]:
    def change(tree: Any) -> None:
        attributes(tree)[name] = node
        key_types = tree["content"]["key_types"]["content"]
        key_types.append(key_types[0])

    return change


def node_of(loader: str, module: str, name: str, **more: Any) -> Any:
    return {"__class__": name, "__module__": module, "__loader__": loader, **more}


ARCHIVED: dict[str, Callable[[Any], None]] = {
    "a method": add_attribute("transform", json_node(1)),
    "a hook of NumPy": add_attribute("__array_interface__", json_node(1)),
    "a class": add_attribute("__class__", json_node(1)),
    "a property": add_attribute("n_features_out_", node_of("FunctionNode", "os", "system")),
    "a path": add_attribute(
        "copy", node_of("ConstructorFromReduceNode", "pathlib", "PosixPath", content=json_node(1))
    ),
    "a call": add_attribute("copy", node_of("OperatorFuncNode", "operator", "methodcaller")),
    "another output": add_attribute("_sklearn_output_config", json_node("antigravity")),
    "containers in JSON": add_attribute("copy", json_node([1, 2])),
    "another method": lambda tree: tree.update(__loader__="MethodNode"),
    "no tree": lambda tree: tree.clear(),
    "itself": lambda tree: attributes(tree)["copy"].update(__id__=tree["__id__"]),
}


@pytest.mark.parametrize("name", ARCHIVED)
def test_what_skops_would_let_pass_is_checked_like_the_rest(name: str, tmp_path: Path) -> None:
    document, tensors = document_of(make_pipeline(StandardScaler().fit(X), network()))
    key = next(key for key, each in tensors.items() if key.endswith("0.1"))
    content = archive_of(StandardScaler().fit(X), ARCHIVED[name])
    tensors[key] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    path = tmp_path / "model.sknn"
    write_file(path, document, tensors)
    with pytest.raises(ModelFileError, match=str(path)):
        sknn.load(path)


def changed(model: Any, **attributes_of_it: Any) -> Any:
    model.fit(X, y)
    return with_attributes(model, **attributes_of_it)


INCONSISTENT: dict[str, Callable[[], Any]] = {
    "support vectors of another width": lambda: changed(SVC(), support_vectors_=np.zeros((9, 1))),
    "fewer support vectors": lambda: changed(SVC(), support_=np.zeros(1, np.int32)),
    "classes with more of them": lambda: changed(SVC(), _n_support=np.array([9**9] * 3, np.int32)),
    "negative numbers of them": lambda: changed(SVC(), _n_support=np.array([-9, 9, 9], np.int32)),
    "fewer constants": lambda: changed(SVC(), _intercept_=np.zeros(1)),
    "narrow centres": lambda: changed(KMeans(2), cluster_centers_=np.zeros((2, 1))),
    "narrow neighbours": lambda: changed(
        KNeighborsClassifier(algorithm="brute"), _fit_X=np.zeros((30, 1))
    ),
    "neighbours of no class": lambda: changed(
        KNeighborsClassifier(algorithm="brute"), _y=np.full(30, 10**9)
    ),
    "words outside of the vocabulary": lambda: with_attributes(
        CountVectorizer().fit(["a text"]), vocabulary_={"text": 10**9}
    ),
}


@pytest.mark.parametrize("name", INCONSISTENT)
def test_arrays_that_compiled_code_would_read_beyond_are_refused(name: str, tmp_path: Path) -> None:
    model = VotingClassifier([("n", network()), ("o", INCONSISTENT[name]())])
    path = tmp_path / "model.sknn"
    write_unchecked(model, path)
    with pytest.raises(ModelFileError, match="does not fit its other attributes"):
        sknn.load(path)


RECURRENT: dict[str, Callable[[Any], None]] = {
    "a larger state": lambda node: node["state"].update(hidden_size=1000),
    "more layers": lambda node: node["state"].update(num_layers=10**9),
    "another direction": lambda node: node["state"].update(bidirectional=True),
    "another cell": lambda node: node["state"].update(mode="LSTM"),
    "other names": lambda node: node["state"].update(_flat_weights_names=["__class__"]),
    "no weights": lambda node: node["parameters"].clear(),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_layers_have_the_weights_that_they_say(name: str, tmp_path: Path) -> None:
    model = sknn.RecurrentRegressor(hidden_size=3, filters=(), max_iter=1, random_state=0)
    document, tensors = document_of(model.fit(X, y))
    RECURRENT[name](next(each for each in document["objects"] if "GRU" in each["class"]))
    path = tmp_path / "model.sknn"
    write_file(path, document, tensors)
    with pytest.raises(ModelFileError, match=str(path)):
        sknn.load(path)


@pytest.mark.parametrize("solver", ["adam", "sgd", "adamw"])
def test_the_state_of_an_optimizer_has_the_shapes_of_its_parameters(
    solver: str, tmp_path: Path
) -> None:
    model = network(solver=solver)
    for values in model._state.optimizer:
        values.update({k: v[:1] for k, v in values.items() if v.ndim})
    sknn.save(model, tmp_path / "model.sknn")
    loaded = sknn.load(tmp_path / "model.sknn")
    with pytest.raises(ValueError, match="does not fit|shape"):
        loaded.partial_fit(X, y)


def test_booleans_are_0_or_1(tmp_path: Path) -> None:
    path = tmp_path / "model.sknn"
    flags = np.array([True, False])
    for form in ([], ["|b1", [2]]):
        document, tensors = document_of(with_attributes(network(), some_=flags))
        (estimator,) = (each for each in document["objects"] if "Classifier" in each["class"])
        wrong = torch.full((2,), 7, dtype=torch.uint8)
        tensors["some"] = wrong if form else wrong.view(torch.bool)
        estimator["state"]["some_"] = {"array": [{"tensor": ["some"]}, *form]}
        write_file(path, document, tensors)
        with pytest.raises(ModelFileError, match="neither 0 nor 1"):
            sknn.load(path)


def test_a_folder_for_checkpoints_is_not_taken_from_a_file(tmp_path: Path) -> None:
    document, tensors = document_of(network())
    (estimator,) = (each for each in document["objects"] if "Classifier" in each["class"])
    estimator["state"]["checkpoint"] = str(tmp_path / "folder")
    path = tmp_path / "model.sknn"
    write_file(path, document, tensors)
    with pytest.warns(UserWarning, match="checkpoint=.*not taken over"):
        loaded = sknn.load(path)
    assert loaded.checkpoint is None
    model = network().set_params(checkpoint=tmp_path / "folder")
    sknn.save(model, path)
    assert sknn.load(path).checkpoint is None
    assert model.checkpoint == tmp_path / "folder"


@pytest.mark.parametrize("root", [1, "text", None, [], {"dict": []}, {"tensor": ["t"]}])
def test_what_is_no_estimator_is_not_loaded(root: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.sknn"
    document = {"kind": "model", "versions": {}, "parts": {"estimator": root}, "objects": []}
    write_file(path, document, {"t": torch.ones(2)})
    with pytest.raises(ModelFileError, match=str(path)):
        sknn.load(path)


def test_estimators_beside_a_network_are_made_as_they_were(tmp_path: Path) -> None:
    other = LinearRegression().fit(X, y)
    model = sknn.NeuralRegressor(**SMALL).fit(X, y)
    stacking = with_attributes(
        StackingRegressor([("n", model)]), estimators_=[model], final_estimator_=other
    )
    sknn.save(stacking, tmp_path / "model.sknn")
    loaded = sknn.load(tmp_path / "model.sknn").final_estimator_
    assert np.array_equal(loaded.predict(X), other.predict(X))
