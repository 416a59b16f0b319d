"""A classifier with `fit`, `predict` and `score`, as scikit-learn has them: `python examples/like_scikit_learn.py`."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import keras_sweep as ks


class SweptClassifier(ClassifierMixin, BaseEstimator):
    """The best of some dense models; `fit` runs a sweep, or resumes the one of that name."""

    def __init__(self, name="swept", trials=16, hidden=(16,)):
        self.name = name
        self.trials = trials
        self.hidden = hidden

    def fit(self, x, y):
        self.classes_, labels = np.unique(y, return_inverse=True)
        spec = ks.Spec(
            data=(x, labels),
            split={"validation": 0.25, "test": 0.0, "stratify": True},
            model={"dense": {"hidden": list(self.hidden)}},
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            minimize="val_loss",
            parameters={
                "optimizer": ["sgd", "adam"],
                "learning_rate": ks.Float(1e-3, 0.3, log=True),
                "epochs": ks.Int(5, 20),
                "batch_size": 16,
            },
            search=ks.Optuna("tpe", trials=self.trials),
        )
        self.sweep_ = ks.run(spec, name=self.name)
        self.model_ = self.sweep_.load_model()
        return self

    def predict(self, x):
        return self.classes_[self.model_.predict(x, verbose=0).argmax(axis=1)]


if __name__ == "__main__":
    x, y = load_iris(return_X_y=True, as_frame=False)
    names = np.array(["setosa", "versicolor", "virginica"])
    x, x_test, y, y_test = train_test_split(x, names[y], test_size=0.3, random_state=0, stratify=y)
    pipeline = make_pipeline(StandardScaler(), SweptClassifier(name="iris")).fit(x, y)
    print(f"test accuracy {pipeline.score(x_test, y_test):.3f}")
