"""Run the `sweep` command as `python -m keras_sweep`."""

from keras_sweep.cli.start import main

main()
