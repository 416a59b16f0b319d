"""KerasTuner, whose tuners keep sweeps. A program that uses KerasTuner changes its import, and nothing else:

    from keras_sweep import keras_tuner

Every other name is KerasTuner's own.
"""

from keras_sweep.api.tuner import BayesianOptimization as BayesianOptimization
from keras_sweep.api.tuner import GridSearch as GridSearch
from keras_sweep.api.tuner import Hyperband as Hyperband
from keras_sweep.api.tuner import RandomSearch as RandomSearch
from keras_sweep.api.tuner import Tuner as Tuner


def __getattr__(name: str) -> object:
    import keras_tuner  # late: it imports Keras, and `api.tuner` chooses the backend first

    return getattr(keras_tuner, name)
