"""Digits without the border of their pictures."""

from sklearn.datasets import load_digits


def rows(border, first=0):
    """x and y of the digits from one on; so many pixels are cut off at each side."""
    x, y = load_digits(return_X_y=True)
    kept = slice(border, 8 - border)
    pictures = (x / 16).astype("float32").reshape(-1, 8, 8)[first : first + 300, kept, kept]
    return pictures.reshape(len(pictures), -1), y[first : first + 300]
