"""The trials of a short search of digits, for tests of what comes before and after one."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.resume import open_study
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.trial.events import Noticed
from keras_sweep.trial.result import Result
from tests.helpers.factory import LEARNING_RATE, OPTIMIZER, make_spec
from tests.helpers.in_memory_record import searched

SPEC = make_spec((OPTIMIZER, LEARNING_RATE), constants={"epochs": 2, "batch_size": 200}, text="data: digits\n")
DATA = load_search_data(SPEC)


@pytest.fixture(scope="session")
def results() -> list[Result]:
    trials: list[Result] = searched(SPEC, CompiledRunner(SPEC, DATA), 4).results()
    return trials


@pytest.fixture
def study(tmp_path: Path) -> Iterator[StudyFile]:
    """The record of a sweep of which nothing is recorded yet."""
    with open_study(SweepFolder(tmp_path / "digits"), SPEC, DATA.fingerprint) as study:
        yield study


def notices(events: Iterable[object]) -> list[str]:
    return [event.message for event in events if isinstance(event, Noticed)]
