"""A sampler is registered in one place: what stands there can be named, checked and made, and nothing else can."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from keras_sweep.errors import SpaceFileError, UsageError
from keras_sweep.search.engines import ENGINES, HAVE_RUNGS, make_engine
from keras_sweep.search.optuna import samplers
from keras_sweep.space_file.read import read_space_text
from keras_sweep.space_file.sections import space_file_schema
from tests.helpers.engine_contract import SMALL, spec
from tests.helpers.space_texts import dense

MEMBERS = [(engine, sampler) for engine, names in ENGINES.items() for sampler in names]


@pytest.mark.parametrize(("engine", "sampler"), MEMBERS)
def test_every_registered_sampler_can_be_named_in_a_space_file(engine: str, sampler: str) -> None:
    text = dense(search=f"search: {{engine: {engine}, sampler: {sampler}}}")
    read = read_space_text(text, path=Path("space.yaml"))
    assert (read.search.engine, read.search.sampler) == (engine, sampler)
    assert sampler in space_file_schema()["$defs"]["SearchSection"]["properties"]["sampler"]["enum"]


def test_the_help_of_run_names_every_sampler() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "keras_sweep", "run", "--help"], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    assert [sampler for _, sampler in MEMBERS if sampler not in help_text] == []


def test_a_name_that_is_not_registered_never_samples() -> None:
    with pytest.raises(UsageError, match=r"there is no engine 'hyperopt'. Engines are `optuna`, `keras-tuner`"):
        make_engine(spec(SMALL, "hyperopt", "tpe"))
    with pytest.raises(UsageError, match=r"engine 'optuna' has no sampler 'cmaes'. Its samplers are `tpe`, `random`"):
        make_engine(spec(SMALL, "optuna", "cmaes"))
    with pytest.raises(SpaceFileError, match="must be one of tpe, random, grid, qmc with optuna, but got 'cmaes'"):
        read_space_text(dense(search="search: {sampler: cmaes}"), path=Path("space.yaml"))


def test_each_name_makes_a_sampler_of_its_own() -> None:
    made = {type(make(spec(SMALL, "optuna", name))) for name, make in samplers.SAMPLERS.items()}
    assert len(made) == len(samplers.SAMPLERS)


def test_samplers_with_rungs_of_their_own_are_registered() -> None:
    assert set(HAVE_RUNGS) <= {sampler for names in ENGINES.values() for sampler in names}


def test_the_names_are_there_without_any_library() -> None:
    code = (
        "import sys; import keras_sweep.search.engines; "
        "heavy = {'keras', 'keras_tuner', 'optuna', 'numpy', 'scipy', 'sklearn'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
