"""What a tracker holds of a sweep, read back by the tracker's own reader; and a tracker that is killed at its work."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from keras_sweep.api import log
from keras_sweep.api.trackers.run import Run


@dataclass(frozen=True)
class Tracked:
    """A run as it was read."""

    params: Mapping[str, object]
    metrics: Mapping[str, Sequence[tuple[int, float]]]  # curves, and scores with one step
    files: frozenset[str]


def in_tensorboard(sweep: str) -> dict[str, Tracked]:
    """Every run of a sweep by its name, as TensorBoard reads `runs`."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    found = {}
    for folder in Path("runs", sweep).iterdir():
        events = EventAccumulator(str(folder)).Reload()
        start = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        values = HParamsPluginData.FromString(start).session_start_info.hparams
        found[folder.name] = Tracked(
            {name: getattr(value, value.WhichOneof("kind")) for name, value in values.items()},
            {name: [(one.step, one.value) for one in events.Scalars(name)] for name in events.Tags()["scalars"]},
            frozenset(path.name for path in folder.iterdir() if path.suffix in (".keras", ".html", ".json")),
        )
    return found


READERS: Mapping[str, Callable[[str], dict[str, Tracked]]] = {"tensorboard": in_tensorboard}


class Deadly(dict[str, Any]):
    """Curves of which the last kills the process that would read it."""

    def items(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]
        yield from list(super().items())[:-1]
        os.kill(os.getpid(), signal.SIGKILL)


def die_in(run: str, to: str) -> None:
    """From now on this process is killed while it logs the run of that name."""
    kind: Any = log.TRACKERS[to]

    class Dying(kind):
        def log(self, one: Run, files: Sequence[Path]) -> None:
            if one.name == run:
                one = replace(one, curves={prefix: Deadly(curve) for prefix, curve in one.curves.items()})
            super().log(one, files)

    log.TRACKERS = {to: Dying}
