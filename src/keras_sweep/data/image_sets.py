"""The sets of pictures that a space file can name.

`python -m keras_sweep.data.image_sets` finds or fetches Fashion-MNIST and says in one line where it is.
"""

from __future__ import annotations

import sys
from functools import partial

from keras_sweep.data.image_set import ArrayFile, ImageSet
from keras_sweep.errors import DataError

CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

# Xiao et al. 2017, arXiv 1708.07747: four files as Zalando published them.
FASHION_MNIST = ImageSet(
    name="fashion_mnist",
    title="Fashion-MNIST",
    folder="fashion-mnist",
    images=ArrayFile("train-images-idx3-ubyte.gz", "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012"),
    labels=ArrayFile("train-labels-idx1-ubyte.gz", "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7"),
    test_images=ArrayFile(
        "t10k-images-idx3-ubyte.gz", "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a"
    ),
    test_labels=ArrayFile(
        "t10k-labels-idx1-ubyte.gz", "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"
    ),
    class_names=CLASSES,
    shape=(28, 28),
    test_rows=10_000,
    publisher="Zalando",
    debian_package="dataset-fashion-mnist",
)

# LeCun et al. 1998, as Keras keeps it: one file, whose digest stands in keras/src/datasets/mnist.py.
_MNIST_ARRAY = partial(ArrayFile, "mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1")

MNIST = ImageSet(
    name="mnist",
    title="MNIST",
    folder="mnist",
    images=_MNIST_ARRAY("x_train"),
    labels=_MNIST_ARRAY("y_train"),
    test_images=_MNIST_ARRAY("x_test"),
    test_labels=_MNIST_ARRAY("y_test"),
    class_names=tuple(str(digit) for digit in range(10)),
    shape=(28, 28),
    test_rows=10_000,
    publisher="Keras",
)

IMAGE_SETS = {each.name: each for each in (FASHION_MNIST, MNIST)}


def main() -> int:
    """Say where Fashion-MNIST is, fetching it if need be."""
    folder = FASHION_MNIST.find()
    if folder is None:
        print("Fashion-MNIST is not here yet: fetching it ...", file=sys.stderr)  # noqa: T201
        try:
            folder = FASHION_MNIST.locate()
        except DataError as error:
            print(error, file=sys.stderr)  # noqa: T201
            return error.exit_code
    print(f"Fashion-MNIST: {folder}")  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
