from pathlib import Path

import pytest

from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.study_file import StudyFile
from tests.helpers.calls import calls_of
from tests.helpers.records import new_study, same
from tests.helpers.results import dense_sweep


@pytest.mark.soak
@pytest.mark.parametrize("count", [8_000, 20_000])
def test_thousands_of_trials_are_no_burden_and_come_back(tmp_path: Path, count: int) -> None:
    results = dense_sweep(count)
    with new_study(tmp_path) as study:
        for first in range(0, len(results), 200):
            study.add(*results[first : first + 200])
    folder = study.folder
    assert same(RecordedSweep.read(folder).results, results)
    with StudyFile.open(folder) as again:
        assert again.next_number == count
    assert calls_of(lambda: StudyFile.open(folder).close()) < count // 4  # calls: nothing is done trial by trial
    assert calls_of(lambda: RecordedSweep.read(folder).results) < 300 * count
    assert folder.study.stat().st_size < count * 4096
