"""Whatever a space asks for, its winner is replayed, exported, verified, reported and scored by the same numbers."""

from collections.abc import Iterator
from pathlib import Path

import keras
import pytest

import keras_sweep as ks
from keras_sweep.record.reader import read_facts
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.ran import quiet
from tests.helpers.whole_spaces import write_whole

pytestmark = pytest.mark.filterwarnings("ignore:plain `load_model` refuses|`trust=True`. imports:UserWarning")


IN_LONG = (
    *("folds_in_lanes", "goals", "own_compile", "own_fit", "several", "watched"),
    *("prices", "pictures", "series", "dataset", "varied", "told", "timed", "generated", "spread"),
    *("seeds", "seeds_by_fit", "patient"),
)


@pytest.fixture(
    scope="module", params=["tuner", "own_loss", *(pytest.param(one, marks=pytest.mark.soak) for one in IN_LONG)]
)
def sweep(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ks.Sweep]:
    folder: Path = tmp_path_factory.mktemp("each")
    write_whole(folder, request.param)
    yield ks.run(folder / f"{request.param}.yaml", sweeps_dir=folder / "sweeps", listener=quiet)
    keras.distribution.set_distribution(None)  # the model of `spread` sets it for the process


def test_plain_fit_has_the_numbers_of_its_record(sweep: ks.Sweep) -> None:
    assert sweep.replay().matches


def test_its_file_is_what_its_card_says(sweep: ks.Sweep, tmp_path: Path) -> None:
    path = sweep.export(tmp_path / "best.keras")
    verified = ks.verify(path, sweeps_dir=sweep.path.parent, trust=True, test=True)
    assert verified.matches and len(verified.checks) >= 3


def test_its_page_names_the_winner(sweep: ks.Sweep, tmp_path: Path) -> None:
    page = sweep.report(tmp_path / "page").read_text()
    assert f"trial {sweep.best.number}" in page.casefold()
    assert {f">{trial.number}<" in page for trial in sweep.leaderboard()} == {True}


def test_a_look_at_the_test_rows_repeats_its_scores(sweep: ks.Sweep) -> None:
    recorded, looks = read_facts(SweepFolder(sweep.path)).test, sweep.test_looks
    assert recorded is not None and sweep.evaluate().scores == recorded.scores
    assert sweep.test_looks == looks + 1


def test_opened_again_it_is_the_same(sweep: ks.Sweep) -> None:
    again = ks.open(sweep.path.name, sweeps_dir=sweep.path.parent)
    assert [(row.number, row.value) for row in again.leaderboard()] == [
        (row.number, row.value) for row in sweep.leaderboard()
    ]
    assert again.best.seeds == sweep.best.seeds
