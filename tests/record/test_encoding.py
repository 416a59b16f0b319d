import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.record import encoding
from keras_sweep.trial.result import Result, Suggestion, TrialState
from keras_sweep.trial.row_scores import arrays_digest
from tests.helpers.records import results, same
from tests.helpers.results import result

COMPLETE = Result(Suggestion(3, {"learning_rate": 0.1}), TrialState.COMPLETE, 0.5)


def decoded(result: Result, texts: dict[str, str]) -> Result:
    return encoding.decode(result.number, result.state.value, result.value, texts)


@given(results())
def test_any_result_comes_back_to_the_last_digit_from_strict_json(result: Result) -> None:
    texts = encoding.encode(result, 42)
    assert same(decoded(result, texts), result)
    for text in texts.values():
        json.loads(text, parse_constant=pytest.fail)


@given(results(), st.data())
def test_any_altered_attribute_is_found(result: Result, data: st.DataObject) -> None:
    texts = encoding.encode(result, 42)
    key = data.draw(st.sampled_from(sorted(texts)))
    other = data.draw(st.none() | st.sampled_from(["0", "null", "{}", "1, 2", "", '"x"', texts[key] + " "]))
    altered = {name: text for name, text in texts.items() if name != key}
    if other is not None:
        altered[key] = other
    if altered == texts or (key == encoding.CHECKSUM and other == texts[key] + " "):
        return
    with pytest.raises(ValueError, match=r"checksum|missing|damaged|invalid literal"):
        decoded(result, altered)


def test_of_weights_their_digest_is_kept() -> None:
    with_weights = replace(COMPLETE, weights=(np.ones(3),))
    light = replace(COMPLETE, weights_digest=arrays_digest([np.ones(3)]))
    assert decoded(with_weights, encoding.encode(with_weights, 42)) == light


def test_numpy_scalars_become_plain_numbers() -> None:
    numpy = Result(
        Suggestion(0, {"units": np.int64(3), "rate": np.float32(0.5)}),  # type: ignore[dict-item]
        TrialState.COMPLETE,
        np.float64(0.25),
        curve={"loss": (np.float32(0.5), np.float64(0.1))},  # type: ignore[dict-item]
        stderr=np.float32(0.125),  # type: ignore[arg-type]
    )
    read = decoded(numpy, encoding.encode(numpy, 42))
    assert same((dict(read.params), read.curve, read.stderr), ({"units": 3, "rate": 0.5}, {"loss": (0.5, 0.1)}, 0.125))


def test_a_long_traceback_keeps_its_end() -> None:
    long = replace(result(0, None, state=TrialState.FAIL), traceback="x" * 10**6 + "end")
    assert decoded(long, encoding.encode(long, 42)).traceback == "x" * (encoding.TEXT_LIMIT - 3) + "end"


def test_the_seed_is_the_parameter_or_the_studys() -> None:
    assert encoding.encode(COMPLETE, 42)["seed"] == "42"
    assert encoding.encode(Result(Suggestion(0, {"seed": 7}), TrialState.PRUNED, None), 42)["seed"] == "7"


def test_numbers_that_json_lacks_are_written_as_texts() -> None:
    params = {"a": math.inf, "b": (-math.inf, 1.5), "c": math.nan, "d": 0.25, "e": 3}
    texts = encoding.encode(replace(COMPLETE, suggestion=Suggestion(3, params)), 42)
    assert texts["params"] == (
        '{"a": {"float": "inf"}, "b": [{"float": "-inf"}, 1.5], "c": {"float": "nan"}, "d": 0.25, "e": 3}'
    )
    assert repr(decoded(COMPLETE, texts).params) == repr(params)


@pytest.mark.parametrize("count", [0, 7, 2**63 - 1])
def test_a_count_is_any_whole_number_that_sqlite_holds(count: int) -> None:
    assert decoded(COMPLETE, altered("generation", str(count))).suggestion.generation == count


def altered(key: str, text: str) -> dict[str, str]:
    """The attributes of a trial as somebody writes them who computes the checksum, too."""
    texts = {**encoding.encode(COMPLETE, 42), key: text}
    texts[encoding.CHECKSUM] = str(encoding._checksum(3, COMPLETE.state, COMPLETE.value, texts))
    return texts


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        *(
            ("generation", text, "is not a whole number from 0")
            for text in ("-1", str(2**63), "1.0", "true", '"1"', "null")
        ),
        ("engine", "1", "1 is not a text"),
        ("reason", "{}", "{} is not a text"),
        ("curve", '{"val_accuracy": "12"}', "'12' is not a list of numbers"),
        ("params", '{"a": 1' + "0" * 400 + "}", "its stored values are damaged"),
        ("params", "[]", "its stored values are damaged"),
    ],
)
def test_an_attribute_of_another_type_is_refused(key: str, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decoded(COMPLETE, altered(key, text))


def test_what_a_trial_lacks_is_not_written() -> None:
    texts = encoding.encode(COMPLETE, 42)
    assert {"epoch", "stderr", "rows", "measured", "continues", "recipe", "reads_epochs", "reason"}.isdisjoint(texts)
    assert not decoded(COMPLETE, texts).reads_epochs
    reading = replace(COMPLETE, reads_epochs=True, stderr=0.0, epoch=0)
    texts = encoding.encode(reading, 42)
    assert (texts["reads_epochs"], texts["stderr"], texts["epoch"]) == ("true", "0.0", "0")
    assert decoded(COMPLETE, texts) == reading
