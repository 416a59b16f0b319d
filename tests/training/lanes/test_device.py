"""How many lanes a program has follows from the device's description alone; here it is a stated one."""

import pytest

from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.training.lanes.packing import CPU, Device, device_here
from keras_sweep.training.lanes.programs import Programs
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.lanes.signature import signature_of
from keras_sweep.trial.plan import training_plan
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import assert_as_fit, signatures, suggestions

GPU = Device("gpu", "NVIDIA H100 80GB HBM3", 32 << 30, 64)
TRIALS = suggestions(*({"optimizer": "adam", "learning_rate": 0.001 * (1 + place), "epochs": 2} for place in range(5)))


def limit(data, device, units: int) -> int:
    spec = make_spec(model=ModelSpec("dense", "dense", {"units": units, "activation": "softmax"}))
    signature = signature_of(training_plan(spec, TRIALS[0].params))
    return Programs(spec, data, device).limit(signature)


def test_on_a_cpu_small_models_are_four_lanes_and_larger_ones_alone(data):
    assert [limit(data, CPU, units) for units in (10, 1000)] == [4, 1]


@pytest.mark.parametrize(("gigabytes", "lanes"), [(32, 64), (1, 64), (1 / 64, 9)])
def test_on_an_accelerator_a_program_has_as_many_as_its_memory_takes(data, gigabytes, lanes):
    device = Device("gpu", "a GPU", int(gigabytes * 2**30), 64)
    assert abs(limit(data, device, 1000) - lanes) <= 1


def test_there_one_thread_trains_all_trials_of_a_generation_in_one_program(data):
    runner = CompiledRunner(make_spec(), data, device=GPU)
    assert_as_fit(make_spec(), data, TRIALS, runner=runner)
    assert runner.at_once == 1 and runner.compiled == 1 and len(signatures(runner)) == 1
    assert runner._threads == 1


def test_it_is_described_for_the_record():
    assert GPU.text == "NVIDIA H100 80GB HBM3: up to 64 lanes a program, in 32 GiB"
    assert device_here() == CPU
