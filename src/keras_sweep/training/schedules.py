"""A learning rate from step to step, after a warmup: one formula for Keras, for lanes and for scripts."""

from typing import Any


def keras_schedule(start: float, kind: str, steps: int, warmup: float) -> Any:
    """A `keras.optimizers.schedules.LearningRateSchedule` over so many steps, of which `warmup` is a share.

    There the rate rises from 0, that of the first step, to `start`; then it stays, or falls to 0 (cosine, linear) or to
    a hundredth (exponential), as by Keras's `CosineDecay`, `PolynomialDecay` and `ExponentialDecay`.
    """
    import keras

    first = min(round(warmup * steps), steps - 1)

    class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any, ops: Any = keras.ops) -> Any:
            done = ops.clip(ops.divide(step - first, steps - first), 0.0, 1.0)
            rest = {
                "constant": 1 + 0 * done,
                "cosine": (1 + ops.cos(3.141592653589793 * done)) / 2,
                "exponential": 0.01**done,
                "linear": 1 - done,
            }
            return start * ops.where(step < first, ops.divide(step, max(first, 1)), rest[kind])

    return Schedule()
