"""The training loop for images that one would write by hand with torch."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor, nn

from ._image_problems import Layers

PREDICT_AT_ONCE = 1000


def build_network(layers: Layers, image_shape: tuple[int, int, int]) -> nn.Sequential:
    """Return the network for images of some height, width and channels."""
    height, width, channels = image_shape
    modules: list[nn.Module] = []
    n_features = 0
    for kind, *arguments in layers:
        if kind == "conv":
            filters, kernel = arguments
            modules += [nn.Conv2d(channels, filters, kernel), nn.ReLU()]
            height, width, channels = height - kernel + 1, width - kernel + 1, filters
        elif kind == "pool":
            modules.append(nn.MaxPool2d(arguments[0]))
            height, width = height // arguments[0], width // arguments[0]
        elif kind == "dropout":
            modules.append(nn.Dropout(arguments[0]))
        elif kind == "flatten":
            modules.append(nn.Flatten())
            n_features = height * width * channels
        else:
            modules.append(nn.Linear(n_features, arguments[0]))
            n_features = arguments[0]
            if kind == "dense":
                modules.append(nn.ReLU())
    return nn.Sequential(*modules)


def count_parameters(network: nn.Module) -> int:
    """Return how many numbers a network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


class ImageLoop:
    """A plain loop: autograd, fused Adam, bytes divided by 255 batch by batch, index_select.

    Images are of shape (n, height, width, channels). With `channels_last` they are batches of
    that memory format, which is the faster one; without it they are copied to torch's default
    format (channels first) once, before training.
    """

    def __init__(
        self,
        network: nn.Module,
        X: np.ndarray,
        y: np.ndarray,
        *,
        batch_size: int,
        alpha: float,
        learning_rate: float,
        precision: str,
        channels_last: bool,
    ) -> None:
        self.precision = precision
        self.channels_last = channels_last
        self.batch_size = batch_size
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self.format)
        self.criterion = nn.CrossEntropyLoss()
        weights = [p for p in network.parameters() if p.ndim >= 2]
        biases = [p for p in network.parameters() if p.ndim == 1]
        self.optimizer = torch.optim.Adam(
            [{"params": weights, "weight_decay": alpha / batch_size}, {"params": biases}],
            lr=learning_rate,
            fused=True,
        )
        self.pixels = self._arrange(X)
        self.targets = torch.from_numpy(y)

    def _arrange(self, X: np.ndarray) -> Tensor:
        pixels = torch.from_numpy(X)
        return pixels if self.channels_last else pixels.permute(0, 3, 1, 2).contiguous()

    def _images(self, pixels: Tensor) -> Tensor:
        if self.channels_last:
            pixels = pixels.permute(0, 3, 1, 2)
        return pixels.to(torch.float32, memory_format=self.format).div_(255)

    def _outputs(self, images: Tensor) -> Tensor:
        if self.precision != "bfloat16":
            return self.network(images)
        with torch.autocast("cpu", torch.bfloat16):
            return self.network(images).float()

    def epoch(self) -> float:
        """Train on every image once; return the seconds that it took."""
        start = time.perf_counter()
        self.network.train()
        loss_sum = torch.zeros(())
        for rows in torch.randperm(len(self.targets)).split(self.batch_size):
            self.optimizer.zero_grad(set_to_none=True)
            outputs = self._outputs(self._images(self.pixels.index_select(0, rows)))
            loss = self.criterion(outputs, self.targets.index_select(0, rows))
            loss.backward()
            self.optimizer.step()
            loss_sum += loss.detach() * len(rows)
        self.loss = loss_sum.item() / len(self.targets)
        return time.perf_counter() - start

    @torch.inference_mode()
    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        """Return the accuracy."""
        self.network.eval()
        outputs = [
            self._outputs(self._images(pixels))
            for pixels in self._arrange(X).split(PREDICT_AT_ONCE)
        ]
        return (torch.cat(outputs).argmax(1).numpy() == y).mean().item()
