"""The mean of the weights of the winner's recipe: one more model that may stand for it.

A model without hidden layers has one valley, and the mean over its seeds lies lower in it than they do. Others have a
valley a seed: theirs is the mean over the last epochs of one training, that of the first new seed, by which nothing was
chosen. It is a candidate of the estimate, and so pays for being one.
Izmailov, Podoprikhin, Garipov, Vetrov and Wilson 2018, "Averaging weights leads to wider optima and better
generalization", https://arxiv.org/abs/1803.05407
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import Interrupted, RecordError
from keras_sweep.record.encoding import encode
from keras_sweep.record.row_scores import load_scores, save_scores, scores_file
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.weights import delete_others, load_weights, save_weights, weights_file_of
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.retrain import AsRecorded
from keras_sweep.sweep.wall_time import WallTime
from keras_sweep.sweep.winner import trained_model
from keras_sweep.training.averaged_weights import scored_weights
from keras_sweep.training.call_model import called
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.outcome import diverged, scored
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.finalists import seed_scores
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.ranking import average_wins, best_training, has_value
from keras_sweep.trial.result import Result, Seconds, Suggestion, TrialState, Weights

EPOCHS = 5  # the last ones, of which the mean is taken; at most half of all
LEAST = 2  # of what is to have a mean


class NoAverage(Exception):
    """Why a recipe has no mean of weights, in words."""


@dataclass(frozen=True, slots=True)
class Mean:
    """Weights that are the mean of several."""

    words: str  # "4 seeds": of what
    params: Params
    weights: Weights


@dataclass(frozen=True, slots=True)
class Averaging:
    """Takes the mean of the weights of a winner's recipe, once, and keeps it."""

    spec: SweepSpec
    study: StudyFile
    data: SearchData
    runner: str  # by which the recipe was trained
    weights_of: Callable[[Result], Weights]  # of a recorded training
    emit: Listener
    wall: WallTime
    stopping: Callable[[], bool]

    def of(self, results: list[Result], recipe: Result) -> list[Result]:
        """The trials, the winner's recipe with its average. What is in the record, and whole, stays as it is.

        Raises:
            Interrupted: a signal came while it was made.
            RecordError: the disk fails.
        """
        if is_settled(self.study.attributes, self.spec, results, recipe) and self._is_whole(recipe.average):
            return results
        said: dict[str, Any] | None = None
        if self.spec.finish.average:
            said = {"trials": len(results), "recipe": recipe.number, "of": _members(recipe)}
            try:
                with self.wall.phase("average"):
                    average = self._made(len(results), recipe)
                said |= {"value": average.value, "texts": encode(average, self.spec.search.seed)}
                self._tell(replace(recipe, average=average))
            except NoAverage as why:
                said["none"] = str(why)
                self.emit(Noticed(f"`finish: {{average: true}}`: {recipe.name} has no mean of weights: {why}"))
        self.study.set_attributes({"average": said})
        for folder in (self.study.folder.average.weights, self.study.folder.average.scores):
            delete_others(folder, [len(results)] if said is not None else [])
        return self.study.ranked_results()

    def _is_whole(self, average: Result | None) -> bool:
        if average is None:
            return True
        folder = self.study.folder
        try:
            load_weights(weights_file_of(folder, average), average.weights_digest)
            if average.scores_digest:
                load_scores(scores_file(folder.average, average.number), average.scores_digest)
        except RecordError:
            return False
        return True

    def _made(self, number: int, recipe: Result) -> Result:
        """The mean, scored on the validation rows as a trial is, and written to the disk."""
        spec, rows, folder = self.spec, self.data.validation, self.study.folder
        if not spec.objective.name.startswith("val_"):
            raise NoAverage(f"{spec.objective.name} is not taken over the validation rows")
        if self.data.folds:
            raise NoAverage("with folds there is no model that has not seen them")
        try:
            mean = mean_of(spec, self.data, recipe, self.weights_of, self.stopping)
        except RecordError as error:  # weights are lost, and other numbers come out of training again
            raise NoAverage(error.message) from error
        suggestion = Suggestion(number, mean.params, recipe=recipe.number, average=mean.words)
        model = trained_model(spec, Result(suggestion, TrialState.COMPLETE, None), mean.weights, self.data)
        size = training_plan(spec, mean.params).batch_size
        scores = model.evaluate(rows.x, rows.y, batch_size=size, verbose=0, return_dict=True)
        curve = {f"val_{name}": (float(value),) for name, value in scores.items() if np.ndim(value) == 0}
        if diverged([value for (value,) in curve.values()]):
            raise NoAverage("its scores are no finite numbers")
        average = scored(
            spec,
            suggestion,
            curve=curve,
            weights=mean.weights,
            seconds=Seconds(),
            runner=self.runner,
            y=rows.y,
            predict=lambda: called(model, rows.x),
        )
        save_weights(weights_file_of(folder, average), mean.weights)
        if average.scores is not None:
            save_scores(scores_file(folder.average, number), average.scores)
        return replace(average.light(), engine="average")

    def _tell(self, recipe: Result) -> None:
        average, seeds = recipe.average, seed_scores(recipe)
        assert average is not None
        against = "it" if seeds is None else "its seeds are in the mean"
        told = f"better than {against}: it is tested and exported"
        if not average_wins(recipe, self.spec.objective):
            told = f"no better than {against}: {best_training(recipe, self.spec.objective).name} is exported"
        self.emit(Noticed(f"{average.name}, has {self.spec.objective.name} {average.value:.4g}, {told}"))


def is_settled(attributes: Mapping[str, Any], spec: SweepSpec, results: Sequence[Result], recipe: Result) -> bool:
    """Whether the record says already what came of averaging this winner, or that nobody asked for it."""
    said = attributes.get("average")
    if said is None or not spec.finish.average:
        return said is None and not spec.finish.average
    return (said["trials"], said["recipe"], said["of"]) == (len(results), recipe.number, _members(recipe))


def _members(recipe: Result) -> str:
    """The new seeds that the recipe's choice is by."""
    return " ".join(str(one.finalist_seed) for one in recipe.finalists if recipe.final)


def mean_of(
    spec: SweepSpec,
    data: SearchData,
    recipe: Result,
    weights_of: Callable[[Result], Weights],
    stopping: Callable[[], bool] = lambda: False,
) -> Mean:
    """The mean of a recipe's weights.

    Raises:
        NoAverage: there is none.
        Interrupted: `stopping` said so.
    """
    ended = [recipe, *(one for one in recipe.finalists if recipe.final and has_value(one))]
    model = trained_model(spec, recipe, weights_of(recipe), data)
    if without_hidden_layer(model):
        if len(ended) < LEAST:
            raise NoAverage("without a hidden layer it is taken over seeds, and there is one")
        return Mean(f"{len(ended)} seeds", recipe.params, _mean(model, [weights_of(one) for one in ended]))
    run = ended[1] if len(ended) > 1 else recipe
    count = min(EPOCHS, (run.epoch or 0) // 2)
    if count < LEAST:
        raise NoAverage(f"it trains for {run.epoch} epochs, and the mean is taken over the last half of them")
    seed = run.params.get("seed", spec.search.seed)
    return Mean(
        f"{count} epochs with seed {seed}", run.params, _mean(model, _last_epochs(spec, data, run, count, stopping))
    )


def without_hidden_layer(model: Any) -> bool:
    """Whether the mean of a model's weights is taken over its seeds: its loss has one valley."""
    return sum(len(variable.shape) > 1 for variable in model.trainable_weights) <= 1


def _mean(model: Any, members: Sequence[Weights]) -> Weights:
    """The mean of what is trained. Raises NoAverage where the members differ in anything else.

    That is statistics of rows, as BatchNormalization keeps them: averaged weights need others, which a pass over all
    training rows would have to take.
    """
    means = []
    for variable, values in zip(model.weights, zip(*members, strict=True), strict=True):
        if variable.trainable:
            means.append(np.mean(values, axis=0, dtype=np.float64).astype(values[0].dtype))
        elif all(np.array_equal(values[0], value) for value in values):
            means.append(values[0])
        else:
            raise NoAverage(f"`{variable.path}` is no trained weight and differs, as statistics of rows do")
    return tuple(means)


def _last_epochs(
    spec: SweepSpec, data: SearchData, run: Result, count: int, stopping: Callable[[], bool]
) -> list[Weights]:
    """The weights after the last epochs up to the scored one, of a training by plain `fit`."""
    models: list[Any] = []
    kept: list[Weights] = []
    last = run.epoch or 0

    class Epochs(AsRecorded):
        def epoch(self, number: int, epoch: int, logs: Mapping[str, float]) -> None:
            del number, logs
            if last - count < epoch <= last:
                kept.append(scored_weights(models[-1]))

        def rungs(self, epochs: int) -> tuple[int, ...]:
            return (last,) if last < epochs else ()

        def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
            del epoch
            return frozenset(values)

    runner = FitRunner(spec, data, prepare=models.append)
    watch = Epochs([], stopping, lambda _: None)
    for again in runner.run([Suggestion(run.number, run.params)], frozenset({run.number}), watch):
        if len(kept) < count:
            raise NoAverage(f"trained again it ended early: {again.reason}")
        return kept
    raise Interrupted(f"{run.name} was not trained again to its end", hint="The same command does it")
