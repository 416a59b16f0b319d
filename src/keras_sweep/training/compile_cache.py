"""JAX's compilation cache on disk, so that a second sweep of the same model starts at once."""

from __future__ import annotations

import os
from pathlib import Path

from keras_sweep.files.atomic import user_cache

ENVIRONMENT = "JAX_COMPILATION_CACHE_DIR"  # JAX's own; where it is set, nothing is changed


def enable_on_jax() -> None:
    """Keep compiled programs where Keras runs on JAX: other backends need not import it."""
    import keras

    if keras.backend.backend() == "jax":
        enable_compile_cache()


def enable_compile_cache() -> Path | None:
    """Keep compiled programs in a folder of the user's cache, which only the user may write to; returns it.

    A cached program is machine code: it is loaded only from a folder that is the user's own and closed to others.
    Returns None, and keeps nothing, where the folder can't be made so or the user has set JAX's own variable.
    """
    import jax

    if os.environ.get(ENVIRONMENT) or jax.config.jax_compilation_cache_dir:
        return None
    try:
        folder = user_cache("compiled")
    except OSError:
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder
