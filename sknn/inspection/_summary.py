"""A table of the layers of a network."""

from __future__ import annotations

import html
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sklearn.utils._param_validation import StrOptions
from torch import Tensor, nn

from sknn._validation import validated

from ._networks import fitted_network

Shape = tuple[int | None, ...]
HEADINGS = ("Layer (type)", "Output Shape", "Param #")


@dataclass(frozen=True)
class LayerSummary:
    """One row of a :class:`NetworkSummary`.

    Attributes
    ----------
    name : str
        Name in the network, without a leading "layers.".
    kind : str
        Class of the layer.
    output_shape : tuple of int or None, or None
        Shape of its output, with None for the samples of a batch. None if it is not known.
    n_parameters : int
        Number of its parameters, trained or not.
    n_trainable : int
        Number of its parameters that are trained.
    """

    name: str
    kind: str
    output_shape: Shape | None
    n_parameters: int
    n_trainable: int

    @property
    def cells(self) -> tuple[str, str, str]:
        """The row's text."""
        shape = "" if self.output_shape is None else str(self.output_shape)
        label = f"{self.name} ({self.kind})" if self.kind else self.name
        return label, shape, f"{self.n_parameters:,}"


@dataclass(frozen=True, repr=False)
class NetworkSummary:
    """The layers of a network, as a table where it is printed.

    Attributes
    ----------
    title : str
        The estimator and its network.
    layers : tuple of LayerSummary
        The rows, in the order in which the layers are called.
    n_parameters : int
        Number of parameters, trained or not.
    n_trainable : int
        Number of those that are trained, ``estimator.n_parameters_``.

    Examples
    --------
    >>> from sknn.inspection import LayerSummary, NetworkSummary
    >>> layer = LayerSummary("output", "Linear", (None, 2), n_parameters=10, n_trainable=10)
    >>> NetworkSummary("A tiny network", (layer,), n_parameters=10, n_trainable=10)
    A tiny network
    ======================================
    Layer (type)     Output Shape  Param #
    --------------------------------------
    output (Linear)  (None, 2)          10
    ======================================
    Total params: 10
    Trainable params: 10
    Non-trainable params: 0
    """

    title: str
    layers: tuple[LayerSummary, ...]
    n_parameters: int
    n_trainable: int

    @property
    def n_non_trainable(self) -> int:
        """Number of parameters that training does not change by gradients."""
        return self.n_parameters - self.n_trainable

    @property
    def totals(self) -> dict[str, int]:
        """The lines below the table."""
        return {
            "Total params": self.n_parameters,
            "Trainable params": self.n_trainable,
            "Non-trainable params": self.n_non_trainable,
        }

    def __repr__(self) -> str:
        rows = [HEADINGS, *(layer.cells for layer in self.layers)]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [
            f"{label:<{widths[0]}}  {shape:<{widths[1]}}  {number:>{widths[2]}}"
            for label, shape, number in rows
        ]
        rule = "=" * len(lines[0])
        totals = [f"{name}: {number:,}" for name, number in self.totals.items()]
        return "\n".join([self.title, rule, lines[0], "-" * len(rule), *lines[1:], rule, *totals])

    def _repr_html_(self) -> str:
        """The table for notebooks."""
        header = "".join(f"<th>{html.escape(heading)}</th>" for heading in HEADINGS)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in layer.cells) + "</tr>"
            for layer in self.layers
        )
        totals = "<br>".join(f"{name}: {number:,}" for name, number in self.totals.items())
        return (
            f"<p>{html.escape(self.title)}</p><table><thead><tr>{header}</tr></thead>"
            f"<tbody>{rows}</tbody></table><p>{totals}</p>"
        )


@validated({"show": ["boolean", StrOptions({"auto"})]})
def summary(estimator: Any, *, show: bool | str = "auto") -> NetworkSummary:
    """List the layers of a network, the shapes of their outputs and their parameters.

    A parameter is counted where it is first used. Not trainable are frozen parameters, the means
    and variances that batch normalization keeps, and filters that are computed from the data.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted estimator of this package, or a pipeline that ends in one; dense, for images, for
        series, or with a module of the user's. An AdversarialGenerator has the layers of both
        networks; those of the averaged generator are among the other parameters.
    show : bool or "auto", default="auto"
        Whether to print the table. "auto" prints it in scripts. In interactive sessions and
        notebooks it does not, because they show the returned table themselves.

    Returns
    -------
    NetworkSummary
        The table; ``summary(estimator).layers`` has the rows. The shapes are the
        network's own: images are (batch, channels, height, width), series are (batch, steps,
        channels) with the steps of the longest training series, and None is the batch.

    Raises
    ------
    TypeError
        If the estimator is not one of this package.
    ValueError
        If `show` is none of its values.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn import ConvClassifier
    >>> from sknn.inspection import summary
    >>> digits = load_digits()
    >>> classifier = ConvClassifier(
    ...     filters=(8, 16), hidden_layer_sizes=(), normalization=None, max_iter=1
    ... )
    >>> summary(classifier.fit(digits.images / 16, digits.target))
    ConvClassifier: ConvNetwork
    =============================================
    Layer (type)        Output Shape      Param #
    ---------------------------------------------
    conv1 (Conv2d)      (None, 8, 8, 8)        80
    pool1 (MaxPool2d)   (None, 8, 4, 4)         0
    activation1 (ReLU)  (None, 8, 4, 4)         0
    conv2 (Conv2d)      (None, 16, 4, 4)    1,168
    pool2 (MaxPool2d)   (None, 16, 2, 2)        0
    activation2 (ReLU)  (None, 16, 2, 2)        0
    flatten (Flatten)   (None, 64)              0
    output (Linear)     (None, 10)            650
    =============================================
    Total params: 1,898
    Trainable params: 1,898
    Non-trainable params: 0
    """
    network = fitted_network(estimator)
    counted: set[int] = set()
    rows = []
    for trace in network.parts.layers():
        numbers = _count(_weights(trace.layer, recurse=False), counted)
        shape: Shape = (None, *trace.output.shape[1:])
        name = trace.name.removeprefix("layers.") or "(network)"
        rows.append(LayerSummary(name, type(trace.layer).__name__, shape, *numbers))
    rest = _count(_weights(network.module, recurse=True), counted)
    if rest[0]:  # of modules with children, and of layers that were not called
        rows.append(LayerSummary("(other parameters)", "", None, *rest))
    table = NetworkSummary(
        title=f"{type(network.estimator).__name__}: {type(network.module).__name__}",
        layers=tuple(rows),
        n_parameters=sum(row.n_parameters for row in rows),
        n_trainable=sum(row.n_trainable for row in rows),
    )
    is_interactive = hasattr(sys, "ps1")  # the prompt, which IPython and notebooks have too
    if show is True or (show == "auto" and not is_interactive):
        print(table)
    return table


def _weights(module: nn.Module, *, recurse: bool) -> Iterable[Tensor]:
    """Yield parameters, and the buffers that Keras counts too: not numbers of batches."""
    yield from module.parameters(recurse)
    yield from (each for each in module.buffers(recurse) if each.is_floating_point())


def _count(weights: Iterable[Tensor], counted: set[int]) -> tuple[int, int]:
    """Count numbers, and those that are trained, in tensors that were not counted yet."""
    total = trainable = 0
    for tensor in weights:
        if id(tensor) not in counted:
            counted.add(id(tensor))
            total += tensor.numel()
            trainable += tensor.numel() * tensor.requires_grad
    return total, trainable
