"""Arrays of one's own and the built-in dense model: `python examples/own_arrays.py`."""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import keras_sweep as ks

x, y = load_breast_cancer(return_X_y=True)
x, x_test, y, y_test = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
scaler = StandardScaler().fit(x)

spec = ks.Spec(
    data=((scaler.transform(x), y), (scaler.transform(x_test), y_test)),
    model={"dense": {"hidden": [16]}},
    loss="binary_crossentropy",
    metrics=["accuracy"],
    minimize="val_loss",
    parameters={
        "optimizer": ["sgd", "adam"],
        "learning_rate": ks.Float(1e-3, 0.3, log=True),
        "momentum": ks.Float(0.0, 0.9, when={"optimizer": "sgd"}),
        "epochs": ks.Int(2, 10),
    },
    search=ks.Optuna("tpe", trials=16, seed=42),
)
sweep = ks.run(spec, name="own-arrays")

print(sweep.leaderboard(top=5))
print("best:", sweep.best)
