"""With `search.pace` a generation begins beside those before it, and results stay a function of results alone."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import UsageError
from keras_sweep.space.distributions import Int
from keras_sweep.space.search_space import Goal, Objective, Parameter
from keras_sweep.space.sweep_spec import EarlyTerminate, SearchSettings, Stop, SweepSpec
from keras_sweep.sweep.loop import search
from keras_sweep.training.choose import choose_runner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.workers.pool import Pool
from keras_sweep.training.workers.processes import ProcessPool
from keras_sweep.trial.result import Result
from tests.helpers.factory import LEARNING_RATE, OPTIMIZER, make_spec
from tests.helpers.in_memory_record import Asked, InMemory, open_to_run, plain

pytestmark = pytest.mark.full_effort  # as workers compile

TRIALS = 20
READ = Objective("val_accuracy", Goal.MAXIMIZE, take_best=True, epochs_from=1)
KINDS = {
    "rungs": (EarlyTerminate("successive_halving", 1, 2), "tpe", READ),
    "brackets": (EarlyTerminate("hyperband", 1, 2), "random", READ),
    "first halved": (EarlyTerminate("halving", 1, 2, first=6), "tpe", READ),
    "no rungs": (None, "tpe", Objective("val_accuracy", Goal.MAXIMIZE)),
}


@cache
def data() -> SearchData:
    return load_search_data(make_spec())


def paced(kind: str, pace: int = 1) -> SweepSpec:
    """Trials that end after 1 to 9 epochs."""
    rule, sampler, objective = KINDS[kind]
    settings = SearchSettings("optuna", sampler, TRIALS, 42, generation=4, pace=pace)
    return make_spec(
        (OPTIMIZER, LEARNING_RATE, Parameter("epochs", Int(1, 9))),
        early_terminate=rule,
        objective=objective,
        search=settings,
    )


class Kept(InMemory):
    """A record that also counts how far the trials that wait are ahead."""

    ahead = 0

    def wait(self, result: Result) -> Any:
        self.ahead = max(self.ahead, result.suggestion.generation - self.generation)
        return super().wait(result)

    @property
    def generation(self) -> int:
        """The generation of the next trial to record."""
        return len(self.kept) // 4


def run(spec: SweepSpec, record: InMemory, trials: int = TRIALS, looks: int | None = None, **options: Any) -> None:
    runner = CompiledRunner(spec, data(), **options)
    runner.generation = 4
    stop = None if looks is None else Asked(record, looks=looks)
    search(open_to_run(spec, runner, stop=stop, data=data()), record, trials)


@cache
def whole(kind: str) -> list[Any]:
    """The results of a search that nothing stopped, on a single core."""
    record = Kept()
    run(paced(kind), record, threads=1)
    assert record.ahead > 0
    return plain(record.results())


@pytest.fixture(scope="module")
def processes() -> Iterator[Callable[[str], Pool]]:
    with closing(ProcessPool("2")) as two, closing(ProcessPool("1")) as one:
        yield {"1": one, "2": two}.__getitem__


@pytest.mark.parametrize("kind", KINDS)
def test_neither_cores_nor_a_stop_at_any_place_change_a_trial(kind: str, tmp_path: Path) -> None:
    several = Kept()
    run(paced(kind), several, threads=3)
    assert plain(several.results()) == whole(kind)
    pieces = Kept()
    for place, looks in enumerate((9, 17, 5, 30)):
        kept = tmp_path if place % 2 else tmp_path / "lost"  # a checkpoint that is there, or not
        run(paced(kind), pieces, TRIALS - 6 if place < 3 else TRIALS, looks, threads=2, checkpoints=kept)
    run(paced(kind), pieces, threads=2, checkpoints=tmp_path)
    assert plain(pieces.results()) == whole(kind)


@pytest.mark.parametrize("number", ["1", "2"])
def test_workers_train_the_same_trials(processes: Callable[[str], Pool], number: str) -> None:
    record = Kept()
    run(paced("rungs"), record, workers=processes(number))
    assert plain(record.results()) == whole("rungs")


def test_a_generation_knows_the_trials_that_have_ended_a_pace_before_it() -> None:
    assert whole("rungs") != plain(_waiting().results())


def _waiting() -> InMemory:
    record = InMemory()
    run(paced("rungs", pace=0), record)
    return record


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"search": SearchSettings(sampler="gp", pace=1)}, "`sampler: gp` waits for all results"),
        ({"search": SearchSettings(pace=1, stop=Stop(0.9))}, "`search.stop` looks at whole generations"),
        ({"early_terminate": EarlyTerminate("median", 1, 2)}, "`type: median` compares with trials that have ended"),
    ],
)
def test_what_needs_whole_generations_is_named(change: dict[str, Any], words: str) -> None:
    spec = replace(paced("rungs"), **change)
    with pytest.raises(UsageError, match=words):
        choose_runner(spec, data(), None)
    with pytest.raises(UsageError, match="trials train by fit/jax"):
        choose_runner(paced("rungs"), data(), "fit")
