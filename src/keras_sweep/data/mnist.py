"""MNIST (LeCun et al. 1998) as Keras keeps it: one file in which each array is a member of its own."""

from __future__ import annotations

from functools import partial

from keras_sweep.data.fetch import KERAS_ADDRESS
from keras_sweep.data.image_set import ArrayFile, ImageSet

# The digest is that of keras/src/datasets/mnist.py.
_array = partial(ArrayFile, "mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1")

MNIST = ImageSet(
    name="mnist",
    title="MNIST",
    folder="mnist",
    images=_array("x_train"),
    labels=_array("y_train"),
    test_images=_array("x_test"),
    test_labels=_array("y_test"),
    class_names=tuple(str(digit) for digit in range(10)),
    shape=(28, 28),
    test_rows=10_000,
    publisher="Keras",
    address=KERAS_ADDRESS,
)
