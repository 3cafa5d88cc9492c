from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknn import NeuralClassifier
from sknn.estimators.targets._labels import ClassTargets

LABELS: list[Any] = [
    ([0, 1, 1, 0], [0, 1]),
    ([1, 2, 2, 1], [1, 2]),
    ([-1, 1, 1, -1], [-1, 1]),
    ([5, 7, 7, 5], [5, 7]),
    ([False, True, True, False], [False, True]),
    (["no", "yes", "yes", "no"], ["no", "yes"]),
    (np.array(["no", "yes", "yes", "no"], dtype=object), ["no", "yes"]),
    ([0.0, 1.0, 1.0, 0.0], [0.0, 1.0]),
]


@pytest.mark.parametrize(("labels", "classes"), LABELS, ids=str)
def test_two_labels_become_zero_and_one(labels: Any, classes: list[Any]) -> None:
    y = np.asarray(labels)
    targets = ClassTargets.from_labels(y)
    assert targets.task == "binary"
    assert targets.n_outputs == 1
    assert_array_equal(targets.classes, classes)
    encoded = targets.encode(y)
    assert encoded.dtype.kind == "f"
    assert_array_equal(encoded, [[0], [1], [1], [0]])
    decoded = targets.decode(encoded > 0.5)
    assert_array_equal(decoded, y)
    assert decoded.dtype == y.dtype


@pytest.mark.parametrize("names", [[3, 9, 4], ["c", "a", "b"], [-1, 0, 1], [2.0, 0.0, 1.0]])
def test_three_labels_become_indices_of_the_sorted_classes(names: list[Any]) -> None:
    y = np.array(names * 2)
    targets = ClassTargets.from_labels(y)
    assert (targets.task, targets.n_outputs) == ("multiclass", 3)
    assert_array_equal(targets.classes, sorted(names))
    encoded = targets.encode(y)
    assert encoded.dtype == np.int64
    assert [sorted(names)[i] for i in encoded] == names * 2
    assert_array_equal(targets.decode(encoded), y)


@pytest.mark.parametrize("dtype", [int, float, bool])
def test_an_indicator_matrix_is_multilabel(dtype: type) -> None:
    y = np.array([[0, 1, 1], [1, 0, 1], [0, 0, 0]]).astype(dtype)
    targets = ClassTargets.from_labels(y)
    assert (targets.task, targets.n_outputs) == ("multilabel", 3)
    assert_array_equal(targets.classes, [0, 1, 2])
    assert_array_equal(targets.encode(y), y.astype(float))
    decoded = targets.decode(y.astype(bool))
    assert_array_equal(decoded, y.astype(int))
    assert decoded.dtype.kind == "i"


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([1, 1, 1]), r"y contains only one class \(1\)"),
        (np.array(["a", "a"]), r"y contains only one class \(a\)"),
        (np.array([0.5, 1.5, 2.7]), "Unknown label type: continuous"),
        (np.array([[1, 2], [3, 4], [5, 0]]), "several columns.*MultiOutputClassifier"),
    ],
)
def test_labels_that_are_none_are_refused(y: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClassTargets.from_labels(y)


def test_given_classes_are_sorted_and_made_unique() -> None:
    targets = ClassTargets.from_classes(["b", "a", "c", "b"])
    assert_array_equal(targets.classes, ["a", "b", "c"])
    assert targets.task == "multiclass"
    assert_array_equal(targets.encode(np.array(["c", "c"])), [2, 2])


@pytest.mark.parametrize("classes", [[], [3], [3, 3]])
def test_fewer_than_two_given_classes_are_refused(classes: list[int]) -> None:
    with pytest.raises(ValueError, match="classes holds . label"):
        ClassTargets.from_classes(classes)


@pytest.mark.parametrize(
    ("classes", "y"), [([0, 1], [0, 1, 2]), (["a", "b"], ["a", "z"]), ([0, 2, 4], [1, 3])]
)
def test_unknown_labels_are_named(classes: list[Any], y: list[Any]) -> None:
    targets = ClassTargets.from_classes(classes)
    with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`") as e:
        targets.encode(np.array(y))
    for label in set(y) - set(classes):
        assert str(label) in str(e.value)


@pytest.mark.parametrize("y", [np.zeros((3, 2)), np.zeros((3, 4)), np.zeros(3)])
def test_another_number_of_labels_is_refused(y: np.ndarray) -> None:
    targets = ClassTargets.from_labels(np.array([[0, 1, 1], [1, 0, 1]]))
    with pytest.raises(ValueError, match=r"y has shape .* fitted with 3 labels"):
        targets.encode(y)


@pytest.mark.parametrize("dtype", ["object", "str", "string", "category", "datetime64[s]"])
def test_missing_labels_are_refused_by_their_row(dtype: str) -> None:
    pandas = pytest.importorskip("pandas")
    labels = pandas.Series(["2020", "2020", None, "2021"]).astype(dtype)
    with pytest.raises(ValueError, match=r"Input y contains NaN.* first in row 2\."):
        NeuralClassifier().fit(np.zeros((4, 1)), labels)


def test_labels_without_an_order_are_refused() -> None:
    X, mixed = np.zeros((4, 1)), np.array(["a", 1, "b", 1], object)
    message = "mixes labels of types int, str, which have no order"
    with pytest.raises(ValueError, match="Input y " + message):
        NeuralClassifier().fit(X, mixed)
    with pytest.raises(ValueError, match="X_val, y_val: Input y " + message):
        NeuralClassifier().fit(X, [0, 1, 0, 1], X_val=X, y_val=mixed)
    with pytest.raises(ValueError, match="Input classes " + message):
        NeuralClassifier().partial_fit(X, [0, 1, 0, 1], classes=["a", 1])
    model = NeuralClassifier().partial_fit(X, [0, 1, 0, 1], classes=[0, 1])
    with pytest.raises(ValueError, match=r"'y' has \['a' 'b'\] as well"):
        model.partial_fit(X, np.array(["a", "b", "a", "b"], object))


@pytest.mark.parametrize("missing", [None, np.nan])
def test_missing_labels_of_a_list_are_refused_by_their_row(missing: Any) -> None:
    with pytest.raises(ValueError, match=r"Input y contains NaN.* first in row 2\."):
        NeuralClassifier().fit(np.zeros((4, 1)), ["a", "a", missing, "b"])
