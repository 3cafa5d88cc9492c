"""Token by token through a fitted network: probabilities of sequences, and samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sknn.nn import own_defaults

# Modules here are networks of series that map tokens to the logits of the next, by an encoder that
# reads forwards.

# Steps that are read at once; the states are carried on.
STEPS_AT_ONCE = 4096


def _device_of(module: nn.Module) -> torch.device:
    return next(module.parameters()).device


@own_defaults()
@torch.inference_mode()
def token_log_likelihood(module: Any, sequences: list[np.ndarray], *, mark: int) -> float:
    """Return the log-likelihood of sequences of tokens, each of which follows a `mark`."""
    device, total = _device_of(module), 0.0
    for tokens in sequences:
        read = torch.from_numpy(np.append(mark, tokens[:-1]).astype(np.int64)).to(device)
        following = torch.from_numpy(tokens.astype(np.int64)).to(device)
        states = None
        for part, targets in zip(
            read.split(STEPS_AT_ONCE), following.split(STEPS_AT_ONCE), strict=True
        ):
            logits, states = _next_logits(module, part[None], states)
            log_p = torch.log_softmax(logits[0].double(), 1)
            total += float(log_p.gather(1, targets[:, None]).sum())
    return total


@own_defaults()
@torch.inference_mode()
def sample_tokens(
    module: Any,
    prompt: np.ndarray,
    n_samples: int,
    *,
    max_length: int,  # of what is drawn
    temperature: float,  # by which logits are divided; 0 takes the likeliest token
    end: int,  # the token that ends a sequence, and is not part of it
    seed: int,
) -> list[np.ndarray]:
    """Return sequences of tokens that follow a prompt (n,), whose first token marks a beginning."""
    device = _device_of(module)
    generator = torch.Generator().manual_seed(seed)
    read = torch.from_numpy(prompt.astype(np.int64)).to(device).expand(n_samples, -1)
    lengths = np.full(n_samples, max_length)
    drawn: list[np.ndarray] = []
    states = None
    for step in range(max_length):
        logits, states = _next_logits(module, read, states)
        tokens = _draw(logits[:, -1], temperature, generator)
        lengths[(tokens.numpy() == end) & (lengths == max_length)] = step
        if (lengths <= step).all():
            break
        drawn.append(tokens.numpy())
        read = tokens[:, None].to(device)
    written = np.array(drawn, np.int64).reshape(len(drawn), n_samples).T
    return [row[:length] for row, length in zip(written, lengths, strict=True)]


def _draw(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """Draw a token for each row, on the CPU, so that a seed gives the same ones everywhere."""
    if temperature == 0:
        return logits.argmax(1).cpu()
    logits = logits.double().cpu()
    logits = logits - logits.amax(1, keepdim=True)  # so that no temperature makes infinity of them
    probabilities = torch.softmax(logits / temperature, 1)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]


def _next_logits(module: Any, tokens: Tensor, states: Any) -> tuple[Tensor, Any]:
    """Return logits of shape (batch, steps, n_tokens), and where the encoder has come to."""
    encoded, states = module.encoder.go_on(module.input(tokens), states)
    return module.head(encoded), states
