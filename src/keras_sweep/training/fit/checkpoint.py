"""Where `fit` stands in a trial: its model's variables, and the process's generators of random numbers."""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy as np

from keras_sweep.training.averaged_weights import array_of
from keras_sweep.training.checkpoint import TrainingState

BACKENDS = ("jax", "torch")  # TensorFlow's shuffle can't be set to where it stood, so its trials begin anew


def state_of(model: Any) -> TrainingState:
    """The variables of a compiled model."""
    return TrainingState(*(tuple(map(array_of, variables)) for variables in _variables(model)))


def set_state(model: Any, state: TrainingState) -> None:
    """Put a model that `fit` has built where `state_of` found it."""
    for variables, arrays in zip(_variables(model), state[:3], strict=True):
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def _variables(model: Any) -> tuple[Any, Any, Any]:
    return model.trainable_variables, model.non_trainable_variables, model.optimizer.variables


def generator_states() -> dict[str, Any]:
    """Where Python's, NumPy's and (if it is imported) PyTorch's global generators stand."""
    numpy: Any = np.random.get_state(legacy=True)
    states: dict[str, Any] = {"python": random.getstate(), "numpy": [numpy[0], numpy[1].tolist(), *numpy[2:]]}
    if "torch" in sys.modules:
        states["torch"] = sys.modules["torch"].get_rng_state().numpy().tobytes().hex()
    return states


def set_generator_states(states: dict[str, Any]) -> None:
    """Put the generators where `generator_states` found them."""
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    if "torch" in states:
        import torch

        torch.set_rng_state(torch.frombuffer(bytearray.fromhex(states["torch"]), dtype=torch.uint8))
