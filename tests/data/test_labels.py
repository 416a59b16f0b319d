"""Labels as each loss takes them."""

import numpy as np
import pytest

from keras_sweep.data.labels import LOSS_NEEDS, LabelForm, Labels, fit_labels, fit_scale, near_copies
from keras_sweep.errors import DataError
from keras_sweep.space_file.keras_tables import ACTIVATIONS, LOSSES

TEXTS = np.array(["b", "a", "c", "a"], dtype=object)


def test_every_loss_of_a_space_file_is_known() -> None:
    assert set(LOSS_NEEDS) == set(LOSSES)
    assert {name for needs in LOSS_NEEDS.values() for name in needs.activations} <= set(ACTIVATIONS)
    assert LOSS_NEEDS["bce"].usual == "sigmoid" and LOSS_NEEDS["cosine_similarity"].usual == "linear"


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["b", "a", "c", "a"], ("a", "b", "c")),
        ([3, 1, 3, 2], ("1", "2", "3")),
        ([True, False, True, True], ("false", "true")),
        ([1.0, 0.0, 1.0, 0.0], ("0", "1")),
    ],
)
def test_texts_numbers_and_booleans_become_indices_in_their_order(values: list[object], names: tuple[str, ...]) -> None:
    y = np.array(values, object if isinstance(values[0], str) else None)
    labels = fit_labels(y, LabelForm.INDEX, "it")
    encoded = labels.encode(y, "training rows")
    assert (labels.classes, labels.names, encoded.dtype) == (len(names), names, np.int32)
    assert encoded.tolist() == np.unique(y, return_inverse=True)[1].tolist()


def test_known_class_names_keep_their_places_though_one_has_no_row() -> None:
    labels = fit_labels(np.array([0, 2, 2]), LabelForm.INDEX, "it", ("x", "y", "z"))
    assert labels.encode(np.array([2, 0, 1]), "test rows").tolist() == [2, 0, 1]


def test_one_hot() -> None:
    encoded = fit_labels(TEXTS, LabelForm.ONE_HOT, "it").encode(TEXTS, "training rows")
    assert encoded.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]]
    again = fit_labels(encoded, LabelForm.ONE_HOT, "it")
    assert again.classes == 3 and (again.encode(encoded, "training rows") == encoded).all()
    assert fit_labels(encoded, LabelForm.INDEX, "it").encode(encoded, "training rows").tolist() == [1, 0, 2, 0]


def test_numbers_become_float32_of_their_own_memory() -> None:
    labels = fit_labels(y := np.arange(8.0), LabelForm.NUMBER, "mse")
    encoded = labels.encode(y[2:5], "training rows")
    assert (encoded.dtype, encoded.base, labels.classes) == (np.float32, None, None)


IMAGES = np.arange(24).reshape(2, 3, 4) % 3
SHARES = np.full((4, 5, 2), 0.5)


@pytest.mark.parametrize(
    ("y", "form", "loss", "kind"),
    [
        (IMAGES, LabelForm.INDEX, "sparse_categorical_crossentropy", "int32"),
        (SHARES, LabelForm.ONE_HOT, "categorical_crossentropy", "float32"),
        (SHARES[..., :1], LabelForm.ONE_HOT, "dice", "float32"),  # of two classes, by a sigmoid
        (np.array([[0, 1], [1, 1]]), LabelForm.BINARY, "binary_crossentropy", "float32"),
        (IMAGES, LabelForm.NUMBER, "mse", "float32"),
        (IMAGES, LabelForm.ANY, "mine:loss", "int32"),
        (np.array([3, 7]), LabelForm.ANY, "mine:loss", "int32"),
    ],
)
def test_labels_of_any_shape_go_into_the_loss_as_they_are(y, form: LabelForm, loss: str, kind: str) -> None:
    labels = fit_labels(y, form, loss)
    encoded = labels.encode(y, "training rows")
    assert labels.classes is None and encoded.dtype == kind and (encoded == y.astype(kind)).all()


@pytest.mark.parametrize("y", [np.array(["b", "a", "b"]), np.array([1, 0, 1]), np.array([True, False, True])])
def test_a_loss_of_the_users_is_given_class_indices_where_labels_are_classes(y) -> None:
    labels = fit_labels(y, LabelForm.ANY, "mine:loss")
    assert labels.classes == 2 and labels.encode(y, "training rows").tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("y", "form", "message"),
    [
        (TEXTS, LabelForm.NUMBER, "text.*Use `loss: sparse_categorical_crossentropy`"),
        (TEXTS, LabelForm.BINARY, "takes two classes, but the training labels have 3"),
        (np.array([0.5, 1.0]), LabelForm.INDEX, "real numbers.*Use `loss: mean_squared_error`"),
        (np.array([1, 1, 1]), LabelForm.INDEX, "have a single class"),
        (np.array([[0, 1], [1, 1]]), LabelForm.ONE_HOT, "with a sum of 1, but training row 2 has 2"),
        (
            np.array([[2, 0], [0, 1]]),
            LabelForm.ONE_HOT,
            "takes labels from 0 to 1, but got 2. Use `loss: mean_squared_error`",
        ),
        (np.array([[0.5, 2.0]]), LabelForm.INDEX, "takes whole labels of at least 0, but got 0.5"),
        (np.full((2, 3, 3), 1.5), LabelForm.BINARY, "takes labels from 0 to 1, but got 1.5"),
    ],
)
def test_labels_that_do_not_fit_say_which_loss_does(y: np.ndarray, form: LabelForm, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit_labels(y, form, "categorical_crossentropy")


def test_a_class_without_training_rows_is_named() -> None:
    labels = fit_labels(np.array([3, 1, 2, 1]), LabelForm.INDEX, "it")
    with pytest.raises(DataError, match=r"test rows have classes that no training row has: '77'.*stratify: true"):
        labels.encode(np.array([1, 77]), "test rows")


@pytest.mark.parametrize(
    ("transform", "y", "form", "message"),
    [
        (
            "log",
            [3.0, -1.0],
            LabelForm.NUMBER,
            r"takes targets of at least 0, but the lowest is -1. Use `transform: stand",
        ),
        ("log", [0, 1], LabelForm.INDEX, "needs a target of numbers, but the loss takes class indices"),
        ("standard", [["a"], ["b"]], LabelForm.ANY, "needs a target of numbers"),
    ],
)
def test_a_target_that_no_transform_fits_is_told(transform: str, y: object, form: LabelForm, message: str) -> None:
    labels = np.array(y)
    with pytest.raises(DataError, match=message):
        fit_scale(transform, fit_labels(labels, form, "it"), labels)


def test_a_scale_is_of_the_training_targets() -> None:
    labels = Labels(LabelForm.NUMBER)
    assert fit_scale("log", labels, np.array([0, np.e**2 - 1])).mean == pytest.approx(1.0)
    scale = fit_scale("standard", labels, np.array([1, 3]))
    assert (scale.mean, scale.deviation) == (2.0, 1.0)
    assert fit_scale("standard", labels, np.array([5, 5])).deviation == 1.0


@pytest.mark.parametrize(
    ("form", "y", "metrics", "shape"),
    [
        (LabelForm.BINARY, [0, 1, 1], ["f1_score"], (3, 1)),
        (LabelForm.BINARY, [[0], [1], [1]], ["f1_score"], (3, 1)),
        (LabelForm.BINARY, [[0, 1], [1, 1], [1, 0]], ["f1_score"], (3, 2)),
        (LabelForm.ANY, [0, 1, 1], ["bce"], (3, 1)),
        (LabelForm.ANY, [0, 1, 2], ["f_beta_score"], (3,)),
        (LabelForm.INDEX, [0, 1, 1], ["f1_score"], (3,)),
        (LabelForm.NUMBER, [0.0, 0.5, 1.0], ["binary_crossentropy"], (3,)),
    ],
)
def test_two_classes_are_in_a_column_where_a_metric_takes_no_other_form(form, y, metrics, shape):
    labels = fit_labels(np.array(y), form, "it").for_metrics(metrics)
    assert labels.encode(np.array(y), "rows").shape == shape


@pytest.mark.parametrize(
    ("texts", "copies"),
    [
        (["yes", "Yes", " yes", "no"], "' yes', 'Yes', 'yes'"),
        (["a", "b", "a"], ""),
    ],
)
def test_texts_that_differ_in_case_and_spaces_alone_are_listed(texts: list[str], copies: str) -> None:
    said = f"{copies}, which differ only in case and spaces: write them alike"
    assert near_copies(texts) == (said if copies else "")
