"""A script's traceback has its own line, one of ours, and the message."""

import re
from pathlib import Path

import pytest

import keras_sweep as ks
from keras_sweep.api.edge import cut_traceback, cut_tracebacks, in_python
from tests.helpers.command import python

SAID = {
    "ks.open('nothing')": "keras_sweep.errors.UsageError: there is no sweep 'nothing'",
    "ks.Spec(data='digits').to_yaml()": "keras_sweep.errors.UsageError: a Spec needs exactly one of `maximize`,",
    "ks.Tuner(print).sweep": "keras_sweep.errors.UsageError: this Tuner has not searched yet",
    "ks.Float(3, 1)": "ValueError: `min` must be at most `max`, but got (min=3, max=1)",
}


@pytest.mark.parametrize("call", SAID)
def test_a_traceback_has_the_callers_line_and_one_of_ours(call: str, tmp_path: Path) -> None:
    ended = python(f"import keras_sweep as ks\n{call}", cwd=tmp_path)
    assert ended.code == 1 and f"\n{SAID[call]}" in ended.err
    ours = [name for name in re.findall(r'File "(.*?)"', ended.err) if "/keras_sweep/" in name]
    assert len(ours) == 1 and ours[0].endswith("/api/edge.py")
    assert "During handling" not in ended.err and "direct cause" not in ended.err


def test_what_was_raised_before_is_kept_for_a_debugger_and_a_fault_of_ours_is_whole() -> None:
    def failing(error: Exception) -> None:
        try:
            raise KeyError("inside")
        except KeyError as inner:
            raise error from inner

    with pytest.raises(ks.UsageError) as told:
        cut_traceback(failing)(ks.UsageError("outside"))
    assert (told.value.__cause__, told.value.__suppress_context__) == (None, True)
    assert isinstance(told.value.__context__, KeyError)
    with pytest.raises(ZeroDivisionError) as whole:
        cut_traceback(failing)(ZeroDivisionError())
    assert isinstance(whole.value.__cause__, KeyError)


def test_a_class_keeps_its_names_docs_and_what_is_its_own() -> None:
    class Plain:
        def method(self, by: int = 1) -> int:
            """Add."""
            raise ks.UsageError(f"no {by}")

        @property
        def value(self) -> int:
            """The value."""
            raise ks.UsageError("no value")

        def _own(self) -> int:
            return 3

    own = vars(Plain)["_own"]
    kind = cut_tracebacks(Plain)
    assert kind is Plain and vars(kind)["_own"] is own
    assert (kind.method.__doc__, kind.value.__doc__, kind.method.__name__) == ("Add.", "The value.", "method")
    for call in (lambda: kind().method(by=2), lambda: kind().value):
        with pytest.raises(ks.UsageError, match=r"no (2|value)") as told:
            call()
        assert [entry.name for entry in told.traceback][-1] == "wrapper"


@pytest.mark.parametrize(
    ("said", "in_a_program"),
    [
        ("If you trust this code, add `--trust`", "If you trust this code, add `trust=True`"),
        ("`--trials` sets the total, `--more` adds trials", "`trials` sets the total, `more` adds trials"),
        ("`--more N` adds trials; allow more with `--for`", "`more=N` adds trials; allow more with `seconds`"),
        ("Use `--format litert --quantize int8`", "Use `format='litert', quantize='int8'`"),
        ("as in `--set learning_rate.max=0.1`", "as in `set=['learning_rate.max=0.1']`"),
        ("more than --max-failures 1; run with --fresh", "more than max_failures 1; run with fresh=True"),
        ("Choose a file with -o. The same command resumes", "Choose a file with path. The same call resumes"),
        ("`sweep run SPACE --fresh` moves it aside", "`sweep run SPACE --fresh` moves it aside"),
        *[("XLA_FLAGS=--xla_dump_to=x --xla_b=3; `ray start --head`; `-1`",) * 2],
    ],
)
def test_a_program_is_told_keywords_where_the_command_has_options(said: str, in_a_program: str) -> None:
    assert in_python(said) == in_python(in_a_program) == in_a_program


def test_message_and_hint_of_an_error_are_in_python() -> None:
    with pytest.raises(ks.UsageError) as told:
        cut_traceback(_raise)(ks.UsageError("give `--trust`", hint="as `--more 3`"))
    assert (told.value.message, told.value.hint) == ("give `trust=True`", "as `more=3`")


def _raise(error: Exception) -> None:
    raise error
