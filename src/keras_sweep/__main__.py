"""`python -m keras_sweep` is the `sweep` command."""

from keras_sweep.cli.start import main

main()
