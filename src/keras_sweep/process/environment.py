"""A tiny program on the backend, before any model is built: what it fails of is no trial's fault."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from textwrap import shorten

from keras_sweep.errors import SweepError

READ = re.compile(
    r"JAX_|XLA_|TF_XLA_|CUDA_VISIBLE_DEVICES$"
)  # variables by which a backend may be told what it can't do
MOST = 200  # characters of a reason: JAX may tell all that it has
# What reads XLA_FLAGS, in a process of its own: XLA ends the process at a flag that it does not know.
READ_FLAGS = {
    "jax": "import jax; jax.devices()",
    "tensorflow": "import tensorflow as tf; tf.function(abs, jit_compile=True)(tf.constant(1.0))",
}


def check_environment() -> None:
    """Compile and run a tiny program where Keras runs. Raises SweepError with what stopped it."""
    import keras

    backend = keras.backend.backend()
    if os.environ.get("XLA_FLAGS") and backend in READ_FLAGS:
        _check_flags(backend)
    try:
        _run_tiny_program(backend)
    except Exception as error:
        said = shorten(f"{type(error).__name__}: {error}".removesuffix(": "), MOST, placeholder=" ...")
        raise _unfit(backend, said) from error


def _run_tiny_program(backend: str) -> None:
    import keras

    if backend == "jax":
        import jax

        jax.eval_shape(lambda: keras.random.uniform((1,), seed=1))  # whether JAX takes the keys that Keras makes
        jax.jit(lambda x: x + 1).lower(0.0).compile()(0.0)
    else:
        keras.ops.convert_to_numpy(keras.random.uniform((1,), seed=1) + 1)


def _check_flags(backend: str) -> None:
    done = subprocess.run([sys.executable, "-c", READ_FLAGS[backend]], capture_output=True, text=True, check=False)
    said = re.search(r"^F\d{4} .*?\] (.*)", done.stderr, re.MULTILINE)  # how XLA begins what it ends a process with
    if done.returncode and said is not None:
        raise _unfit(backend, said[1])


def _unfit(backend: str, reason: str) -> SweepError:
    given = [f"{name}={value}" for name, value in sorted(os.environ.items()) if READ.match(name)]
    hint = f"The cause may be {', '.join(given)}: unset it" if given else "Mend the installation of its packages"
    return SweepError(
        f"{backend} can't run a tiny program here, so nothing was trained or recorded: {reason}", hint=hint
    )
