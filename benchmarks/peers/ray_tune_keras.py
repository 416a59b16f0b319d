"""Ray Tune: as many trials at once as there are cores, each on one core. No dashboard.

Ray listens on every network interface, whatever address it is given, so this runs only where there is none but loopback.
"""

import os
import secrets
import socket
import sys

from task import TRIALS, arguments, print_trial, train

options = arguments()
if [interface for _, interface in socket.if_nameindex()] != ["lo"]:
    sys.exit("Ray listens on every network interface: run it in a network namespace of its own")
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_AUTH_MODE"] = "token"  # nobody else on this machine may use it
os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)

import tempfile  # noqa: E402

import ray  # noqa: E402
from ray import tune  # noqa: E402

CORES = len(os.sched_getaffinity(0))
SECONDS = ("compile", "train", "validate")


def trial(params: dict, data: tuple) -> None:
    """Train one trial in a worker process."""
    value, seconds = train(options.task, data, params["point"], options.seed, options.steps_per_execution)
    tune.report({"val_accuracy": value, **{f"{name}_seconds": seconds[name] for name in SECONDS}})


class Printed(tune.Callback):
    """Prints each trial when it is finished. `seconds` is its share of the wall time: CORES trials run at once."""

    def __init__(self) -> None:
        self._number = 0

    def on_trial_result(self, iteration, trials, trial, result, **info):
        if "val_accuracy" not in result:
            return
        seconds = {name: result[f"{name}_seconds"] for name in SECONDS}
        shares = {name: value and value / CORES for name, value in seconds.items()}
        print_trial(self._number, trial.config["point"], result["val_accuracy"], shares)
        self._number += 1


class Domains:
    """The values to sample from, by KerasTuner's method names."""

    Choice = staticmethod(lambda name, values: tune.choice(values))
    Int = staticmethod(lambda name, low, high: tune.randint(low, high + 1))
    Float = staticmethod(
        lambda name, low, high, sampling="linear": (tune.loguniform if sampling == "log" else tune.uniform)(low, high)
    )


if options.points:
    space, samples = tune.grid_search(options.points), 1
else:
    space, samples = options.task.params(Domains), TRIALS

with tempfile.TemporaryDirectory() as folder:
    ray.init(num_cpus=CORES, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(trial, data=options.task.rows(options.data)), {"cpu": 1}),
        param_space={"point": space},
        tune_config=tune.TuneConfig(num_samples=samples, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=folder, verbose=0, callbacks=[Printed()]),
    )
    tuner.fit()
    ray.shutdown()
