"""A sweep as a polars table: of each optimizer the best trial, and how many lie within a standard error of it."""

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

of_each = table.sort("value", descending=True).group_by("params.optimizer", maintain_order=True)
print(
    of_each.agg(
        pl.len().alias("trials"),
        pl.col("value", "stderr", "params.learning_rate").first(),
        (pl.col("value") >= pl.col("value").first() - pl.col("stderr").first()).sum().alias("as good"),
    )
)
