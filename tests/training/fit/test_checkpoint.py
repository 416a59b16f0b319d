import json
import random
import subprocess
import sys

import numpy as np

from keras_sweep.training.fit.fit_log import generator_states, set_generator_states


def drawn():
    return random.random(), np.random.standard_normal(), np.random.permutation(5).tolist()


def test_generators_go_on_from_a_state_that_was_written_as_json():
    random.seed(1)
    np.random.seed(1)
    np.random.standard_normal()  # of which NumPy keeps a second one back
    states = json.loads(json.dumps(generator_states()))
    expected = drawn()
    drawn()
    set_generator_states(states)
    assert drawn() == expected


TORCH = """
import json
import torch
from keras_sweep.training.fit.fit_log import generator_states, set_generator_states
torch.manual_seed(1)
states = json.loads(json.dumps(generator_states()))
expected = torch.rand(3).tolist()
set_generator_states(states)
assert torch.rand(3).tolist() == expected
"""


def test_pytorchs_generator_too():
    subprocess.run([sys.executable, "-c", TORCH], check=True, timeout=120)
