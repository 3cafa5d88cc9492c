"""Adversarial networks: a generator, a discriminator, and what each of them loses.

Goodfellow et al., "Generative adversarial nets", 2014, arXiv:1406.2661.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .losses import Loss

Losses = Callable[[Tensor], Tensor]

# For each loss what is lost by the discriminator of rows and of samples, and by the generator of
# its samples, all of logits: arXiv:1406.2661 (its "non-saturating" form), 1701.07875, 1705.02894.
ADVERSARIAL_LOSSES: dict[str, tuple[Losses, Losses, Losses]] = {
    "standard": (lambda s: F.softplus(-s), F.softplus, lambda s: F.softplus(-s)),
    "wasserstein": (torch.neg, lambda s: s, torch.neg),
    "hinge": (lambda s: F.relu(1 - s), lambda s: F.relu(1 + s), torch.neg),
}


class AdversarialLoss(Loss):
    """What the discriminator and the generator lose, of the discriminator's logits.

    Shapes
    ------
    logits : (n, 1) -> (n,)
        Called as other losses are, it is what the discriminator loses of rows.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.out_activation = "logistic" if name == "standard" else "identity"

    def of_rows(self, logits: Tensor) -> Tensor:
        """Return what the discriminator loses of rows, (n, 1) -> (n,)."""
        return ADVERSARIAL_LOSSES[self.name][0](logits[:, 0])

    def of_samples(self, logits: Tensor) -> Tensor:
        """Return what the discriminator loses of samples, (n, 1) -> (n,)."""
        return ADVERSARIAL_LOSSES[self.name][1](logits[:, 0])

    def of_generator(self, logits: Tensor) -> Tensor:
        """Return what the generator loses of its samples, (n, 1) -> (n,)."""
        return ADVERSARIAL_LOSSES[self.name][2](logits[:, 0])

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.of_rows(outputs)


class Groups(nn.Module):
    """Groups of rows, which stand for labels where there are none: the nearest of some centres.

    Shapes
    ------
    X : (n, ...) -> (n,)
    """

    centres: Tensor
    shares: Tensor

    def __init__(self, centres: np.ndarray, shares: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("centres", torch.from_numpy(centres))  # (n_groups, n_columns)
        self.register_buffer("shares", torch.from_numpy(shares))  # of the rows, (n_groups,)

    def __len__(self) -> int:
        return len(self.centres)

    def forward(self, X: Tensor) -> Tensor:
        # |x - c|^2 without |x|^2, which is the same for all
        products = X.detach().flatten(1).to(self.centres.dtype) @ self.centres.T
        return (self.centres.square().sum(1) - 2 * products).argmin(1)

    def draw(self, n_samples: int, random_state: np.random.RandomState) -> np.ndarray:
        """Draw groups (n_samples,) as often as rows belong to them."""
        shares = self.shares.double().cpu().numpy()
        return random_state.choice(len(shares), n_samples, p=shares / shares.sum())


class AdversarialNetwork(nn.Module):
    """A generator and a discriminator; called, the discriminator.

    Shapes
    ------
    X : (n, ...) -> (n, 1)
    """

    n_steps: Tensor  # of the discriminator so far
    generator_loss: Tensor  # mean losses of the generator's steps in this epoch, added up
    n_generator_steps: Tensor  # in this epoch

    def __init__(
        self,
        generator: nn.Module,  # from noise (n, latent_size), and labels (n,) if there are any
        discriminator: nn.Module,  # from rows or samples, and labels, to logits (n, 1)
        latent_size: int,
        *,
        averages: bool,  # whether samples are an averaged generator's
        groups: Groups | None = None,  # of rows without labels
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.average: nn.Module | None = None
        if averages:
            self.average = copy.deepcopy(generator).requires_grad_(False).eval()
        self.groups = groups
        self.latent_size = latent_size
        self.register_buffer("n_steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("generator_loss", torch.zeros(()))
        self.register_buffer("n_generator_steps", torch.zeros((), dtype=torch.int64))

    @property
    def sampler(self) -> nn.Module:
        """What samples are made by: the averaged generator if there is one."""
        return self.generator if self.average is None else self.average

    def forward(self, X: Tensor, labels: Tensor | None = None) -> Tensor:
        return call(self.discriminator, X, self.labels_of(X, labels))

    def labels_of(self, X: Tensor, labels: Tensor | None) -> Tensor | None:
        """Return the labels of rows (n,) that both networks see: theirs, or their groups."""
        return self.groups(X) if labels is None and self.groups is not None else labels

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move weights and statistics of the averaged generator towards those of the other."""
        if self.average is None:
            return
        averages = [*self.average.parameters(), *self.average.buffers()]
        present = [*self.generator.parameters(), *self.generator.buffers()]
        moved, towards = [], []
        for mine, other in zip(averages, present, strict=True):
            if mine.is_floating_point():
                moved.append(mine.detach())
                towards.append(other.detach())
            else:
                mine.copy_(other)
        torch._foreach_lerp_(moved, towards, 1 - decay)


def call(network: nn.Module, inputs: Tensor, labels: Tensor | None) -> Tensor:
    """Return what one of the networks makes of noise or rows (n, ...), and of labels (n,)."""
    return network(inputs) if labels is None else network(inputs, labels)


def squared_slopes(logits: Tensor, inputs: Tensor) -> Tensor:
    """Return squared norms (n,) of the logits' gradients at inputs (n, ...), differentiable."""
    (slopes,) = torch.autograd.grad(logits.sum(), inputs, create_graph=True)
    return slopes.flatten(1).square().sum(1)
