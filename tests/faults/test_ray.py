"""Over the workers of a Ray cluster: one is killed, a signal stops it, a script has a session of its own."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.helpers.command import Ended, process
from tests.helpers.long_sweep import assert_as_alone, write_long

pytestmark = pytest.mark.soak  # each needs namespaces, since Ray listens on every interface

# In namespaces of its own: its network is loopback alone, and all of its processes end with the shell. Ray's workers
# know nothing of the backend that the command is run on.
CLUSTER = """\
set -eu
ip link set lo up
env -u KERAS_BACKEND "$0" -m ray.scripts.scripts start --head --num-cpus 2 --node-ip-address 127.0.0.1 \
    --include-dashboard false --disable-usage-stats --temp-dir "$1" > ray.log
"""


def over_ray(folder: Path, commands: str) -> Ended:
    """What a shell does beside a cluster of two cores; `$0` is this Python."""
    with TemporaryDirectory(prefix="ray-") as short:  # its sockets' paths may have 107 characters
        words = ["unshare", "-rnpf", "--mount-proc", "bash", "-c", CLUSTER + commands, sys.executable, short]
        return process(words, cwd=folder).ok()


KILLED = """\
(while sleep 0.1; do pgrep -c -f '^ray::call_on' >> at_once.log || true; done) &
(until [ -e sweeps/long ]; do sleep 0.2; done; sleep 2; until pkill -9 -o -f '^ray::call_on'; do sleep 0.2; done) &
"$0" -m keras_sweep run long.yaml --workers ray
"$0" -m keras_sweep replay long 0 --runner compiled --workers ray
"""


def test_a_worker_of_ray_that_is_killed_costs_a_segment_and_no_number(tmp_path: Path) -> None:
    write_long(tmp_path)
    ended = over_ray(tmp_path, KILLED)
    assert "again: " in ended.err
    assert "to the last digit" in ended.out
    at_once = [int(count) for count in (tmp_path / "at_once.log").read_text().split()]
    lasting = map(min, at_once, at_once[1:], at_once[2:])  # a process that is ending is still one for a moment
    assert max(lasting) == 2, "a worker that waited gave its core to another"
    assert_as_alone(tmp_path)


STOPPED = """\
"$0" -m keras_sweep run long.yaml --runner fit --workers ray --json > events.jsonl 2> err.txt &
until grep -q epoch_ended events.jsonl; do sleep 0.2; done
kill -TERM $!
wait $! || echo "code $?"
"$0" -m keras_sweep run long.yaml --runner fit --workers 2
"""


def test_sigterm_ends_workers_of_ray_after_their_epochs_and_keeps_those(tmp_path: Path) -> None:
    write_long(tmp_path)
    ended = over_ray(tmp_path, STOPPED)
    assert "code 130\n" in ended.out
    assert "interrupted; " in (tmp_path / "err.txt").read_text()
    assert_as_alone(tmp_path, "--runner", "fit")


SCRIPT = """\
import keras
import keras_sweep as ks
import ray

ray.init("auto", log_to_driver=False)
kept = ray.put([1, 2, 3])


def build(units):
    return keras.Sequential([keras.Input((64,)), keras.layers.Dense(units), keras.layers.Dense(10, "softmax")])


spec = ks.Spec(
    data="digits", model=build, loss="sparse_categorical_crossentropy", metrics=["accuracy"], maximize="val_accuracy",
    parameters={"model.units": [4, 8], "learning_rate": 0.01, "epochs": 2}, search=ks.Optuna("grid", trials=2),
)
print(len(ks.run(spec, name="program", workers="ray").trials), "trials;", ray.get(kept))
"""


def test_a_script_that_imports_keras_and_has_a_session_of_ray_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    assert over_ray(tmp_path, 'KERAS_BACKEND=jax "$0" script.py\n').out.endswith("2 trials; [1, 2, 3]\n")
