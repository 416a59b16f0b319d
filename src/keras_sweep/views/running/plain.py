"""Show progress in a pipe, or on a terminal that can't move its cursor, as a plain line for each trial."""

import threading
import time
from typing import Self

from rich.console import Console
from rich.text import Text

from keras_sweep.space.text import escape, join, pluralize
from keras_sweep.sweep import events
from keras_sweep.trial.events import Event, Noticed
from keras_sweep.trial.ranking import can_win
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.views.running.sweep_progress import SweepProgress, phase_text
from keras_sweep.views.terminal.console import print_notice
from keras_sweep.views.terminal.text import format_elapsed, score_text, seconds_text, value_text

SILENCE = 5.0  # seconds without a line, after which the phase is printed
LONGEST_SILENCE = 60.0


class PlainLines:
    """Print a line for each ended trial. In a `with` block, print the phase after SILENCE seconds without a line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = SweepProgress()
        self._wait = SILENCE  # doubled each time
        self._changed = threading.Condition()
        self._open = False
        self._printed = time.monotonic()
        self._thread = threading.Thread(target=self._print_phases, name="phases", daemon=True)

    def __enter__(self) -> Self:
        self._open = True
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        with self._changed:
            self._open = False
            self._changed.notify_all()
        self._thread.join()

    def _print_phases(self) -> None:
        with self._changed:
            while self._open:
                if (due := self._printed + self._wait - time.monotonic()) > 0:
                    self._changed.wait(due)
                    continue
                next_wait = min(2 * self._wait, LONGEST_SILENCE)
                try:
                    self._line(self._phase_text(), style="dim")
                except OSError:  # the line of the next event raises it again, where the sweep can handle it
                    return
                self._wait = next_wait

    def _phase_text(self) -> str:
        text = f"{phase_text(self._progress.phase)} ({format_elapsed(self._progress.phase_seconds)})"
        trials = self._progress.training
        if not trials:
            return text
        epochs = sum(len(trial.values) for trial in trials.values())
        total = sum(trial.epochs or 0 for trial in trials.values())
        done = f"{epochs:,} of {pluralize(total, 'epoch')}" if total else pluralize(epochs, "epoch")
        return f"{text}: {pluralize(len(trials), 'trial')}, {done} done"

    def __call__(self, event: Event) -> None:
        with self._changed:
            self._progress(event)
            self._print(event)

    def _print(self, event: Event) -> None:
        failed = isinstance(event, events.TrialEnded | events.FinalistEnded) and event.result.state is TrialState.FAIL
        style = "red" if failed else ""
        if isinstance(event, events.SweepStarted):
            self._line("\n".join(filter(None, (describe_begin(event), event.rows))))
        elif isinstance(event, events.TrialEnded):
            self._line(self._trial_text(event.result), style)
        elif isinstance(event, events.FinalistsChosen):
            if event.note:
                print_notice(self._console, event.note)
            if event.recipes:
                self._line(describe_begin(event))
        elif isinstance(event, events.FinalistEnded):
            self._line(self._finalist_text(event.result), style)
        elif isinstance(event, Noticed):
            print_notice(self._console, event.message, warns=event.warns)
            self._printed, self._wait = time.monotonic(), SILENCE
        elif isinstance(event, events.WinnerRefitted) and not event.earlier:
            self._line(f"trial {event.refit.trial} was {event.refit.text}")
        elif isinstance(event, events.TestEvaluated) and not event.earlier:
            self._line(f"trial {event.number} was evaluated on the test set")

    def _trial_text(self, result: Result) -> str:
        progress = self._progress
        width = len(str(progress.total))
        names = [name for name in progress.columns or tuple(result.params) if name != "epochs"]
        params = result.params
        leading = next((result for result in progress.leading if can_win(result, progress.objective)), None)
        columns = (f"{escape(name)}={value_text(params[name]) if name in params else '-'}" for name in names)
        parts = [
            f"[{progress.done:{width}}/{progress.total}]  trial {result.number:{width}}",
            trial_text(result, progress.objective.name),
            " ".join(columns),
            f"{pluralize(result.epochs, 'epoch')} in {seconds_text(result.seconds.training)}",
            "best so far" if leading is not None and leading.number == result.number else "",
        ]
        return "  ".join(part for part in parts if part)

    def _finalist_text(self, result: Result) -> str:
        progress = self._progress
        assert progress.finalists is not None
        total = len(progress.finalists.recipes) * len(progress.finalists.seeds)
        done = f"[{len(progress.finalists_ended):{len(str(total))}}/{total}]"
        return f"{done}  {result.name}  {trial_text(result, progress.objective.name)}"

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style), soft_wrap=True)  # a dumb terminal wraps lines itself
        self._printed, self._wait = time.monotonic(), SILENCE


def describe_begin(event: events.SweepStarted | events.FinalistsChosen) -> str:
    """Describe what begins: `dense: 64 trials by optuna/tpe, trained by fit, to minimize loss`, or the finalists."""
    if isinstance(event, events.SweepStarted):
        trained_by = f"by {escape(event.engine)}, trained by {escape(event.runner)}"
        goals = (event.objective, *event.objective.further)
        goal = "to " + join([f"{objective.goal} {escape(objective.name)}" for objective in goals], "and")
        text = f"{escape(event.name)}: {pluralize(event.total, 'trial')} {trained_by}, {goal}"
    else:
        seeds = f"the seed{'s' if len(event.seeds) > 1 else ''} {join(map(str, event.seeds), 'and')}"
        trials = join(map(str, event.recipes), "and")
        text = f"training the best {pluralize(len(event.recipes), 'configuration')} again with {seeds}: trials {trials}"
    return text + (f"; {len(event.finished):,} of them are done already" if event.finished else "")


def trial_text(result: Result, metric: str) -> str:
    """Return the score or the failure of a trial: `val_accuracy 0.8552 ±0.0032`, `FAIL diverged`."""
    reason = escape(result.reason) if result.reason else ""
    if result.state is TrialState.FAIL or result.value is None:
        return f"{result.state} {reason}".strip()
    score = f"{escape(metric)} {score_text(result.value, result.stderr)}"
    return f"{score} ({reason or 'pruned'})" if result.state is TrialState.PRUNED else score
