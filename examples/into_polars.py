"""A sweep as a polars table, and a picture of it: `python examples/into_polars.py` writes learning_rates.png."""

import matplotlib.pyplot as plt
import polars as pl

import keras_sweep as ks

spec = ks.Spec(
    data="digits",
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
    maximize="val_accuracy",
    parameters={
        "optimizer": ["sgd", "rmsprop", "adam"],
        "learning_rate": ks.Float(1e-4, 1.0, log=True),
        "epochs": 3,
    },
    search=ks.Optuna("qmc", trials=16, seed=0),
)
table = ks.run(spec, name="into-polars").leaderboard().to_polars()

best = table.group_by("params.optimizer").agg(pl.col("value").max(), pl.len().alias("trials")).sort("value")
print(best)

figure, axes = plt.subplots()
for (optimizer,), rows in table.group_by("params.optimizer"):
    axes.errorbar(rows["params.learning_rate"], rows["value"], yerr=rows["stderr"], fmt="o", label=optimizer)
axes.set(xscale="log", xlabel="learning rate", ylabel="validation accuracy")
axes.legend()
figure.savefig("learning_rates.png", dpi=150)
