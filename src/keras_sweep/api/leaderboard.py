"""The ranked trials of a sweep, as rows, tables of other libraries, and text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from keras_sweep.space.search_space import Objective
from keras_sweep.trial.comparison import Comparison
from keras_sweep.views.leaderboard.formats import (
    flat_records,
    leaderboard_csv,
    leaderboard_json,
    leaderboard_markdown,
    row_record,
)
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.notebook import leaderboard_html

if TYPE_CHECKING:
    import pandas
    import polars


class Leaderboard(Sequence[LeaderboardRow]):
    """Rows in the order that was asked for. In a notebook it is shown as a table."""

    def __init__(
        self,
        rows: Sequence[LeaderboardRow],
        objective: Objective,
        of: Sequence[LeaderboardRow],
        comparison: Comparison | None = None,
        *,
        name: str,
    ) -> None:
        """`of` is the whole leaderboard that the rows were chosen from; `name` the sweep's."""
        self._name = name
        self._rows = tuple(rows)
        self._objective = objective
        self._of = tuple(of)
        self._comparison = comparison

    @overload
    def __getitem__(self, index: int) -> LeaderboardRow: ...

    @overload
    def __getitem__(self, index: slice) -> Leaderboard: ...

    def __getitem__(self, index: int | slice) -> LeaderboardRow | Leaderboard:
        if isinstance(index, slice):
            return Leaderboard(self._rows[index], self._objective, self._of, self._comparison, name=self._name)
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[LeaderboardRow]:
        return iter(self._rows)

    def to_records(self) -> list[dict[str, Any]]:
        """One dict a row, as `sweep leaderboard --format json` has them."""
        return [row_record(row) for row in self._rows]

    def to_polars(self) -> polars.DataFrame:
        """A polars DataFrame with a column a parameter (`params.NAME`) and metric (`metrics.NAME`)."""
        import polars

        return polars.DataFrame(flat_records(self._rows), infer_schema_length=None, strict=False)

    def to_pandas(self) -> pandas.DataFrame:
        """The same as a pandas DataFrame.

        Raises:
            MissingPackage: pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError:
            from keras_sweep.errors import MissingPackage

            raise MissingPackage("pandas is not installed", hint="pip install pandas") from None
        return pandas.DataFrame(flat_records(self._rows))

    def to_markdown(self) -> str:
        """The table as Markdown, with the notes that belong to it."""
        return leaderboard_markdown(self._rows, self._objective, self._comparison, of=self._of)

    def to_csv(self) -> str:
        """The table as CSV."""
        return leaderboard_csv(self._rows)

    def to_json(self) -> str:
        """The rows as JSON."""
        return leaderboard_json(self._rows)

    def __repr__(self) -> str:
        return self.to_markdown()

    def _repr_html_(self) -> str:
        return leaderboard_html(self._rows, self._objective, comparison=self._comparison, of=self._of, title=self._name)
