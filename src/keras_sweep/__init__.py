"""Hyperparameter sweeps for Keras: many trials as lanes of one compiled program, an honest record."""

__version__ = "0.1.0"
