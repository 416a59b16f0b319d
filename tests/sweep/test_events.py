"""What events say in words, whether it is of several or of a single trial or epoch."""

from pathlib import Path

from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.events import SweepStarted, short_path
from keras_sweep.sweep.loop import enough_text, exhausted_text
from tests.helpers.factory import make_spec
from tests.helpers.results import result

SPEC = make_spec()


def test_the_end_of_a_search_is_told_in_words() -> None:
    assert exhausted_text(12) == "every one of the 12 different trials of the space has been tried"
    assert exhausted_text(2) == "every one of the 2 different trials of the space has been tried"
    assert exhausted_text(1) == "the one trial of the space has been tried"
    assert enough_text(0.925) == "is as good as `search.stop` asks for, 0.925; a better value there goes on"


def test_a_path_is_told_as_a_user_would_type_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert short_path(tmp_path / "sweeps" / "a") == "sweeps/a"
    assert short_path(Path("/a")) == "/a"
    started = SweepStarted.from_spec(SPEC, SweepFolder(tmp_path / "sweeps" / "a"), "fit/jax", 9, [result(0)])
    assert (started.name, started.folder, started.runner, started.total) == ("digits", "sweeps/a", "fit/jax", 9)
    assert (started.engine, started.space_size) == ("optuna/tpe", SPEC.space.size)
    assert started.parameters == ("optimizer", "learning_rate", "epochs") and len(started.finished) == 1
    assert started.objective == SPEC.objective
