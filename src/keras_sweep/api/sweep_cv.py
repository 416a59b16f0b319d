"""scikit-learn's API on top of `keras_sweep.run`: a program that uses GridSearchCV changes the line of its search."""

import tempfile
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.utils import ClassifierTags, RegressorTags, metaestimators, multiclass, validation

from keras_sweep.api.edge import cut_tracebacks
from keras_sweep.api.keras_scores import score_of_keras
from keras_sweep.api.run import run
from keras_sweep.api.spec import Spec
from keras_sweep.data.labels import LabelForm, LossNeeds, fit_labels, loss_needs
from keras_sweep.sweep.winner import as_probabilities


@cut_tracebacks
@dataclass(repr=False, eq=False)
class SweepCV(BaseEstimator):  # type: ignore[misc]
    """Search as scikit-learn's `GridSearchCV` does, and predict with the winner, trained again on all rows.

        search = keras_sweep.SweepCV(keras_sweep.Spec(loss="mean_squared_error", minimize="val_loss"), cv=3)
        search.fit(X, y).predict(X), search.best_params_, search.sweep_.estimate, search.model_

    Args:
        spec: the space without `data`. Its loss makes a classifier or a regressor. As in scikit-learn, greater scores
            are better: scores of a metric to minimize are negative.
        cv: the number of folds, if the spec has no `split`.
        name: the sweep's name; the same `fit` again resumes the sweep. By default `sweep_.path` is a temporary folder.
        options: further arguments of `keras_sweep.run`: `{"workers": 4, "sweeps_dir": "sweeps"}`.
    """

    spec: Spec | None = None
    cv: int = 5
    name: str | None = None
    options: dict[str, Any] | None = None

    @property
    def _needs(self) -> LossNeeds:
        loss = getattr(self.spec, "loss", None) or getattr(getattr(self, "model_", None), "loss", None)
        loss = score_of_keras(loss) or loss
        return loss_needs(str(loss.get("name")), loss) if isinstance(loss, dict) else loss_needs(str(loss))

    def __sklearn_tags__(self) -> Any:
        tags, form = super().__sklearn_tags__(), self._needs.form
        tags.estimator_type = {LabelForm.NUMBER: "regressor", LabelForm.ANY: None}.get(form, "classifier")
        tags.classifier_tags = ClassifierTags(multi_class=form is not LabelForm.BINARY)
        tags.regressor_tags = RegressorTags()
        tags.target_tags.required, tags.target_tags.multi_output = True, form is LabelForm.NUMBER
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Search, and train the winner on all rows. Rows with equal `groups` stay in the same fold."""
        form = {"multi_output": not is_classifier(self), "y_numeric": is_regressor(self)}
        X, y = validation.validate_data(self, X, y, allow_nd=True, **form)
        if is_classifier(self):
            multiclass.check_classification_targets(y)
        spec, by = self.spec or Spec(), {} if groups is None else {"groups": groups}
        split = {"test": 0, **dict.fromkeys(by, "groups"), **(spec.split or {"folds": self.cv})}
        spec = replace(spec, data={"x": X, "y": y, "sample_weight": sample_weight, **by}, split=split)
        place = {"sweeps_dir": None if self.name else tempfile.mkdtemp(prefix="sweep-"), **(self.options or {})}
        self.sweep_ = run(replace(spec, finalists=spec.finalists or "none"), name=self.name or "search", **place)
        self.model_, self._goal = self.sweep_.load_model(), self.sweep_.objective
        self._labels = fit_labels(y, self._needs.form, "of the model")
        if self._labels.values is not None:
            self.classes_ = np.asarray(self._labels.values)
        rows = sorted(self.sweep_.leaderboard(), key=lambda row: row.number)
        results = self.cv_results_ = {
            "params": [dict(row.params) for row in rows],
            "mean_fit_time": np.array([row.seconds for row in rows]),
            "mean_test_score": np.array([-self._goal.key(np.nan if row.value is None else row.value) for row in rows]),
            "std_test_score": np.array([row.stderr for row in rows], float) * np.sqrt(split.get("folds", 1)),
            "rank_test_score": np.array([row.rank for row in rows], np.int32),
        }
        for name in dict.fromkeys(name for row in rows for name in row.params):
            values = np.fromiter((row.params.get(name) for row in rows), object)
            results[f"param_{name}"] = np.ma.masked_object(values, None)
        self.best_index_ = best = self.sweep_.best.number
        self.best_params_, self.best_score_ = results["params"][best], results["mean_test_score"][best]
        return self

    def _apply(self, method: str, X: Any, *y: Any, **options: Any) -> Any:
        validation.check_is_fitted(self)
        X = validation.validate_data(self, X, reset=False, allow_nd=True)
        return getattr(self.model_, method)(X, *y, verbose=0, **options)

    @metaestimators.available_if(lambda self: self._needs.form is not LabelForm.NUMBER)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class of `classes_`, [N, C]."""
        outputs = self._apply("predict", X)
        if "linear" in self._needs.activations:  # logits
            outputs = softmax(outputs, axis=1) if outputs.shape[1] > 1 else expit(outputs)
        return as_probabilities(outputs)

    def predict(self, X: Any) -> Any:
        """Return each row's class or number."""
        if hasattr(self, "classes_"):
            return self.classes_[self.predict_proba(X).argmax(axis=1)]
        outputs = self._apply("predict", X).astype(float)
        return outputs[:, 0] if outputs.shape[1:] == (1,) else outputs

    def score(self, X: Any, y: Any) -> float:
        """Return the metric that ranks over these rows; greater is better."""
        scores = self._apply("evaluate", X, self._labels.encode(np.asarray(y), "rows"), return_dict=True)
        return -self._goal.key(scores[self._goal.name.removeprefix("val_")])
