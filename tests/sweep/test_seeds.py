"""A sweep whose trials are trained once a seed: the mean ranks, and the first seed's model is the winner's."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_sweep as ks
from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import ChangedSweep, SpaceFileError
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.saved import load_scores_of, scores_file
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space_file.read import read_space_file
from keras_sweep.training.folds import join_fold_rows, join_scores
from keras_sweep.trial.result import Result
from tests.helpers.ran import finished, quiet
from tests.helpers.space_texts import small
from tests.helpers.whole_spaces import PLAIN

SEEDS = (42, 43, 44)
SPACE = small(
    parameters="{optimizer: adam, learning_rate: {values: [0.001, 0.01, 0.03]}, batch_size: 383, epochs: 3}",
    search="{trials: 3, seed: 42, sampler: grid, seeds: 3}",
    finalists="none",
)


@pytest.fixture(scope="module", params=["compiled", "fit"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("seeds")
    finished(folder, SPACE, runner=request.param)
    return folder


@pytest.fixture
def sweep(folder: Path) -> ks.Sweep:
    return ks.open("plain", sweeps_dir=folder / "sweeps")


def train_alone(data: SearchData, trial: Any, seed: int) -> tuple[Any, list[float]]:
    """The model that plain Keras trains with a seed, and its curve on the validation rows."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation="softmax")])
    optimizer = keras.optimizers.Adam(trial.params["learning_rate"])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    fit = {"batch_size": 383, "epochs": 3, "verbose": 0, "validation_data": data.validation.validation_data}
    return model, model.fit(data.train.x, data.train.y, **fit).history["val_accuracy"]


def test_the_curve_is_the_mean_over_the_seeds_and_the_file_has_the_first_seeds_model(
    folder: Path, sweep: ks.Sweep, tmp_path: Path
) -> None:
    data = load_search_data(read_space_file(folder / "plain.yaml"))
    models, curves = zip(*(train_alone(data, sweep.best, seed) for seed in SEEDS), strict=True)
    assert sweep.best.curve["val_accuracy"] == pytest.approx(np.mean(curves, axis=0), abs=1e-7)
    right = [model.predict(data.validation.x, verbose=0).argmax(1) == data.validation.y for model in models]
    assert sweep.best.value == pytest.approx(np.mean(right), abs=1e-12)
    exported = keras.models.load_model(sweep.export(tmp_path / "best.keras"))
    np.testing.assert_allclose(exported.get_weights()[0], models[0].get_weights()[0], atol=1e-5)
    card = json.loads((tmp_path / "best.card.json").read_text())
    assert card["first_seed"]["accuracy"] == pytest.approx(np.mean(right[0]))
    assert card["validation"]["value"] == sweep.best.value


def test_scores_of_rows_are_means_and_so_is_the_error(folder: Path, sweep: ks.Sweep) -> None:
    recorded = RecordedSweep.read(SweepFolder(folder / "sweeps" / "plain"))
    best = recorded.require_winner()
    values = load_scores_of(recorded.folder, best).values()
    rows = len(load_search_data(read_space_file(folder / "plain.yaml")).validation)
    assert len(values) == rows and values.mean() == pytest.approx(best.value)
    assert set(np.round(values * 3).astype(int)) <= {0, 1, 2, 3} and best.value is not None
    error = values.std(ddof=1) / np.sqrt(rows)  # the three trainings of a row are a single unit
    assert best.stderr == pytest.approx(error, rel=1e-3)
    assert best.stderr < 0.95 * np.sqrt(best.value * (1 - best.value) / rows)  # of a single training
    assert sweep.estimate is not None and sweep.best.seeds is None


def test_it_is_replayed_verified_reported_and_its_lost_scores_are_made_again(folder: Path, sweep: ks.Sweep) -> None:
    assert sweep.replay().matches
    path = sweep.export(folder / "best.keras")
    assert ks.verify(path, sweeps_dir=folder / "sweeps", test=True).matches
    assert f"trial {sweep.best.number}" in sweep.report(folder / "page").read_text().casefold()
    kept = SweepFolder(folder / "sweeps" / "plain")
    file = scores_file(kept, sweep.best.number)
    before = file.read_bytes()
    file.unlink()
    kept.card.unlink()
    finished(folder, SPACE)
    assert file.read_bytes() == before
    with pytest.raises(ChangedSweep, match=r"search\.seeds: 3 -> 2"):
        finished(folder, SPACE.replace("seeds: 3", "seeds: 2"))


def measure_rungs(folder: Path, runner: str, stops: tuple[int, ...]) -> list[Result]:
    """A sweep with rungs, stopped after so many trials, and resumed."""
    folder.mkdir()
    text = PLAIN.replace("{min: 1, max: 3}", "{max: 4, take: best}").replace("seed: 42}", "seed: 42, seeds: 2}")
    text += "early_terminate: {type: successive_halving, min_iter: 1, eta: 2}\n"
    for trials in (*stops, 6):
        ended = finished(folder, text, trials=trials, runner=runner).ended
    return list(ended.results)


@pytest.mark.parametrize("runner", ["compiled", "fit"])
def test_rungs_compare_means_and_a_resumed_search_has_the_same_bits(runner: str, tmp_path: Path) -> None:
    whole, pieces = (measure_rungs(tmp_path / str(len(stops)), runner, stops) for stops in ((), (1, 3)))
    assert [(one.params, one.curve, one.value, one.weights_digest, one.scores_digest) for one in whole] == [
        (one.params, one.curve, one.value, one.weights_digest, one.scores_digest) for one in pieces
    ]
    assert any(one.epochs < 4 for one in whole) and max(one.epochs for one in whole) == 4


def draw_features(width: int = 8) -> keras.Model:
    """A model whose program has random numbers that are no weights."""
    inputs = keras.Input((64,))
    drawn = np.random.default_rng(np.random.randint(2**31)).normal(size=(64, width)).astype("float32")
    features = keras.layers.Lambda(lambda x: keras.ops.tanh(keras.ops.matmul(x, drawn)))(inputs)
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(features))


def test_models_that_compute_with_their_seed_and_metrics_of_all_rows_are_joined_alike(tmp_path: Path) -> None:
    parameters: dict[str, Any] = {"epochs": 2, "optimizer": "adam", "learning_rate": [0.01, 0.03]}
    ran = {}
    for runner in ("compiled", "fit"):
        search = ks.Optuna("grid", trials=2, seeds=2)
        spec = ks.Spec(
            "digits", "sparse_categorical_crossentropy", parameters, draw_features, ["accuracy"], "val_accuracy",
            search=search, goals={"parameters": "minimize"},
        )  # fmt: skip
        ran[runner] = ks.run(spec, name=runner, sweeps_dir=tmp_path, runner=runner, listener=quiet, test=False)
    lanes, fit = (ran[runner].trials for runner in ("compiled", "fit"))
    for one, other in zip(lanes, fit, strict=True):
        assert one.curve["val_loss"] == pytest.approx(other.curve["val_loss"], rel=1e-4)
    assert ran["fit"].best.number in (0, 1)


FAULTS = [("split: {folds: 3}\n", "split.folds"), ("finalists: {top: 2}\n", "finalists")]


@pytest.mark.parametrize(("section", "name"), FAULTS)
def test_seeds_of_every_trial_are_refused_beside_folds_and_finalists(section: str, name: str, tmp_path: Path) -> None:
    text = PLAIN.replace("finalists: none\n", "").replace("seed: 42}", "seed: 42, seeds: 3}") + section
    with pytest.raises(SpaceFileError, match=f"search.seeds: can't be used with `{name}`"):
        read_space_file(tmp_path / "plain.yaml", text=text)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 5), st.integers(2, 4), st.booleans())
def test_each_seed_trains_and_scores_all_rows_and_counts_alike(train: int, held: int, seeds: int, weighs: bool) -> None:
    def make_rows(count: int) -> Rows:
        weights = np.linspace(0.1, 3, count, dtype=np.float32) if weighs else None
        return Rows(np.arange(count * 2.0).reshape(-1, 2), np.arange(count), weights)

    data = SearchData("rows", make_rows(train), make_rows(held), "digest", None).with_seeds(seeds)
    assert len(data.folds) == seeds and len(data.validation.y) == held * seeds
    for index in range(seeds):
        part = data.fold(index)
        assert part.train is data.train and part.seed == index and not part.folds
        assert len(part.validation) == held and list(part.validation.y) == list(range(held))
    values = list(np.random.default_rng(held).random(seeds))
    for rows, name, numbers in ((data.train, "train", "accuracy"), (data.validation, "held", "val_accuracy")):
        of_each = [getattr(fold, name) for fold in data.folds]
        assert join_scores(f"{numbers}_own", values, of_each, rows.weights) == pytest.approx(np.mean(values), rel=1e-12)
    joined = join_fold_rows([np.full((held, 1), index) for index in range(seeds)], data)
    assert joined.ravel().tolist() == np.repeat(np.arange(seeds), held).tolist()
