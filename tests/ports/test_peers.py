"""Programs of peers, each with few changed lines: the searches become sweeps, with all that a sweep keeps."""

import difflib
from pathlib import Path

import keras_sweep as ks
from tests.helpers.command import script

PROGRAMS = Path(__file__).parent / "programs"


def port(name: str, folder: Path) -> str:
    """Run the program in its new form, and return what it prints. Few of its lines may differ from the old form.

    A program of KerasTuner changes only its import. The others have their new form in `ported/`.
    """
    old = (PROGRAMS / f"{name}.py").read_text(encoding="utf-8")
    if name.startswith("keras_tuner"):
        new, most = old.replace("import keras_tuner\n", "from keras_sweep import keras_tuner\n"), 2
    else:
        new, most = (PROGRAMS / "ported" / f"{name}.py").read_text(encoding="utf-8"), 10
    lines = list(difflib.ndiff(old.splitlines(), new.splitlines()))
    assert 1 <= max(sum(line.startswith(mark) for line in lines) for mark in ("- ", "+ ")) <= most
    (folder / "program.py").write_text(new, encoding="utf-8")
    return script("program.py", cwd=folder).ok().out


def test_first_steps_of_keras_tuner(tmp_path: Path) -> None:
    out = port("keras_tuner_first_steps", tmp_path)
    assert "tuned: True 3\n" in out and "least: True\n" in out and "forest: True\n" in out
    sweep = ks.open("first", sweeps_dir=tmp_path / "tuned")
    assert len(sweep.trials) == 3 and sweep.best.runner == "compiled/jax"
    assert len(ks.open("parabola", sweeps_dir=tmp_path / "tuned").trials) == 12


def test_training_loops_of_keras_tuner(tmp_path: Path) -> None:
    out = port("keras_tuner_own_training", tmp_path)
    assert "own loop: ['batch_size', 'rate', 'units']\n" in out and "folds: 3 True\n" in out


def test_failed_trials_of_keras_tuner(tmp_path: Path) -> None:
    out = port("keras_tuner_failed_trials", tmp_path)
    assert "states: ['COMPLETED', 'FAILED'] 6\n" in out
    assert "ended: Number of consecutive failures exceeded" in out
    trials = ks.open("large", sweeps_dir=tmp_path / "failed").trials
    assert all("Model too large" in str(trial.reason) for trial in trials if trial.state == "FAIL")


def test_a_tailored_space_of_keras_tuner(tmp_path: Path) -> None:
    out = port("keras_tuner_tailor_the_space", tmp_path)
    assert "rate alone: 1 8 True\n" in out
    assert "all but the rate: {0.001}\n" in out and "compiled: SGD\n" in out


def test_a_distributed_search_of_keras_tuner(tmp_path: Path) -> None:
    out = port("keras_tuner_distributed", tmp_path)
    assert "trials: 4\n" in out and len(ks.open("distributed", sweeps_dir=tmp_path / "results").trials) == 4


def test_a_function_of_ray_tune_whose_reports_are_judged(tmp_path: Path) -> None:
    out = port("ray_tune_keras", tmp_path)
    assert "Best hyperparameters found were: {" in out
    sweep = ks.open("ray", sweeps_dir=tmp_path / "sweeps")
    assert len(sweep.trials) == 6 and "PRUNED" in {trial.state for trial in sweep.trials}
