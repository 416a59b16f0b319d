"""A trial trained again by plain `fit` has the numbers of its record, whichever way it was trained, or that is said."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.errors import Interrupted
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.replay import (
    CurveMatch,
    Gap,
    Match,
    Replay,
    _find_differences,
    gap,
    replay,
    tell_as_phases,
    train_again,
)
from keras_sweep.training.choose import RUNNERS
from keras_sweep.trial.events import EpochEnded, Noticed, PhaseBegan
from keras_sweep.trial.result import Result, Suggestion, TrialState
from keras_sweep.views.replay_view import replay_lines
from tests.helpers.ran import ran_as
from tests.helpers.whole_spaces import SPACES


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SweepFolder]:
    """Finished sweeps by the name of their space."""
    folder = tmp_path_factory.mktemp("replayed")
    found = {}
    for space in ("plain", "pruned", "bands", "fit"):
        ran_as(folder, space, SPACES[space], runner="fit" if space == "fit" else "compiled")
        found[space] = SweepFolder(folder / "sweeps" / space)
    return found


def forged(folder: SweepFolder, target: Path, **changes: object) -> SweepFolder:
    """The same record but for its first trial, whose checksum is right: as by somebody who knows how."""
    with StudyFile.open(folder) as study:
        first, facts = study.results()[0], study.facts
    own = {key: getattr(facts, key) for key in ("space", "engine", "fingerprint", "origin", "trials")}
    spec = read_space_file(Path(own["origin"]) / f"{folder.name}.yaml", text=own["space"], name=folder.name)
    other = SweepFolder(target / folder.name)
    with StudyFile.create(other, spec, own) as study:
        study.add(replace(first, **changes))
    return other


def test_lanes_have_the_numbers_of_fit(sweeps):
    for number in (0, 9):
        heard = []
        done = replay(OpenSweep(sweeps["plain"], heard.append), number)
        assert done.own is None and heard[0] == PhaseBegan("data")
        assert (done.sweep, done.objective.name, done.plain.differences) == ("plain", "val_accuracy", ())
        assert (done.matches, done.plain.runner, done.recorded.runner) == (True, "fit/jax", "compiled/jax")
        assert done.plain.match in (Match.EQUAL, Match.ROUNDING)
        assert len(done.plain.epochs) == done.recorded.epochs
        assert replay_lines(done)[-1] == "the numbers match the record"


@pytest.mark.soak
@pytest.mark.parametrize(("space", "runner"), [("pruned", "compiled"), ("fit", None)])
def test_workers_train_it_in_place_of_this_process(sweeps, space, runner):
    told = []
    done = replay(OpenSweep(sweeps[space], told.append), 2, runner=runner, workers=1)
    assert done.matches  # to rounding: the workers of tests compile as ever
    assert PhaseBegan(f"training {done.recorded.name} again, epoch {done.recorded.epochs} is done") in told


def test_a_pruned_trial_is_stopped_where_it_was_and_the_best_epoch_counts(sweeps):
    results = RecordedSweep.read(sweeps["pruned"]).results
    pruned = next(result for result in results if result.state is TrialState.PRUNED)
    early = next(result for result in results if result.epoch is not None and result.epoch < result.epochs)
    for result in (pruned, early):
        done = replay(OpenSweep(sweeps["pruned"]), result.number)
        assert done.matches
        assert (done.plain.again.state, done.plain.again.epoch) == (result.state, result.epoch)


def test_a_promoted_trial_is_trained_from_its_beginning(sweeps):
    promoted = [
        result for result in RecordedSweep.read(sweeps["bands"]).results if result.suggestion.continues is not None
    ]
    done = replay(OpenSweep(sweeps["bands"]), promoted[0].number)
    assert done.matches
    assert len(done.plain.epochs) == promoted[0].epochs


def test_the_runner_of_the_record_gives_every_digit_again(sweeps):
    assert replay(OpenSweep(sweeps["fit"]), 1).plain.match is Match.EQUAL
    done = replay(OpenSweep(sweeps["plain"]), None, runner="compiled")
    assert done.plain.match is Match.EQUAL
    best = ks.open("plain", sweeps_dir=sweeps["plain"].path.parent).best  # without a number it is the winner
    assert done.recorded.recipe == best.number


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: {"value": one.value + 1 / 288}, "the record contradicts itself: value"),
        (
            lambda one: {"curve": {**one.curve, "val_loss": (one.curve["val_loss"][0] + 1e-3,)}},
            "different from epoch 1",
        ),
    ],
    ids=["value", "loss"],
)
def test_one_digit_altered_is_found(sweeps, tmp_path, change, said):
    first = RecordedSweep.read(sweeps["fit"]).results[0]
    done = replay(OpenSweep(forged(sweeps["fit"], tmp_path, **change(first))), 0)
    assert not done.matches
    text = "\n".join(replay_lines(done))
    assert said in text
    assert text.endswith("the numbers do not match the record")


def test_a_lane_that_parts_from_fit_is_trained_again_among_its_mates(sweeps, tmp_path):
    """An altered digit parts from both."""
    first, heard = RecordedSweep.read(sweeps["plain"]).results[0], []
    losses = first.curve["val_loss"]
    altered = forged(sweeps["plain"], tmp_path, curve={**first.curve, "val_loss": (losses[0] * 1.01, *losses[1:])})
    done = replay(OpenSweep(altered, heard.append), 0)
    assert (done.own.runner, done.own.parted_at, done.plain.parted_at, done.matches) == ("compiled/jax", 1, 1, False)
    assert Noticed("the values by fit/jax differ from epoch 1 on, so compiled/jax trains the trial, too") in heard
    again, (_, *others) = done.own.again, RecordedSweep.read(sweeps["plain"]).results
    assert again.curve["val_loss"] == losses and again.value == first.value and others
    assert replay(OpenSweep(altered), 0, runner="compiled").own is None


def test_a_training_that_the_user_stops_is_said(sweeps):
    number = next(one.number for one in RecordedSweep.read(sweeps["plain"]).results if one.epochs > 1)
    with OpenSweep(sweeps["plain"]) as sweep:
        trial = sweep.read().trial(number)
        runner = RUNNERS.find("fit")(*sweep.load(trial))
        sweep.stop.signalled = True
        with pytest.raises(Interrupted, match=f"the new training of trial {number} was stopped"):
            train_again(sweep, trial, runner)


@pytest.mark.soak
def test_where_training_is_chaotic_the_lane_has_every_digit_and_fit_is_said_to_part(tmp_path):
    """A last digit has grown to whole rows after an epoch."""
    space = SPACES["plain"].replace("{units: 10,", "{units: 10, hidden: [32, 32], hidden_activation: tanh,")
    values = "\n  optimizer: rmsprop\n  learning_rate: 0.03\n  epochs: 3\n  batch_size: {values: [8, 16]}\n"
    search = "search: {engine: optuna, sampler: grid, trials: 1, seed: 42}\n"
    sweep = ran_as(tmp_path, "chaos", f"{space.partition('parameters:')[0]}parameters:{values}{search}")
    heard: list[object] = []
    done = replay(OpenSweep(SweepFolder(sweep.path), heard.append), 0)
    assert done.plain.match is Match.PARTED
    assert done.own.match is Match.EQUAL
    assert done.matches
    notices = [event.message for event in heard if isinstance(event, Noticed)]
    assert notices[0].startswith("the values by fit/jax differ from epoch")
    assert "the runner of the record gives every recorded digit" in replay_lines(done)[-1]


ROWS = 12_000


@pytest.mark.parametrize(
    ("metric", "ours", "theirs", "match"),
    [
        ("val_loss", 0.44444, 0.44444, Match.EQUAL),
        ("val_loss", 1.0, 1.0 + 0.9e-5, Match.ROUNDING),
        ("val_loss", 1.0, 1.0 + 1.2e-5, Match.PARTED),
        ("val_acc", 0.5, 0.5 + 1 / ROWS, Match.ROUNDING),
        ("val_accuracy_of_mine", 0.5, 0.5 + 1 / ROWS, Match.PARTED),
        ("accuracy", 0.5, 0.5 + 1.008 / ROWS, Match.ROUNDING),
        ("accuracy", 0.5, 0.5 + 1.03 / ROWS, Match.PARTED),
        ("val_accuracy", 10_150 / ROWS, 10_152 / ROWS, Match.PARTED),
        ("val_accuracy", 10_150 / ROWS, 10_150 / ROWS + 1e-5, Match.PARTED),  # 0.12 rows: no rounding does that
        ("val_accuracy", *(float(np.float32(right / ROWS)) for right in (10_151, 10_152)), Match.ROUNDING),
        ("val_top_k_categorical_accuracy", 0.9, 0.9 + 1 / ROWS, Match.ROUNDING),
        ("loss", math.nan, math.nan, Match.EQUAL),
        ("loss", math.inf, -math.inf, Match.PARTED),
        ("loss", 1.0, math.nan, Match.PARTED),
        ("val_loss", 0.0, 0.9e-7, Match.ROUNDING),
        ("val_loss", 0.0, 1.2e-7, Match.PARTED),
    ],
)
def test_two_numbers_are_equal_or_equal_to_rounding_or_parted(metric, ours, theirs, match):
    assert gap(metric, ours, theirs, ROWS).match is match


@pytest.mark.parametrize(("by", "match"), [(0.9, Match.ROUNDING), (2.02, Match.ROUNDING), (2.2, Match.PARTED)])
def test_of_rows_that_weigh_unlike_a_share_may_differ_by_the_heaviest(by, match):
    weights = np.array([1.0, 1.0, 2.0, 0.0])
    assert gap("accuracy", 0.25, 0.25 + by / 4, 4, weights).match is match


@pytest.mark.parametrize("rows", [100_000, 400_000])
def test_shares_of_many_rows_are_as_float32_rounds_them(rows):
    off = (1 + 0.9 * rows / 1e5 * 0.01) / rows
    assert gap("accuracy", 0.5, 0.5 + min(off, 1.009 / rows), rows).match is Match.ROUNDING


def test_a_gap_is_relative_to_the_second_number():
    assert gap("val_loss", 1.5, -2.0, ROWS) == Gap(Match.PARTED, 1.75)
    assert gap("val_loss", 1.0, 0.0, ROWS).relative == gap("val_loss", math.nan, 1.0, ROWS).relative == math.inf
    assert gap("val_loss", 2.0, 2.0, ROWS) == gap("val_loss", math.nan, math.nan, ROWS) == Gap(Match.EQUAL, 0.0)


EQUAL, ROUNDING, PARTED = (Gap(match, 0.0) for match in Match)


def matched(*differences, **gaps):
    again = Result(Suggestion(0, {}), TrialState.COMPLETE, 0.5)
    return CurveMatch(again, "fit/jax", gaps, differences)


@pytest.mark.parametrize(
    ("found", "epochs", "match", "parted_at"),
    [
        (matched(), (), Match.EQUAL, None),
        (
            matched(loss=(EQUAL, ROUNDING, EQUAL), mae=(ROUNDING, PARTED)),
            (Match.ROUNDING, Match.PARTED),
            Match.PARTED,
            2,
        ),
        (matched("the end: other", loss=(EQUAL,)), (Match.EQUAL,), Match.PARTED, None),
    ],
)
def test_a_trial_matches_as_its_worst_epoch_of_those_that_all_metrics_have(found, epochs, match, parted_at):
    assert (found.epochs, found.match, found.parted_at) == (epochs, match, parted_at)


@pytest.mark.parametrize(
    ("plain", "own", "matches"),
    [
        (ROUNDING, None, True),
        (PARTED, None, False),
        (PARTED, EQUAL, True),
        (PARTED, ROUNDING, False),
        (Gap(Match.PARTED, 0.1), EQUAL, True),
        (Gap(Match.PARTED, 0.11), EQUAL, False),  # rounding starts at rounding
    ],
)
def test_a_record_comes_out_to_rounding_or_to_the_bit_by_its_own_runner(plain, own, matches):
    found, by_own = matched(loss=(plain,)), None if own is None else matched(loss=(own,))
    assert Replay("digits", GOAL, found.again, found, by_own).matches is matches


def test_rounding_may_grow_after_the_first_epoch_alone():
    grown = matched(loss=(ROUNDING, Gap(Match.PARTED, 0.4)))
    at_once = matched(loss=(Gap(Match.PARTED, 0.39), Gap(Match.PARTED, 0.4)), mae=(EQUAL, EQUAL))
    own = matched(loss=(EQUAL, EQUAL))
    assert grown.starts_small and not at_once.starts_small and matched().starts_small
    found = [Replay("digits", GOAL, RECORDED, plain, own) for plain in (grown, at_once)]
    assert [replayed.matches for replayed in found] == [True, False]
    assert replay_lines(found[0])[-1].startswith("plain fit differs by rounding that grew")
    assert replay_lines(found[1])[-2:] == [
        "a gap in the first epoch is too large for rounding that grew",
        "the numbers do not match the record",
    ]


def test_a_bias_that_batch_normalization_cancels_is_named_with_the_remedy(tmp_path):
    """Its gradient is rounding alone, and Adam makes steps of it."""
    (tmp_path / "own.py").write_text(
        "from keras import Input, Sequential, layers\n\n\ndef build(bias=True):\n"
        "    first = layers.Dense(32, use_bias=bias, name='first')\n"
        "    last = layers.Dense(10, activation='softmax')\n"
        "    return Sequential([Input((64,)), first, layers.BatchNormalization(), layers.ReLU(), last])\n"
    )
    head = SPACES["plain"].partition("model:")[0]
    space = (
        f"{head}model: {{python: own:build}}\nloss: sparse_categorical_crossentropy\nmetrics: [accuracy]\n"
        "metric: {name: val_accuracy, goal: maximize}\nparameters:\n  optimizer: adam\n  learning_rate: 0.02\n"
        "  model.bias: {values: [true, false]}\n  epochs: 4\n"
        "search: {sampler: grid, trials: 2, seed: 42}\nfinalists: none\n"
    )
    sweep = ran_as(tmp_path, "biased", space)
    found = {trial.params["model.bias"]: trial.number for trial in sweep.trials}
    done = {bias: replay(OpenSweep(SweepFolder(sweep.path), trust=True), number) for bias, number in found.items()}
    assert done[True].plain.match is Match.PARTED and done[True].matches
    assert tuple(done[True].biases) == ("first",)
    assert "after `first` cancels the bias there" in " ".join(replay_lines(done[True]))
    assert done[False].plain.match is not Match.PARTED and not done[False].biases


GOAL = Objective("val_loss", Goal.MINIMIZE)
RECORDED = Result(
    Suggestion(0, {}),
    TrialState.COMPLETE,
    0.5,
    curve={"val_loss": (0.7, 0.5)},
    epoch=2,
    stderr=0.1,
    measured={"parameters": 650.0, "predict_seconds": 1.0},
)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, []),
        ({"stderr": 0.100009, "measured": {"parameters": 650.0, "predict_seconds": 2.0}}, []),
        ({"stderr": 0.1002}, ["the standard error: the record has 0.1, but the new training has 0.1002"]),
        ({"stderr": 0.2, "value": 0.6}, []),  # which the curve tells
        ({"epoch": 1}, ["the scored epoch: the record has 2, but the new training has 1"]),
        (
            {"measured": {"parameters": 640.0}},
            ["the number of parameters: the record has 650.0, but the new training has 640.0"],
        ),
        (
            {"curve": {"loss": (0.7,)}},
            [
                "the number of epochs: the record has 2, but the new training has 1",
                "the metrics: the record has val_loss, but the new training has loss",
            ],
        ),
        (
            {"state": TrialState.FAIL, "reason": "diverged"},
            ["the end: the record has COMPLETE, but the new training has FAIL (diverged)"],
        ),
    ],
)
def test_what_differs_beside_the_curves_is_said(changes, says):
    assert _find_differences(RECORDED, replace(RECORDED, **changes), GOAL) == says


def test_a_record_that_contradicts_itself_is_said_first():
    wrong = replace(RECORDED, value=0.4)
    (said,) = _find_differences(wrong, wrong, GOAL)
    assert said == "the record contradicts itself: value 0.4, but 0.5 at epoch 2"
    failed = Result(Suggestion(0, {}), TrialState.FAIL, None)
    assert _find_differences(failed, failed, GOAL) == []


def test_what_goes_on_is_told_as_phases_alone():
    heard = []
    tell = tell_as_phases(heard.append, "training trial 3 again")
    for event in (PhaseBegan("data", 1, 2), EpochEnded(3, 2, {}), Noticed("more")):
        tell(event)
    assert heard == [PhaseBegan("data", 1, 2), PhaseBegan("training trial 3 again, epoch 2 is done")]
