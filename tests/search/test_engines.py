"""A sampler is registered in one place: what stands there can be named, checked and made, and nothing else can."""

from pathlib import Path

import pytest

from keras_sweep.errors import SpaceFileError, UsageError
from keras_sweep.search.engines import ENGINES, make_engine
from keras_sweep.space.sweep_spec import EarlyTerminate
from keras_sweep.space_file.read import read_space_file
from keras_sweep.space_file.sections import space_file_schema
from keras_sweep.trial.result import Result, TrialState
from tests.helpers.command import called
from tests.helpers.engine_contract import SMALL, spec
from tests.helpers.factory import EPOCHS, OPTIMIZER, make_spec
from tests.helpers.space_texts import dense

MEMBERS = [(engine, sampler) for engine, names in ENGINES.items() for sampler in names]


@pytest.mark.parametrize(("engine", "sampler"), MEMBERS)
def test_every_registered_sampler_can_be_named_in_a_space_file(engine: str, sampler: str) -> None:
    text = dense(search=f"search: {{engine: {engine}, sampler: {sampler}}}")
    read = read_space_file(Path("space.yaml"), text=text)
    assert (read.search.engine, read.search.sampler) == (engine, sampler)
    assert sampler in space_file_schema()["$defs"]["SearchSettings"]["properties"]["sampler"]["enum"]


def test_the_help_of_run_names_every_sampler() -> None:
    _, help_text, _ = called(["run", "--help"])
    assert [sampler for _, sampler in MEMBERS if sampler not in help_text] == []


def test_a_name_that_is_not_registered_never_samples() -> None:
    with pytest.raises(UsageError, match=r"there is no engine 'hyperopt'. There are optuna, keras-tuner"):
        make_engine(spec(SMALL, "hyperopt", "tpe"))
    with pytest.raises(UsageError, match=r"there is no optuna sampler 'smac'. There are tpe, random"):
        make_engine(spec(SMALL, "optuna", "smac"))
    with pytest.raises(SpaceFileError, match=r"must be one of tpe, random, .* with optuna, but got 'smac'"):
        read_space_file(Path("space.yaml"), text=dense(search="search: {sampler: smac}"))


@pytest.mark.parametrize("sampler", ["random", "grid", "qmc"])
def test_a_sampler_that_does_not_learn_has_the_same_trials_ahead(sampler: str) -> None:
    """As generations of their own, one after the other: so that workers can be given many."""
    spec = make_spec((OPTIMIZER, EPOCHS), sampler=sampler)
    ahead, one_by_one = make_engine(spec), make_engine(spec)
    assert not ahead.learns
    asked = ahead.ask(10, each=2)
    for first in range(0, 10, 2):
        pair = one_by_one.ask(2)
        assert [one.params for one in pair] == [one.params for one in asked[first : first + 2]]
        one_by_one.tell([Result(one, TrialState.COMPLETE, 0.5) for one in pair])


def test_who_learns_or_stops_trials_is_asked_for_no_more_than_a_generation() -> None:
    pruned = EarlyTerminate("median")
    for asked in (make_spec(), make_spec(sampler="random", early_terminate=pruned)):
        assert make_engine(asked).learns
