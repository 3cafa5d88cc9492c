"""How operations of torch become operators of ONNX, where torch does not know or not well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from sknn._optional import require

from ._traceable import operations

# For each mode of torch's recurrent layers: ONNX's operator, its options, and the order in which
# it has the gates, as places among torch's.
OPERATORS: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "rnn_tanh": ("RNN", {}, (0,)),
    "rnn_relu": ("RNN", {"activations": ["Relu", "Relu"]}, (0,)),  # forwards, backwards
    "gru": ("GRU", {"linear_before_reset": 1}, (1, 0, 2)),  # r z n -> z r n
    "lstm": ("LSTM", {}, (0, 3, 1, 2)),  # i f g o -> i o f g
}


def translations() -> dict[Any, Callable[..., Any]]:
    """Return the functions that write some of torch's operations to an ONNX graph, by operation."""
    recurrent = {operation: _recurrent(name) for name, operation in operations().items()}
    return {torch.ops.aten.log_sigmoid.default: _log_sigmoid(), **recurrent}


def _log_sigmoid() -> Callable[..., Any]:
    op = require("onnxscript", extra="export").opset18

    def translate(outputs: Any) -> Any:
        # torch would write log(sigmoid), which is log(0) for outputs that are far from 0
        return op.Neg(op.Softplus(op.Neg(outputs)))

    return translate


def _recurrent(name: str) -> Callable[..., Any]:
    op = require("onnxscript", extra="export").opset18
    operator, options, gates = OPERATORS[name]

    def in_order(weight: Any) -> Any:
        if len(gates) == 1:
            return weight
        parts = op.Split(weight, num_outputs=len(gates), axis=0)
        return op.Concat(*(parts[gate] for gate in gates), axis=0)

    def stacked(directions: list[Any]) -> Any:
        return op.Concat(*(op.Unsqueeze(each, [0]) for each in directions), axis=0)

    def layer(series: Any, directions: list[Any], starts: list[Any]) -> Any:
        W, R = (stacked([in_order(weights[i]) for weights in directions]) for i in (0, 1))
        biases = [map(in_order, weights[2:]) for weights in directions if len(weights) > 2]
        B = stacked([op.Concat(*pair, axis=0) for pair in biases]) if biases else None
        n = len(directions)
        states, *ends = getattr(op, operator)(
            series,
            W,
            R,
            B,
            None,  # all series are of the same length
            *starts,
            hidden_size=directions[0][1].shape[1],
            direction="bidirectional" if n == 2 else "forward",
            **{key: each[:n] if isinstance(each, list) else each for key, each in options.items()},
        )
        # (steps, directions, batch, hidden) -> (steps, batch, directions * hidden)
        return op.Reshape(op.Transpose(states, perm=[0, 2, 1, 3]), [0, 0, -1]), ends

    def one_at_least(states: Any) -> Any:
        """Add zeros where there are no series or no steps: there onnxruntime ends the process."""
        zero, one = (op.Constant(value_ints=[number]) for number in (0, 1))
        missing = op.Max(op.Sub(one, op.Shape(states)), zero)
        return op.Pad(states, op.Concat(zero, zero, zero, missing, axis=0))

    def translate(
        series: Any,
        start: Any,
        weights: Any,
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Any:
        starts = start if isinstance(start, list | tuple) else [start]
        n_weights, n_directions = (4 if has_biases else 2), (2 if bidirectional else 1)
        directions = [weights[i : i + n_weights] for i in range(0, len(weights), n_weights)]
        states = op.Transpose(series, perm=[1, 0, 2]) if batch_first else series
        sizes, n = op.Shape(states, end=2), op.Shape(states, start=1, end=2)
        states, *starts = (one_at_least(each) for each in (states, *starts))
        all_ends = []
        for first in range(0, num_layers * n_directions, n_directions):
            last = first + n_directions
            begin = [op.Slice(each, [first], [last], [0]) for each in starts]
            states, ends = layer(states, directions[first:last], begin)
            all_ends.append(ends)
        ends = [op.Concat(*each, axis=0) for each in zip(*all_ends, strict=True)]
        ends = [op.Slice(each, [0], n, [1]) for each in ends]
        states = op.Slice(states, [0, 0], sizes, [0, 1])
        return op.Transpose(states, perm=[1, 0, 2]) if batch_first else states, *ends

    return translate
