"""The ranked trials of a sweep, as rows, tables of other libraries, and text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, overload

from keras_sweep.api.edge import cut_tracebacks
from keras_sweep.errors import MissingPackage
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.trial_record import describe_foreign_trials, list_waiting
from keras_sweep.views.leaderboard.formats import (
    flat_records,
    json_list,
    leaderboard_csv,
    leaderboard_markdown,
    row_record,
)
from keras_sweep.views.leaderboard.rows import LeaderboardRow, Ranking, explain_no_rows
from keras_sweep.views.notebook import leaderboard_html
from keras_sweep.views.terminal.text import waiting_text

if TYPE_CHECKING:
    import pandas
    import polars


@cut_tracebacks
@dataclass(frozen=True, slots=True, repr=False)
class Leaderboard(Ranking, Sequence[LeaderboardRow]):
    """Rows in the order that was asked for. In a notebook it is shown as a table."""

    sweep: RecordedSweep  # at the moment when it was read
    where: tuple[str, ...] = ()  # what the rows meet that are shown

    @property
    def notices(self) -> list[str]:
        """Why no row is shown, and which trials are not there: those that wait for their turn, those of others."""
        facts, trials = self.sweep.facts, len(self.sweep.results)
        waiting = list_waiting(self.sweep.folder, trials, facts.trials)
        texts = [explain_no_rows(self.ranked, self.where)] if self.where and self.ranked and not self.rows else []
        texts += [waiting_text(len(waiting))] if waiting else []
        return texts + ([describe_foreign_trials(facts.foreign, trials)] if facts.foreign else [])

    @overload
    def __getitem__(self, index: int) -> LeaderboardRow: ...

    @overload
    def __getitem__(self, index: slice) -> Leaderboard: ...

    def __getitem__(self, index: int | slice) -> LeaderboardRow | Leaderboard:
        return replace(self, rows=self.rows[index]) if isinstance(index, slice) else self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def to_records(self) -> list[dict[str, Any]]:
        """One dict a row, as `sweep leaderboard --format json` has them."""
        return [row_record(row) for row in self.rows]

    def to_polars(self) -> polars.DataFrame:
        """A polars DataFrame with a column a parameter (`params.NAME`) and metric (`metrics.NAME`)."""
        import polars

        return polars.DataFrame(flat_records(self.rows), infer_schema_length=None, strict=False)

    def to_pandas(self) -> pandas.DataFrame:
        """The same as a pandas DataFrame.

        Raises MissingPackage: pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError:
            raise MissingPackage("pandas is not installed", hint="pip install pandas") from None
        return pandas.DataFrame(flat_records(self.rows))

    def to_markdown(self) -> str:
        """The table as Markdown, with the notes that belong to it."""
        return leaderboard_markdown(self)

    def to_csv(self) -> str:
        """The table as CSV."""
        return leaderboard_csv(self.rows)

    def to_json(self) -> str:
        """The rows as JSON."""
        return json_list(self.to_records())

    def __repr__(self) -> str:
        return self.to_markdown()

    def _repr_html_(self) -> str:
        return leaderboard_html(self, title=self.sweep.folder.name)
