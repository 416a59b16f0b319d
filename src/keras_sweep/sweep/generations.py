"""Which generation is next: the record's last one, asked again where it is incomplete, or one that is asked anew."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.search.engine import Engine
from keras_sweep.trial.result import Result, Suggestion


@dataclass
class Generation:
    """Suggestions that were asked at once, and what has become of them so far."""

    index: int  # counted from 0 within the sweep
    asked: list[Suggestion]
    done: list[Result] = field(default_factory=list)  # in the record, in the order of their numbers
    waiting: dict[int, Result] = field(default_factory=dict)  # ended, in the spool until their turn comes, by number
    resumed: bool = False  # whether some had ended before it was asked this time

    @property
    def is_recorded(self) -> bool:
        """Whether all of it is in the record."""
        return len(self.done) == len(self.asked)

    def wanted(self, total: int) -> frozenset[int]:
        """The trials of a sweep of so many that are not in the record yet."""
        recorded = {result.number for result in self.done}
        return frozenset(one.number for one in self.asked if one.number < total) - recorded

    def take_up(self, record: TrialRecord, total: int, engine: str, runner: str) -> None:
        """Find in the spool what an earlier run, or try, trained of it. What was asked otherwise is discarded."""
        wanted = self.wanted(total)
        asked = {one.number: one for one in self.asked if one.number in wanted}
        for number, result in record.waiting(asked).items():
            was, one = result.suggestion, asked[number]
            same = (was.params, was.generation, was.continues) == (one.params, one.generation, one.continues)
            if same and (result.engine, result.runner) == (engine, runner):
                self.waiting[number] = result
            else:
                record.discard(number)
        self.resumed = bool(self.done or self.waiting)


class Generations:
    """An engine that has been told of all complete generations, and gives the next one."""

    engine: Engine  # another one after `reopen`, and perhaps after `close`
    _index: int  # of the generation that is asked next
    opened: Generation | None  # the next one, where the record holds it in part, so that the engine was asked for it

    def __init__(
        self,
        make_engine: Callable[[], Engine],
        size: int,
        finished: Sequence[Result],
        wall: WallTime,
        ahead: int = 1,
    ) -> None:
        """Rebuild the engine, made anew, from the trials of the record; `size` is that of a generation.

        Of an engine that does not learn `ahead` generations are taken as one. Its time counts as `sampler`.
        """
        self._make_engine = make_engine
        self._size = size
        self._ahead = ahead
        self._wall = wall
        with wall.phase("sampler"):
            self._rebuild(finished)

    def next(self) -> Generation:
        """The generation that is incomplete, or else a new one, which is empty where the space is exhausted."""
        if self.opened is not None:
            generation, self.opened = self.opened, None
            return generation
        with self._wall.phase("sampler"):
            return Generation(self._index, self._ask())

    def close(self, generation: Generation, finished: Sequence[Result]) -> None:
        """The generation is in the record, so that the engine learns of it."""
        if generation.resumed:  # the runner ended with what was missing, perhaps before the last rungs of the others
            self.reopen(finished)
            return
        with self._wall.part("sampler"):
            self.engine.tell(generation.done)
            self._index = generation.asked[-1].generation + 1

    def reopen(self, finished: Sequence[Result]) -> None:
        """Forget what the engine has seen since, and begin again from what the record holds."""
        with self._wall.part("sampler"):
            self._rebuild(finished)

    def _rebuild(self, finished: Sequence[Result]) -> None:
        recorded = [list(group) for _, group in groupby(finished, key=lambda result: result.suggestion.generation)]
        self.engine, self._index, self.opened = self._make_engine(), 0, None
        if not recorded:
            return
        *earlier, last = recorded
        self._index = last[0].suggestion.generation
        if len(last) < self.engine.generation_size(self._index, self._size):
            self.engine.replay(earlier)
            again = self._ask()
            begins = all(
                (one.number, one.params) == (result.number, result.suggestion.params)
                for one, result in zip(again, last, strict=False)
            )
            if begins and len(again) > len(last):
                self.opened = Generation(self._index, again, last)
                return
            # The generation is complete, or was asked with another engine or size and can't be continued: begin the
            # next with an engine that has not been asked yet.
            self.engine = self._make_engine()
        self.engine.replay(recorded)
        self._index += 1

    def _ask(self) -> list[Suggestion]:
        size = self.engine.generation_size(self._index, self._size)
        started = time.perf_counter()
        asked = self.engine.ask_ahead(size, self._ahead)
        seconds = (time.perf_counter() - started) / max(len(asked), 1)
        return [
            replace(one, generation=self._index + place // size, sampler_seconds=seconds)
            for place, one in enumerate(asked)
        ]
