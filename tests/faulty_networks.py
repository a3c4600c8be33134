"""A correct self-normalizing network and the ways to get it wrong, each measured as `selulint verify` measures."""

from __future__ import annotations

from typing import Any

import torch

from selulint.verify.measure import Recorder, parameter_names
from selulint.verify.readings import Reading

# Gain fan_in * Var(w) (None: PyTorch's default), activation, and what is done to standard normal inputs.
KINDS: dict[str, tuple[float | None, str, str]] = {
    "correct": (1.0, "selu", ""),
    "torch default": (None, "selu", ""),
    "He": (2.0, "selu", ""),
    "gain 3/4": (0.75**2, "selu", ""),
    "ReLU": (1.0, "relu", ""),
    "tanh": (1.0, "tanh", ""),
    "GELU": (1.0, "gelu", ""),
    "ELU": (1.0, "elu", ""),
    "inputs in [0, 1]": (1.0, "selu", "unit"),
}
FAULTS = tuple(name for name in KINDS if name != "correct")
BATCH = 256


def readings(kind: str, width: int, depth: int, seed: int) -> list[Reading]:
    """One draw of a network and its inputs, from seeds of their own."""
    gain, function, inputs = KINDS[kind]
    torch.manual_seed(seed)
    layers = torch.nn.ModuleList(torch.nn.Linear(64 if index == 0 else width, width) for index in range(depth + 1))
    if gain is not None:
        for layer in layers:
            torch.nn.init.normal_(layer.weight, 0.0, (gain / layer.in_features) ** 0.5)
            torch.nn.init.zeros_(layer.bias)
    generator = torch.Generator().manual_seed(1_000_003 + seed)
    x: Any = torch.rand(BATCH, 64, generator=generator) if inputs else torch.randn(BATCH, 64, generator=generator)
    apply = getattr(torch.nn.functional, function)
    with torch.no_grad(), Recorder(parameter_names(layers)) as recorder:
        for layer in layers[:-1]:
            x = apply(layer(x))
        layers[-1](x)
    return recorder.readings()
