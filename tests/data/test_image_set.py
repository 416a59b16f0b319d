"""The IDX format, and pictures as rows of numbers."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from keras_sweep.data.image_sets import decode_idx, scaled_pixels


def encode(array: np.ndarray) -> bytes:
    """An array as a gzipped IDX file."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.tobytes(), 1)


@given(arrays(np.uint8, array_shapes(max_dims=4, max_side=6)))
@settings(max_examples=50, deadline=None)
def test_gives_back_what_was_encoded(array: np.ndarray) -> None:
    assert (decode_idx(encode(array), "it") == array).all()


@given(st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_other_bytes_are_refused(raw: bytes) -> None:
    for packed in (raw, gzip.compress(b"\1" + raw)):
        with pytest.raises(ValueError, match="it "):
            decode_idx(packed, "it")


def test_cut_files_are_refused() -> None:
    whole = encode(np.arange(200, dtype=np.uint8).reshape(2, 100))
    with pytest.raises(ValueError, match="not a whole gzip file"):
        decode_idx(whole[:-9], "it")
    with pytest.raises(ValueError, match="it has 199 bytes where its header says 200"):
        decode_idx(gzip.compress(gzip.decompress(whole)[:-1]), "it")


IMAGES = np.arange(3 * 8 * 32, dtype=np.uint8).reshape(3, 8, 32)  # each of the 256 bytes


def test_every_pixel_is_scaled_as_by_division_in_float64():
    expected = (IMAGES / 255.0).astype("float32").reshape(3, -1)
    np.testing.assert_array_equal(scaled_pixels(IMAGES), expected)
    np.testing.assert_array_equal(scaled_pixels(IMAGES, np.array([2, 0])), expected[[2, 0]])


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_jax_reads_them_where_they_are(rows):
    import jax

    pixels = scaled_pixels(IMAGES[:rows])
    device = jax.device_put(pixels, jax.devices("cpu")[0])
    assert device.unsafe_buffer_pointer() == pixels.ctypes.data
