"""The ranked trials of a sweep as rows, as data frames, and as text."""

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
    """A sequence of ranked trials. A notebook shows it as a table.

    Attributes:
        rows: the ranked trials, as `top`, `where` and `sort` of `Sweep.leaderboard` select and order them.
        sweep: the record that the rows come from.
        where: the conditions that every row meets.
    """

    sweep: RecordedSweep
    where: tuple[str, ...] = ()

    @property
    def notices(self) -> list[str]:
        """Sentences for the user: why no row meets `where`, how many trials are unranked or from another program."""
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
        """Return a dict for each row: "rank", "number", "value", a dict "params", a dict "metrics" and more."""
        return [row_record(row) for row in self.rows]

    def to_polars(self) -> polars.DataFrame:
        """Return a polars DataFrame: a row per trial, columns as in `to_csv`, with `params.NAME` and `metrics.NAME`."""
        import polars

        return polars.DataFrame(flat_records(self.rows), infer_schema_length=None, strict=False)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a pandas DataFrame with the columns of `to_polars`.

        Raises:
            MissingPackage: pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError:
            raise MissingPackage("pandas is not installed", hint="pip install pandas") from None
        return pandas.DataFrame(flat_records(self.rows))

    def to_markdown(self) -> str:
        """Return a Markdown table of the rows, and below it notes on ties and more as a list."""
        return leaderboard_markdown(self)

    def to_csv(self) -> str:
        """Return the rows as CSV with a header: rank, number, value, `params.NAME`, `metrics.NAME` and more."""
        return leaderboard_csv(self.rows)

    def to_json(self) -> str:
        """Return `to_records()` as the text of a JSON list. NaN and infinity become null."""
        return json_list(self.to_records())

    def __repr__(self) -> str:
        return self.to_markdown()

    def _repr_html_(self) -> str:
        return leaderboard_html(self, title=self.sweep.folder.name)
