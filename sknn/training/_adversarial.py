"""One update of a generator and a discriminator, which learn against each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sknn.data import Batch
from sknn.nn import AdversarialLoss, AdversarialNetwork, generator_on
from sknn.nn.adversarial import call, squared_slopes

from ._settings import Settings
from ._steps import autocast_for, check_outputs
from .solvers import PairedOptimizer, make_optimizer


@dataclass(frozen=True)
class AdversarialSettings:
    """How a generator and a discriminator are trained beside each other."""

    discriminator_rate: float  # learning rate
    discriminator_steps: int  # for each of the generator
    gradient_penalty: float  # its strength; 0 is none
    penalty_interval: int  # the penalty is part of each so many steps, and as many times as strong
    average_decay: float  # of the averaged generator


class AdversarialStep:
    """Both networks descend at once, along the gradients of their losses of the same samples.

    The generator takes part in each `discriminator_steps`-th step.
    """

    releases_gil = False

    def __init__(
        self,
        module: nn.Module,
        loss: Any,
        settings: Settings,
        adversarial: AdversarialSettings,
    ) -> None:
        assert isinstance(module, AdversarialNetwork)
        assert isinstance(loss, AdversarialLoss)
        self.module, self.loss, self.adversarial = module, loss, adversarial
        self.max_grad_norm = settings.max_grad_norm
        self.compute_dtype = settings.compute_dtype
        self.of_generator = trainable(module.generator)
        self.of_discriminator = trainable(module.discriminator)
        self.optimizer = PairedOptimizer(
            make_optimizer(settings, self.of_generator, []),
            make_optimizer(
                replace(settings, learning_rate_init=adversarial.discriminator_rate),
                self.of_discriminator,
                [],
            ),
        )
        self._n_steps: int | None = None  # that the network has taken

    @property
    def parameters(self) -> list[Tensor]:
        """What is updated."""
        return [*self.of_generator, *self.of_discriminator]

    def gradient(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Write the gradients; return logits of the rows (n, 1) and the discriminator's loss ().

        The loss is a sum over the rows, of what is lost of each and of a sample beside it.
        """
        for parameter in self.parameters:
            parameter.grad = None
        if self._n_steps is None:  # a checkpoint may have been put back
            self._n_steps = int(self.module.n_steps)
        moves = (self._n_steps + 1) % self.adversarial.discriminator_steps == 0
        labels = self._labels(batch)
        with torch.enable_grad(), autocast_for(batch.targets.device, self.compute_dtype):
            with torch.set_grad_enabled(moves):
                made = self.sample(batch, labels)
            # a leaf, at which the generator's gradient is found without a second pass forwards
            samples = made.detach().requires_grad_(moves)
            return self._gradients(batch, labels, made, samples)

    def _gradients(
        self, batch: Batch, labels: Tensor | None, made: Tensor, samples: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Write the gradients of losses of a batch and of samples (n, ...), detached ones too."""
        X, weights, discriminator = batch.X, batch.sample_weight, self.module.discriminator
        assert isinstance(X, Tensor)
        is_penalised = (
            self.adversarial.gradient_penalty > 0
            and self._n_steps % self.adversarial.penalty_interval == 0  # type: ignore[operator]
        )
        uses_slopes = is_penalised and self.loss.name != "wasserstein"
        X = X.detach().requires_grad_() if uses_slopes else X
        logits = call(discriminator, X, labels).float()
        logits_of_samples = call(discriminator, samples, labels).float()
        check_outputs(logits, len(batch.targets), 1)
        losses = self.loss.of_rows(logits) + self.loss.of_samples(logits_of_samples)
        loss_sum = weighted_sum(losses, weights)
        objective = loss_sum
        if is_penalised:
            factor = self.adversarial.gradient_penalty * self.adversarial.penalty_interval
            if uses_slopes:
                penalties = 0.5 * squared_slopes(logits, X)
            else:
                penalties = self._slope_deviations(X, samples, labels)
            objective = loss_sum + factor * weighted_sum(penalties, weights)
        objective = objective / batch.weight_sum
        moves = samples.requires_grad
        objective.backward(inputs=self.of_discriminator, retain_graph=moves)
        if moves:
            loss = weighted_sum(self.loss.of_generator(logits_of_samples), weights)
            (slopes,) = torch.autograd.grad(loss / batch.weight_sum, samples)
            torch.autograd.backward(made, slopes, inputs=self.of_generator)
            self.module.generator_loss += loss.detach() / batch.weight_sum
            self.module.n_generator_steps += 1
        if self.max_grad_norm is not None:
            for parameters in (self.of_generator, self.of_discriminator):
                nn.utils.clip_grad_norm_(parameters, self.max_grad_norm)
        return logits.detach(), loss_sum.detach()

    def _labels(self, batch: Batch) -> Tensor | None:
        """Return the labels of a batch's rows (n,), or their groups."""
        given = batch.targets if batch.targets.ndim == 1 else None
        return self.module.labels_of(batch.X, given)  # type: ignore[arg-type]

    def sample(self, batch: Batch, labels: Tensor | None) -> Tensor:
        """Return as many samples as a batch has rows, with the same labels."""
        device = batch.targets.device
        noise = torch.randn(
            len(batch.targets),
            self.module.latent_size,
            device=device,
            dtype=self.of_generator[0].dtype,
            generator=generator_on(device),
        )
        try:
            return call(self.module.generator, noise, labels)
        except ValueError as error:
            if len(noise) == 1 and "more than 1 value per channel" in str(error):
                raise ValueError(
                    "the generator's batch normalization has no variance of a batch with one row; "
                    "use two rows and batch_size=2 at least."
                ) from error
            raise

    def _slope_deviations(self, X: Tensor, samples: Tensor, labels: Tensor | None) -> Tensor:
        """Return ``(|D'(x)| - 1)^2`` (n,) at points between rows and samples (arXiv:1704.00028)."""
        shares = torch.rand(
            len(X), *[1] * (X.ndim - 1), device=X.device, dtype=X.dtype,
            generator=generator_on(X.device),
        )  # fmt: skip
        between = torch.lerp(X, samples.detach(), shares).requires_grad_()
        logits = call(self.module.discriminator, between, labels)
        return (squared_slopes(logits, between).sqrt() - 1).square()

    def update(self) -> None:
        """Update the weights from their gradients, and the averaged generator."""
        assert self._n_steps is not None
        self.optimizer.step()
        self._n_steps += 1
        self.module.n_steps += 1
        if self._n_steps % self.adversarial.discriminator_steps == 0:
            # short trainings have forgotten where they began
            n_done = self._n_steps // self.adversarial.discriminator_steps
            self.module.follow(min(self.adversarial.average_decay, n_done / (n_done + 9)))

    def evaluate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return logits (n, 1) and what the discriminator loses of the rows ()."""
        labels = self._labels(batch)
        with autocast_for(batch.targets.device, self.compute_dtype):
            logits = call(self.module.discriminator, batch.X, labels).float()  # type: ignore[arg-type]
        return logits, weighted_sum(self.loss.of_rows(logits), batch.sample_weight)

    def figures(self, epoch: dict[str, Any]) -> dict[str, float]:
        """Return both losses of an epoch, and begin those of the next."""
        total, n = float(self.module.generator_loss), int(self.module.n_generator_steps)
        self.module.generator_loss.zero_()
        self.module.n_generator_steps.zero_()
        losses = {"discriminator_loss": epoch["train_loss"]}
        return losses | {"generator_loss": total / n} if n else losses


def adversarial_step(adversarial: AdversarialSettings) -> Any:
    """Return what makes the step of a network, a loss and settings."""
    return partial(AdversarialStep, adversarial=adversarial)


def make_samples(
    generator: nn.Module, noise: Tensor, labels: Tensor | None, compute_dtype: torch.dtype
) -> Tensor:
    """Return what a generator makes of noise (n, latent_size), in the type of the noise."""
    with autocast_for(noise.device, compute_dtype):
        return call(generator, noise, labels).to(noise.dtype)


def trainable(module: nn.Module) -> list[Tensor]:
    """Return the parameters of a module that are trained."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def weighted_sum(values: Tensor, weights: Tensor | None) -> Tensor:
    """Return the sum () of values (n,) with weights (n,)."""
    return values.sum() if weights is None else (values * weights).sum()
