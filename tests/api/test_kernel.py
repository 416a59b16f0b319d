"""In the kernel of a notebook: what is imported already, interrupts in every phase, and outputs that are cleared."""

import re
from pathlib import Path

import pytest

import keras_sweep as ks
from keras_sweep.errors import UsageError
from tests.helpers.kernel import Cell, open_kernel

pytestmark = pytest.mark.filterwarnings("ignore")  # of the machinery that runs kernels
PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "cloud.md").read_text()
SPEC = """
import keras_sweep as ks

spec = ks.Spec(
    data="digits", model={"dense": {"hidden": [4]}}, loss="sparse_categorical_crossentropy", metrics=["accuracy"],
    maximize="val_accuracy", finalists={"top": 2, "seeds": 1}, search=ks.Optuna("tpe", trials=4, seed=42),
    parameters={"optimizer": ["sgd"], "learning_rate": ks.Float(1e-3, 1.0, log=True), "epochs": 3},
)
"""
RUN = f"{SPEC}\nks.run(spec, name='it').best.params"
# Prints each event, and when one of its name comes again. A frontend interrupts the kernel on what is printed.
HEARD = f"""{SPEC}
import time
def listen(event):
    print(type(event).__name__, getattr(event, "phase", ""), flush=True)
    time.sleep(0.3)
ks.run(spec, name="it", listener=listen).best.params
"""
# As a cell with a listener that clears what the cell shows.
CLEARING = """
import pathlib
from IPython.display import clear_output
from keras_sweep.views.notebook import NotebookBoard
with NotebookBoard() as board:
    def listen(event):
        board(event)
        if type(event).__name__ in ("TrialEnded", "TestEvaluated"):
            clear_output()
    ks.run(spec, name="cleared", listener=listen)
"""
# Interrupts itself inside NumPy's import, once.
INSIDE = """
import os, signal, sys
class Inside:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy._core._multiarray_umath" or name == MODULE:
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Inside())
"""


def is_short(cell: Cell, error: str) -> bool:
    """Whether a cell ends with one error, in whose traceback is the cell and one place of ours."""
    (text,) = cell.errors
    places = re.findall(r"^File (\S+?):\d+", text, re.MULTILINE)
    return error in text and len(places) == 1 and "/keras_sweep/" in places[0] and "During handling" not in text


def test_an_interrupted_import_can_be_imported_again_and_the_cell_resumes(tmp_path: Path) -> None:
    with open_kernel(tmp_path, KERAS_BACKEND="jax") as run:
        run(INSIDE.replace("MODULE", "None")).ok()
        assert is_short(run(RUN), "KeyboardInterrupt")
        run(INSIDE.replace("MODULE", "'keras_sweep.sweep.loop'")).ok()
        assert is_short(run(RUN), "KeyboardInterrupt")
        stopped = run(HEARD, "GenerationAsked")
        assert is_short(stopped, "Interrupted: interrupted; ") and "The same call resumes" in stopped.errors[0]
        # Where updates of an output are not shown, the last output has the whole result.
        first = run(RUN).ok().displays[-1]
        assert "it: 4 of 4 trials" in first and "done" in first
        assert "the sweep is complete" in run(RUN).ok().displays[-1]
        asked = run("ks.run(spec, name='other', backend='torch')")
        assert is_short(asked, "To use torch, restart the kernel, and run `%env KERAS_BACKEND=torch` in its first cell")
        assert is_short(run("ks.run('nothing.yaml')"), "nothing.yaml")
        kinds = [kind for kind, _ in run(CLEARING).ok().messages]
        assert kinds.count("clear_output") > 4 and kinds[::-1].index("display_data") < kinds[::-1].index("clear_output")
        assert run("sorted(path.name for path in pathlib.Path('sweeps').iterdir())").text == "['cleared', 'it']"


@pytest.mark.soak
@pytest.mark.parametrize(
    ("phase", "error"),
    [
        *[(f"PhaseBegan {phase}", "Interrupted: interrupted. ") for phase in ("import", "data", "record")],
        *[(event, "Interrupted: interrupted; ") for event in ("PhaseBegan compile", "EpochEnded", "TrialEnded")],
        *[(event, "Interrupted: interrupted; ") for event in ("FinalistsChosen", "FinalistEpochEnded")],
        ("EpochEnded EpochEnded", "KeyboardInterrupt"),  # a second time
        *[(event, "") for event in ("PhaseBegan test", "TestEvaluated", "PhaseBegan export")],
    ],
)
def test_a_kernel_that_is_interrupted_in_any_phase_lives_and_resumes(phase: str, error: str, tmp_path: Path) -> None:
    with open_kernel(tmp_path, KERAS_BACKEND="jax") as run:
        stopped = run(HEARD, *([phase] if "Phase" in phase else phase.split()))
        assert is_short(stopped, error) if error else stopped.ok()
        assert "'learning_rate'" in run(RUN).ok().text


@pytest.mark.soak
def test_after_an_import_of_tensorflow_it_trains_by_fit_and_one_line_says_how_to_get_lanes(tmp_path: Path):
    note = "the backend is tensorflow, not jax (restart the kernel, and run `%env KERAS_BACKEND=jax` in its first cell)"
    with open_kernel(tmp_path) as run:
        assert "'tensorflow'" in run("import tensorflow\nimport keras; keras.backend.backend()").ok().text
        board = run(RUN).ok().displays[-1]
        assert board.count(note) == 1 and "4 of 4 trials" in board
        asked = run("ks.run(spec, name='other', backend='jax')")
        assert is_short(asked, "UsageError: `backend` is 'jax', but this process has imported Keras with 'tensorflow'")
    assert note in PAGE and asked.errors[0].splitlines()[-1] in PAGE


@pytest.mark.parametrize("name", ["numpy", "keras", "jax", "optuna"])
def test_a_package_that_pip_replaced_after_its_import_is_an_error_before_anything_is_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    __import__(name)
    replaced = tmp_path / f"{name}-99.1.dist-info"  # as pip leaves it
    replaced.mkdir()
    (replaced / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 99.1\n")
    monkeypatch.syspath_prepend(tmp_path)
    said = rf"{name} \S+ is imported, but 99.1 is installed now. Start a new process"
    with pytest.raises(UsageError, match=said):
        ks.run("nothing.yaml")
    monkeypatch.delitem(vars(ks), "check", raising=False)
    with pytest.raises(UsageError, match=said):
        _ = ks.check


def test_in_a_kernel_such_an_error_says_to_restart_it(tmp_path: Path) -> None:
    (tmp_path / "numpy-99.1.dist-info").mkdir()
    (tmp_path / "numpy-99.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 99.1\n")
    with open_kernel(tmp_path) as run:
        old = run("import sys, numpy; sys.path.insert(0, '.')\nprint(numpy.__version__)").ok().text.strip()
        told = run(SPEC)
    assert is_short(told, f"UsageError: numpy {old} is imported, but 99.1 is installed now. Restart the kernel")
    assert "is installed now. Restart the kernel" in PAGE
