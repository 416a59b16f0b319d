"""Rows of the spaces beside this module."""

import numpy as np


def table(rows=400, columns=20, seed=0):
    """x [N, 20] and y [N] of 0 and 1, which depends on some of them."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(rows, columns)).astype("float32")
    score = np.tanh(x[:, :5].sum(1)) + x @ generator.normal(size=columns) / 3 + generator.normal(0, 0.5, rows)
    return x, (score > 0).astype("int64")


def series(rows=123, steps=29, seed=0):
    """x [N, 29, 3] of two waves and noise, y [N] where the first wave goes next."""
    noise = np.random.default_rng(seed).normal(scale=0.1, size=rows + steps)
    time = np.linspace(0, 40, rows + steps)
    values = np.stack([np.sin(time), np.cos(1.7 * time), noise], axis=-1).astype("float32")
    return np.stack([values[start : start + steps] for start in range(rows)]), values[steps:, 0]


def friedman(rows=2000, columns=10, noise=0.1, seed=0):
    """x [N, 10] and y [N], which five of them decide, to a mean of 0 and a variance of 1: Friedman 1991, "MARS"."""
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(rows, columns, noise=noise, random_state=seed)
    return x.astype("float32") - 0.5, ((y - y.mean()) / y.std()).astype("float32")


def pictures(rows=10_000, seed=0):
    """x [N, 28, 28] of noise, brighter for a higher class, and y [N], the class of ten."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 10, rows)
    return (generator.normal(size=(rows, 28, 28)) + y[:, None, None] / 5).astype("float32"), y


def small_fashion(train=2000, held_out=3000):
    """x [N, 7, 7, 1]: pictures of Fashion-MNIST, each pixel the mean of 16, and y [N]."""
    from keras_sweep.data.image_sets import FASHION_MNIST

    images, labels = FASHION_MNIST.search_arrays()
    rows = np.random.default_rng(0).permutation(len(images))[: train + held_out]
    x = images[rows].reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4))[..., None].astype("float32") / 255
    y = labels[rows].astype("int64")
    return {"x_train": x[:train], "y_train": y[:train], "x_validation": x[train:], "y_validation": y[train:]}


def fashion_pictures(rows=12_000):
    """x [N, 784] and y [N], the first rows of Fashion-MNIST, pixels from 0 to 1."""
    import gzip

    from keras_sweep.data.image_sets import FASHION_MNIST

    folder, values = FASHION_MNIST.locate(), []
    for name, offset in (("train-images-idx3-ubyte.gz", 16), ("train-labels-idx1-ubyte.gz", 8)):
        with gzip.open(folder / name) as file:
            values.append(np.frombuffer(file.read(), np.uint8, offset=offset).reshape(60_000, -1)[:rows])
    x, y = values
    return (x / 255.0).astype("float32"), y.ravel().astype("int64")
