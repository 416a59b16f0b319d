"""The compiled runner: trials are lanes of a few programs, with the numbers that `fit` gives one by one."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import keras

from keras_sweep.data.search_data import SearchData
from keras_sweep.process.backend import cores
from keras_sweep.space.sweep_spec import GENERATION, SweepSpec
from keras_sweep.training.group import Tell
from keras_sweep.training.group_runner import GroupRunner, Train
from keras_sweep.training.lane import EndStates
from keras_sweep.training.lanes.generation import LaneGeneration
from keras_sweep.training.lanes.packing import Device, device_here
from keras_sweep.training.lanes.programs import Programs
from keras_sweep.training.runner import Watch
from keras_sweep.trial.events import Listener
from keras_sweep.trial.result import Suggestion


class CompiledRunner(GroupRunner):
    """Trains a generation as lanes of compiled programs, on one thread a core."""

    name = "compiled/jax"
    generation = GENERATION
    device: Device
    _generation = LaneGeneration

    def __init__(
        self,
        spec: SweepSpec,
        data: SearchData,
        *,
        keep_states: bool = False,  # where every trial ended, so that a later one may continue it
        threads: int | None = None,  # programs that run at once; by default one a core, or one: no number depends on it
        device: Device | None = None,  # on which last digits depend; by default that of this process, or of its workers
        notice: Callable[[str], None] = lambda _: None,
        **how: Any,  # as in `GroupRunner`
    ) -> None:
        super().__init__(spec, data, notice=notice, **how)
        if self._shared is not None:
            device, *others = self._shared.look(device_here)
            if any(one != device for one in others):
                notice(f"workers have different devices, which moves last digits: they train as {device.text}")
        self.device = device or device_here()
        self._threads = threads or (len(cores()) if self.device.is_cpu else 1)
        self._programs = Programs(spec, data, self.device)
        self._kept = EndStates(how.get("checkpoints")) if keep_states else None
        if self._checkpoint is not None:
            self._checkpoint.lane_limit = self.device.lanes

    @property
    def at_once(self) -> int:
        return self._begun  # programs, each of which one core trains

    def programs(self, trials: Sequence[Suggestion], wanted: frozenset[int], emit: Listener) -> list[tuple[int, int]]:
        generation = LaneGeneration(self._spec, self._programs, self._kept, Watch(emit=emit))
        with self._wall.part("build"):
            generation.fill(trials, wanted)
        return generation.programs

    def _train_here(self, stack: ExitStack, stopping: Callable[[], bool], tell: Tell) -> tuple[Train, int]:
        """By the threads of a pool, an epoch at a time."""
        del stopping, tell
        policy = keras.config.dtype_policy()  # of this thread: each has its own
        pool = ThreadPoolExecutor(self._threads, "lanes", keras.config.set_dtype_policy, (policy,))
        stack.enter_context(pool)
        return lambda group: pool.submit(group.train, group.epoch + 1), self._threads
