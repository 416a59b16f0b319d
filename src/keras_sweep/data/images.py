"""Pictures as rows of numbers."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

BOUNDARY = 64  # bytes


def scaled_pixels(
    images: npt.NDArray[np.uint8], rows: npt.NDArray[np.intp] | slice = slice(None)
) -> npt.NDArray[np.float32]:
    """The chosen pictures as rows of pixels in [0, 1]: [N, H, W] bytes -> [n, H * W] float32.

    Exactly `(images / 255.0).astype("float32").reshape(n, -1)`: for each of the 256 bytes, dividing in float32 and in
    float64 round to the same number. One pass and no float64 copy.
    """
    chosen = images[rows]
    flat = chosen.reshape(len(chosen), -1)
    return np.divide(flat, np.float32(255), out=_on_boundary(flat.shape))


def _on_boundary(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """An array that lies as JAX on the CPU wants its own to lie, so that it reads the rows where they are."""
    size = math.prod(shape) * np.dtype(np.float32).itemsize
    room = np.empty(size + BOUNDARY, np.uint8)
    start = -room.ctypes.data % BOUNDARY
    return room[start : start + size].view(np.float32).reshape(shape)
