"""Additions to an ONNX graph that torch has written."""

from __future__ import annotations

from typing import Any

import numpy as np

from sknn._optional import require

from ._fitted import Lookup

# Operators that onnxruntime has on a CPU in float32, but not in float64.
FLOAT32_OPERATORS = frozenset(
    {
        "AveragePool",
        "Conv",
        "ConvTranspose",
        "Erf",
        "GRU",
        "Gelu",
        "GlobalAveragePool",
        "InstanceNormalization",
        "LSTM",
        "RNN",
    }
)

# Names of those dimensions of X that may have any size, in their order.
DIMENSIONS = ("n", "n_steps")


def label_tensor(classes: np.ndarray) -> Any:
    """Return labels, (n_classes,), as an onnx.TensorProto; TypeError if ONNX lacks their type."""
    is_text = classes.dtype.kind == "U" or all(isinstance(label, str) for label in classes)
    is_number = classes.dtype.kind in "biuf" and classes.dtype.itemsize <= 8
    if not (is_text or is_number):
        raise TypeError(
            f"estimator has labels (classes_) of type {classes.dtype}, which ONNX does not have; "
            "strings, integers, floats and booleans can be exported. Fit with labels of such a "
            "type, see sklearn.preprocessing.LabelEncoder."
        )
    native = classes.astype(object) if is_text else classes.astype(classes.dtype.newbyteorder("="))
    return require("onnx", extra="export").numpy_helper.from_array(native, "classes")


def look_up_labels(model: Any, classes: np.ndarray) -> None:
    """Make labels of the class indices that a model returns first, in place."""
    onnx = require("onnx", extra="export")
    graph = model.graph
    output = graph.output[0]
    label, index = output.name, f"{output.name}_index"
    rename(graph, label, index)
    tensor = label_tensor(classes)
    graph.initializer.append(tensor)
    graph.node.append(onnx.helper.make_node("Gather", [tensor.name, index], [label]))
    output.type.tensor_type.elem_type = tensor.data_type


def look_up_texts(model: Any, lookups: dict[str, Lookup]) -> None:
    """Have some inputs of a model, by name, take texts instead of numbers; in place."""
    onnx = require("onnx", extra="export")
    nodes = []
    for value in model.graph.input:
        lookup = lookups.get(value.name)
        if lookup is not None:
            place = f"{value.name}_place"
            rename(model.graph, value.name, place)
            value.type.tensor_type.elem_type = onnx.TensorProto.STRING
            node = onnx.helper.make_node(
                "LabelEncoder",
                [value.name],
                [place],
                domain="ai.onnx.ml",
                keys_strings=list(lookup.numbers),
                values_int64s=lookup.numbers.values(),
                default_int64=lookup.default,
            )
            nodes.append(node)
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 2))


def rename(graph: Any, old: str, new: str) -> None:
    """Rename a value that nodes of a graph compute or take, in place."""
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == old:
                    names[i] = new


def compute_in_float32(model: Any) -> bool:
    """Cast around operators that lack float64, in place; say whether there were any."""
    onnx = require("onnx", extra="export")
    doubles = _names_of_doubles(onnx, model)
    nodes: list[Any] = []
    for node in model.graph.node:
        if node.op_type in FLOAT32_OPERATORS and doubles.intersection(node.input):
            nodes += _between_casts(onnx, node, doubles)
        else:
            nodes.append(node)
    has_any = len(nodes) > len(model.graph.node)
    # nodes go with the list that they are taken from
    copied = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copied)
    return has_any


def _between_casts(onnx: Any, node: Any, doubles: set[str]) -> list[Any]:
    """Return a node that computes in float32, with casts of its inputs and outputs."""
    prefix = f"{node.output[0]}_float32"
    before, after = [], []
    for i, name in enumerate(node.input):
        if name in doubles:
            node.input[i] = f"{prefix}_in_{i}"
            cast = onnx.helper.make_node("Cast", [name], [node.input[i]], to=onnx.TensorProto.FLOAT)
            before.append(cast)
    for i, name in enumerate(node.output):
        if name:
            node.output[i] = f"{prefix}_out_{i}"
            cast = onnx.helper.make_node(
                "Cast", [node.output[i]], [name], to=onnx.TensorProto.DOUBLE
            )
            after.append(cast)
    return [*before, node, *after]


def _names_of_doubles(onnx: Any, model: Any) -> set[str]:
    """Return the names of all values in float64."""
    double = onnx.TensorProto.DOUBLE
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = [*graph.input, *graph.value_info, *graph.output]
    names = {each.name for each in values if each.type.tensor_type.elem_type == double}
    return names | {each.name for each in graph.initializer if each.data_type == double}


def tidy(model: Any) -> None:
    """Name the dimensions, and remove torch's notes on nodes (source files); in place."""
    graph = model.graph
    del graph.value_info[:]
    for each in (model, graph, *graph.node, *graph.input, *graph.output):
        del each.metadata_props[:]
    sizes = graph.input[0].type.tensor_type.shape.dim
    names = dict(zip((size.dim_param for size in sizes), DIMENSIONS, strict=False))
    for value in (*graph.input, *graph.output):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                size.dim_param = names.get(size.dim_param, size.dim_param)
