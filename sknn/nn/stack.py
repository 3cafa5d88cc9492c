"""Gradients of many equal networks at once.

Small networks leave a GPU mostly idle: what an operation costs beside its arithmetic is what
one of them costs. Here the operations are those of :class:`DenseBackprop`, each on all networks
of a stack, whose weights of a layer have the shape (k, fan_out, fan_in). Every network has the
results that it has alone, up to the rounding of sums.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .backprop import DenseBackprop, Encoded, cut
from .layers import dropout_factors
from .losses import Loss

# A network's part of a slab begins at a multiple of this: 64 bytes of float32.
ALIGNMENT = 16


class Slab:
    """Memory for a matrix (n_rows, width) a network, each at an aligned address."""

    def __init__(self, n_networks: int, n_rows: int, width: int, like: Tensor) -> None:
        self.width = width
        self.stride = _round_up(n_rows * width)
        self.memory = like.new_empty(n_networks * self.stride)

    def view(self, n_networks: int, n_rows: int) -> Tensor:
        """Return the memory as matrices (n_networks, n_rows, width), at most as it was made for."""
        shape = (n_networks, n_rows, self.width)
        return self.memory.as_strided(shape, (self.stride, self.width, 1))


class StackedBackprop:
    """Losses and gradients of k dense networks of the same shape.

    The networks' parameters and gradients become rows of two tensors, and the steps' own
    (`parameters`, `weights`, `gradients`) views of them. The steps have the same layer shapes,
    activations, number types and class of loss; the losses' own numbers and the rates of dropout
    may differ.

    Shapes
    ------
    X : (k, n, n_features), targets : (k * n, ...), sample_weight : (k, n), weight_sums : (k,)
        -> outputs : (k * n, n_outputs), loss_sums : (k,)
        For k networks in a row, the first of which has the number `start`.
    """

    def __init__(
        self,
        steps: Sequence[DenseBackprop],
        n_rows: int,  # of the largest batch
        generators: Sequence[torch.Generator | None],  # draw the dropout
    ) -> None:
        self.steps = list(steps)
        self.generators = list(generators)
        self.encoder = steps[0].encoder  # what is fixed of it is that of all
        self.activations = steps[0].activations
        self.shapes = steps[0].layer_shapes
        self._take_over()
        k, theta = len(self.steps), steps[0].theta.detach()
        # what the layers return, and the gradients with respect to that
        self._outputs = [Slab(k, n_rows, fan_out, theta) for fan_out, _ in self.shapes]
        self._deltas = [Slab(k, n_rows, fan_out, theta) for fan_out, _ in self.shapes]

    def _take_over(self) -> None:
        """Put parameters and gradients of all networks into two tensors, a row each."""
        k, n = len(self.steps), self.steps[0].theta.numel()
        theta = self.steps[0].theta.detach().new_zeros((k, _round_up(n)))
        gradient = torch.zeros_like(theta)
        for i, step in enumerate(self.steps):
            theta[i, :n] = step.theta.detach()
            step.bind(theta[i, :n], gradient[i, :n])
        values = cut(theta[:, :n], self.steps[0].shapes)
        gradients = cut(gradient[:, :n], self.steps[0].shapes)
        weights, biases = self.steps[0].places_of_layers
        self._weights, self._weight_gradients = values[weights], gradients[weights]
        self._biases = [each.unsqueeze(1) for each in values[biases]]
        self._bias_gradients = [each.unsqueeze(1) for each in gradients[biases]]
        places = self.steps[0].places_of_encoder
        self._encoder_values = [values[place] for place in places]
        self._encoder_gradients = [gradients[place] for place in places]
        n_weights = self.steps[0].n_weights
        self._all_weights, self._all_weight_gradients = (
            theta[:, :n_weights],
            gradient[:, :n_weights],
        )
        self._runs: dict[tuple[int, int], list[tuple[int, int, Loss]]] = {}

    def keep(self, indices: Sequence[int]) -> None:
        """Go on with some networks, in ascending order; others get memory of their own."""
        for i in set(range(len(self.steps))) - set(indices):
            step = self.steps[i]
            step.bind(step.theta.detach().clone(), step.gradients[0].clone())
        self.steps = [self.steps[i] for i in indices]
        self.generators = [self.generators[i] for i in indices]
        if self.steps:
            self._take_over()

    def __call__(
        self,
        start: int,
        X: Tensor,
        targets: Tensor,
        sample_weight: Tensor | None,
        weight_sums: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Write the gradients of the mean losses of one batch; return its outputs and loss sums.

        Call it under :func:`torch.no_grad`. The gradients are divided by `weight_sums`.
        """
        k, batch = X.shape[:2]
        part = slice(start, start + k)
        last = len(self.shapes) - 1
        encoded = None
        if self.encoder is not None:
            encoded = Encoded(
                self.encoder, X, [each[part].detach() for each in self._encoder_values]
            )
            X = encoded.values
        # of each layer: its input; of the hidden ones: what they return, and what dropout
        # multiplies that by
        layer_inputs, activated = [X], []
        dropout: list[Tensor | None] = []
        for i in range(last + 1):
            z = self._outputs[i].view(k, batch)
            weights = self._weights[i][part].transpose(1, 2)
            _multiply(layer_inputs[i], weights, z, bias=self._biases[i][part])
            if i < last:
                z = self.activations[i].apply_(z)  # type: ignore[misc]
                factors = self._draw_dropout(i, part, z)
                activated.append(z)
                dropout.append(factors)
                layer_inputs.append(z if factors is None else z * factors)
        outputs = z.reshape(k * batch, -1)

        losses, delta = self._differentiate(part, outputs, targets)
        losses = losses.view(k, batch)
        delta = self._deltas[last].view(k, batch).copy_(delta.view(k, batch, -1))
        if sample_weight is not None:
            losses = losses * sample_weight
            delta.mul_(sample_weight.unsqueeze(2))
        delta.div_(weight_sums.view(k, 1, 1))

        # delta is d loss / d z_i, of shape (k, batch, fan_out of layer i)
        for i in range(last, -1, -1):
            _multiply(delta.transpose(1, 2), layer_inputs[i], self._weight_gradients[i][part])
            torch.sum(delta, 1, keepdim=True, out=self._bias_gradients[i][part])
            if i > 0:
                slab = self._deltas[i - 1].view(k, batch)
                _multiply(delta, self._weights[i][part], slab)
                factors = dropout[i - 1]
                if factors is not None:
                    slab.mul_(factors)
                delta = self.activations[i - 1].backward(  # type: ignore[misc]
                    slab, activated[i - 1]
                )
        if encoded is not None and encoded.n_learned:
            learned = self._weights[0][part][:, :, : encoded.n_learned]
            gradients = [each[part] for each in self._encoder_gradients]
            encoded.write_gradients(delta @ learned, gradients)
        return outputs, losses.sum(1)

    def add_penalty(self, start: int, losses: Tensor, alpha: float, weight_sum: float) -> None:
        """Add ``alpha / 2 ||W||^2`` in place to losses (k,), and its gradients to theirs.

        `weight_sum` is what these are divided by already.
        """
        part = slice(start, start + len(losses))
        norms = torch.linalg.vector_norm(self._all_weights[part], dim=1)
        losses.addcmul_(norms, norms, value=0.5 * alpha)
        self._all_weight_gradients[part].add_(self._all_weights[part], alpha=alpha / weight_sum)

    def _draw_dropout(self, layer: int, part: slice, z: Tensor) -> Tensor | None:
        """Return a hidden layer's factors (k, n, width), each network's from its own generator."""
        rates = [step.dropout_rates[layer] for step in self.steps[part]]
        if not any(rates):
            return None
        factors = torch.ones_like(z, memory_format=torch.contiguous_format)
        for i, rate in enumerate(rates):
            if rate:
                factors[i] = dropout_factors(z[i], rate, self.generators[part.start + i])
        return factors

    def _differentiate(
        self, part: slice, outputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return each row's loss (k * n,) and its gradient (k * n, n_outputs)."""
        batch = len(outputs) // (part.stop - part.start)
        results = []
        for start, stop, loss in self._loss_runs(part):
            rows = slice(start * batch, stop * batch)
            results.append(loss.with_gradient(outputs[rows], targets[rows]))
        if len(results) == 1:
            return results[0]
        losses, gradients = zip(*results, strict=True)
        return torch.cat(losses), torch.cat(gradients)

    def _loss_runs(self, part: slice) -> list[tuple[int, int, Loss]]:
        """Return where equal losses that follow each other begin and end in a part."""
        key = (part.start, part.stop)
        if key not in self._runs:
            runs: list[tuple[int, int, Loss]] = []
            for i, step in enumerate(self.steps[part]):
                if runs and vars(step.loss) == vars(runs[-1][2]):
                    runs[-1] = (runs[-1][0], i + 1, step.loss)
                else:
                    runs.append((i, i + 1, step.loss))
            self._runs[key] = runs
        return self._runs[key]


def _multiply(a: Tensor, b: Tensor, out: Tensor, bias: Tensor | None = None) -> None:
    """Write (k, n, m) @ (k, m, p) + (k, 1, p)."""
    if bias is None:
        torch.bmm(a, b, out=out)
    else:
        torch.baddbmm(bias, a, b, out=out)


def _round_up(n: int) -> int:
    """Return the next multiple of `ALIGNMENT`."""
    return -(-n // ALIGNMENT) * ALIGNMENT
