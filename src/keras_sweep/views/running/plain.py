"""Progress for a pipe or a terminal that can't move its cursor: one plain line a trial."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from keras_sweep.trial.events import Event, Noticed, SweepStarted, TestEvaluated, TrialEnded
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.views.running.sweep_progress import Tally
from keras_sweep.views.terminal.console import glyphs_of
from keras_sweep.views.terminal.messages import print_notice
from keras_sweep.views.terminal.text import count_text, params_text, safe, score_text, seconds_text


class PlainLines:
    """A listener; a context manager only so that it can stand where a LiveBoard does."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._glyphs = glyphs_of(console)
        self._tally = Tally(keep=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, event: Event) -> None:
        """Print the event's line, if it has one."""
        self._tally(event)
        if isinstance(event, SweepStarted):
            self._line(started_text(event))
        elif isinstance(event, TrialEnded):
            self._line(self._trial_text(event.result), style="red" if event.result.state is TrialState.FAIL else "")
        elif isinstance(event, Noticed):
            print_notice(self._console, event.message)
        elif isinstance(event, TestEvaluated):
            self._line(f"trial {event.number} was evaluated on the test set")

    def _trial_text(self, result: Result) -> str:
        tally = self._tally
        width = len(str(tally.total))
        parts = [f"[{tally.done:{width}}/{tally.total}]", f"trial {result.number:{width}}"]
        parts.append(trial_text(result, tally.objective.name, pm=self._glyphs.pm))
        params = {name: value for name, value in result.params.items() if name != "epochs"}
        parts.append(params_text({name: value for name, value in params.items() if name in tally.varying} or params))
        parts.append(f"{count_text(result.epochs, 'epoch')} in {seconds_text(result.seconds.total)}")
        if tally.is_best(result):
            parts.append("best so far")
        return "  ".join(part for part in parts if part)

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style), soft_wrap=True)  # a dumb terminal folds it itself


def started_text(event: SweepStarted) -> str:
    """`dense: 64 trials by optuna/tpe, trained by compiled/jax, to maximize val_accuracy`."""
    text = (
        f"{safe(event.name)}: {count_text(event.total, 'trial')} by {safe(event.engine)}, "
        f"trained by {safe(event.runner)}, to {event.goal} {safe(event.metric)}"
    )
    return text + (f"; {len(event.finished):,} of them are done already" if event.finished else "")


def trial_text(result: Result, metric: str, *, pm: str = "±") -> str:
    """`val_accuracy 0.8552 ±0.0032`, `FAIL diverged`."""
    reason = safe(result.reason) if result.reason else ""
    if result.state is TrialState.FAIL or result.value is None:
        return f"{result.state} {reason}".strip()
    score = f"{safe(metric)} {score_text(result.value, result.stderr, pm=pm)}"
    return f"{score} ({reason or 'pruned'})" if result.state is TrialState.PRUNED else score
