import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_sweep.record import reader
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.trial.ranking import comparable, imported, order_key, winner
from keras_sweep.trial.result import TrialState
from tests.helpers.calls import calls_of
from tests.helpers.factory import make_spec
from tests.helpers.records import SPEC, new_folder, new_study, same
from tests.helpers.results import dense_sweep, result

VALUES = st.sampled_from([0.5, 0.7, -1.0, math.inf, -math.inf, None])
LOSSES = st.sampled_from([0.1, 0.2, math.nan])


@pytest.mark.parametrize("take", ["last", "best"])
@pytest.mark.parametrize("goal", Goal)
@settings(max_examples=15, deadline=None)
@given(some=st.lists(st.tuples(st.sampled_from(TrialState), VALUES, LOSSES, st.booleans())))
def test_sqlite_ranks_as_the_leaderboard_does(
    tmp_path_factory: pytest.TempPathFactory,
    goal: Goal,
    take: str,
    some: list[tuple[TrialState, float | None, float, bool]],
) -> None:
    results = []
    for state, value, loss, theirs in some:
        if state is TrialState.COMPLETE and value is None:
            value = 0.1
        if state is TrialState.FAIL:
            value = None
        engine = "import/optuna" if theirs else "optuna/tpe"
        curve = {"val_accuracy": (0.5, 0.5), "val_loss": (1.0, loss)}
        results.append(result(len(results), value, state=state, curve=curve, epochs=2, engine=engine))
    objective = Objective("val_accuracy", goal, take == "best")
    folder = SweepFolder(tmp_path_factory.mktemp("sweeps") / "x")
    with StudyFile.create(folder, make_spec(objective=objective), {"spec": {"epochs.take": take}}) as study:
        study.add_many(results)
    best = winner(results, objective)
    if best is None and all(map(imported, results)):
        ranked = sorted(results, key=lambda each: order_key(each, objective))
        best = next((each for each in ranked if comparable(each, objective)), None)
    assert same(reader.read_summary(folder).best, best)


def test_a_sweep_at_a_glance(tmp_path: Path) -> None:
    results = dense_sweep(64)
    summary = reader.read_summary(new_folder(tmp_path, 64))
    assert summary.name == "dense"
    assert summary.trials == {state: sum(one.state is state for one in results) for state in TrialState}
    assert summary.best.number == min(results, key=lambda one: order_key(one, SPEC.objective)).number
    assert summary.facts.fingerprint == "abc"


def test_a_sweep_without_a_complete_trial_has_no_best(tmp_path: Path) -> None:
    failed = [result(0, None, state=TrialState.FAIL), result(1, 0.4, state=TrialState.PRUNED)]
    for results in ([], failed):
        with new_study(tmp_path / str(len(results)), results) as study:
            assert reader.read_summary(study.folder).best is None


def test_twenty_thousand_trials_are_no_burden_and_come_back(tmp_path: Path) -> None:
    results = dense_sweep(20_000)
    with new_study(tmp_path) as study:
        for first in range(0, len(results), 200):
            study.add_many(results[first : first + 200])
    folder = study.folder
    assert same(reader.read_results(folder), results)
    assert same(reader.read_summary(folder).best, winner(results, SPEC.objective))
    with StudyFile.open(folder) as again:
        assert again.next_number == 20_000
    assert calls_of(lambda: StudyFile.open(folder).close()) < 20_000 // 4  # calls: nothing is done trial by trial
    assert calls_of(lambda: reader.read_summary(folder)) < 15 * 20_000  # no text of most trials is read
    assert calls_of(lambda: reader.read_results(folder)) < 300 * 20_000
    assert folder.study.stat().st_size < 20_000 * 4096
