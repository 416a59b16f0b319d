import numpy as np
import pytest

from keras_sweep.data.image_set import scaled_pixels

IMAGES = np.arange(3 * 5 * 7, dtype=np.uint8).reshape(3, 5, 7)


def test_pixels_are_scaled_as_numpy_scales_them():
    expected = (IMAGES / 255.0).astype("float32").reshape(3, -1)
    np.testing.assert_array_equal(scaled_pixels(IMAGES), expected)
    np.testing.assert_array_equal(scaled_pixels(IMAGES, np.array([2, 0])), expected[[2, 0]])


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_jax_reads_them_where_they_are(rows):
    import jax

    pixels = scaled_pixels(IMAGES[:rows])
    device = jax.device_put(pixels, jax.devices("cpu")[0])
    assert device.unsafe_buffer_pointer() == pixels.ctypes.data
