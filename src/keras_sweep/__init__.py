"""Hyperparameter sweeps for Keras: many trials as lanes of one compiled program, a crash-proof record, honest winners."""

__version__ = "0.1.0"
