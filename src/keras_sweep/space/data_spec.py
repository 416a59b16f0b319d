"""What `data` and `split` of a space file say: where rows come from, how they are read, how they are held out."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PositiveInt
from pydantic.dataclasses import dataclass

from keras_sweep.space.plugins import Plugins

STRICT = ConfigDict(strict=True, extra="forbid", defer_build=True)  # `"1"` is no number, `1` is not true
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]  # what `keras.utils.set_random_seed` takes
Text = Annotated[str, Field(min_length=1)]
DECIMAL = "what stands before a fraction, if the columns leave it open: 1,101 is 1101 or 1.101"
DATES = "which stands first, if the columns leave it open: 02/03/2024 is in March or in February"


def optional(description: str, **bounds: Any) -> Any:
    """A key that may be left out; `null` does not stand for that."""
    return Field(default_factory=lambda: None, description=description, **bounds)


@dataclass(config=STRICT, frozen=True, slots=True)
class Split:
    """How rows are held out where the source brings no split of its own."""

    validation: float = Field(default=0.2, gt=0, lt=1, description="share of the rows that are not test rows")
    test: float = Field(default=0.2, ge=0, lt=1, description="share of all rows")
    seed: Seed = 42
    stratify: bool = Field(default=False, description="keep the shares of the classes")
    folds: int = Field(
        default=0,
        ge=0,
        le=100,
        description="instead of `validation`: train each trial once a fold, and score each row by the training that "
        "left it out; the winner is then trained once more on all of these rows",
    )
    groups: Text | None = Field(default=None, description="a column, or array: none of its groups is on both sides")
    time: Text | None = Field(default=None, description="a column, or array: validation is later, and test the latest")

    @property
    def by(self) -> str | None:
        """The column or array that says where rows go, which is no feature; None: they go by chance."""
        return self.groups or self.time


@dataclass(config=STRICT, frozen=True, slots=True)
class TableOptions:
    """How the columns of a table are read."""

    columns: Sequence[Text] = Field(default=(), description="learn from these alone")
    drop: Sequence[Text] = Field(default=(), description="leave these out, such as ids", examples=[["id"]])
    categories: Sequence[Text] = Field(default=(), description="columns of numbers that are names of categories")
    missing: Sequence[str | int | float] = Field(
        default=(), description="what stands for no value beside an empty field", examples=[["NA", "?"]]
    )
    text: Text | None = Field(default=None, description="the column of texts that a model of yours takes, and no other")
    missing_target: Literal["drop"] = optional("leave out rows that have no target; by default they are an error")
    decimal: Literal[".", ","] = optional(DECIMAL)
    dates: Literal["day-first", "month-first"] = optional(DATES)


@dataclass(config=STRICT, frozen=True, slots=True)
class CsvOptions(TableOptions):
    """How the columns of a CSV file are read."""

    separator: str = Field(default=",", min_length=1, max_length=1, description="what stands between two fields")


@dataclass(config=STRICT, frozen=True, slots=True, kw_only=True)
class SqlOptions(TableOptions):
    """How the columns of a query are read, and which database it asks."""

    database: Text = Field(
        description="an SQLite file, or the URL by which SQLAlchemy opens another database; $NAME is an environment "
        "variable",
        examples=["shop.db", "postgresql://me:$PASSWORD@localhost/shop"],
    )


@dataclass(config=STRICT, frozen=True, slots=True)
class ImageOptions:
    """How pictures are read."""

    size: Sequence[PositiveInt] = Field(default=(64, 64), min_length=2, max_length=2, description="height and width")
    color: Literal["rgb", "grayscale"] = Field(default="rgb", description="`rgb` or `grayscale`")


@dataclass(config=STRICT, frozen=True, slots=True)
class SeriesOptions:
    """How windows are taken from a series."""

    window: PositiveInt = optional("rows of all columns that a prediction is made from")
    horizon: PositiveInt = Field(default=1, description="how many rows after the window's last the target stands")
    longest: int = Field(default=0, ge=0, description="of several windows: validation targets begin after it for all")
    separator: str = Field(default=",", min_length=1, max_length=1, description="what stands between two fields")
    decimal: Literal[".", ","] = optional(DECIMAL)
    dates: Literal["day-first", "month-first"] = optional(DATES)


@dataclass(config=STRICT, frozen=True, slots=True)
class PythonOptions:
    """How what a function returns is trained on."""

    steps_per_epoch: PositiveInt = optional("batches of a training dataset, which `fit` then iterates as it is")
    arguments: Mapping[str, Any] = Field(default_factory=dict, description="what the function is called with")


@dataclasses.dataclass(frozen=True, slots=True)
class DataSpec:
    """Where rows come from: a known name, a file with a target column, a folder, or a user's function."""

    kind: str  # "named", or a kind of source: "csv", "parquet", "npz", "python", ...
    source: str  # the name; the file's absolute path; "module:function"
    target: str | None = None  # the label column of a table, the label array of an npz
    split: Split = dataclasses.field(default_factory=Split)
    weights: str | None = None  # the column of a table that says what rows count
    options: Any = None  # how the source is read: those of its kind, where that has some
    transform: Literal["log", "standard"] | None = None  # of a target of numbers: what the model learns in its place
    inputs: tuple[str, ...] = ()  # columns of a table that go to inputs of the model by name; known once it is built

    @property
    def words(self) -> dict[str, Any]:
        """What is said of how the source is read, as plain data; not what is so by default."""
        given = {} if self.options is None else dataclasses.asdict(self.options)
        return {name: value for name, value in given.items() if value and (name, value) != ("separator", ",")}


@dataclasses.dataclass(frozen=True, slots=True)
class TargetScale:
    """How a target of numbers and what the model learns in its place go together, by the training rows."""

    transform: str  # "log": log(1 + target); "standard": (target - mean) / deviation
    mean: float  # of the targets, or of their logarithms
    deviation: float = 1.0


@dataclasses.dataclass(frozen=True)
class Source:
    """A kind of source: all that is asked of one, whoever brings it. `data: {KIND: TEXT, ...}` names it.

    Its rows are the same where their fingerprint is, which is taken of all of them, in their order.
    """

    read: Callable[[DataSpec, Path], Any]  # `SourceRows`, from the folder of the space file. Raises DataError
    doc: str | None = None  # what it is
    names: Literal["file", "folder", "function", "data set"] | None = None  # what TEXT names; None: anything else
    options: Any = None  # the section of its further keys; those of a table are `TableOptions`, or derived from it
    target: str = "the column to predict"  # "" where it has none
    needs: tuple[str, ...] = ()  # of `target` and the options: what must be there; a table needs a target anyway
    pandas: str = ""  # the Python that reads a `table` from `path`, with {text}, {separator} and the texts of {gaps}
    server: Callable[[DataSpec], str | None] = lambda _: None  # which it asks: a record alone, as for code, does not

    @property
    def is_path(self) -> bool:
        """Whether it names a file or a folder, whose time of writing says whether the rows are the same."""
        return self.names in ("file", "folder")

    @property
    def is_table(self) -> bool:
        """Whether its rows are those of a table, which has a column of targets and may have one of weights."""
        return self.options is not None and issubclass(self.options, TableOptions)


def _later(function: str) -> Callable[..., Any]:
    """A function of `data/`, whose module is imported when it is called: to check a space file takes none of them."""
    return lambda *arguments: resolve_name(f"keras_sweep.data.{function}")(*arguments)


_PANDAS_CSV = "table = pd.read_csv(path, sep={separator!r}, na_values={gaps}, keep_default_na=False, low_memory=False)"
_PANDAS_SQL = "import sqlite3\ntable = pd.read_sql({text!r}, path if '://' in str(path) else sqlite3.connect(path))"
_QUERY = "The rows of a query, `select ... order by ...`, in its order, with a target column."
_SERIES = "A CSV file whose rows are in time order."
_CSV, _SQL = _later("table_files:read_csv"), _later("sql_query:read_sql")
NAMED = Source(_later("source:read_named"), names="data set")
SOURCES: Plugins[Source] = Plugins(
    "source",
    "keras_sweep.sources",
    {
        "csv": Source(_CSV, "A CSV file with a target column.", "file", CsvOptions, pandas=_PANDAS_CSV),
        "parquet": Source(
            _later("table_files:read_parquet"),
            "A Parquet file with a target column.",
            "file",
            TableOptions,
            pandas="table = pd.read_parquet(path)",
        ),
        "sql": Source(_SQL, _QUERY, options=SqlOptions, pandas=_PANDAS_SQL, server=_later("sql_query:server_of")),
        "npz": Source(_later("array_sources:read_npz"), "Arrays of NumPy.", "file", target="the array to predict"),
        "images": Source(
            _later("image_folder:read_images"),
            "A folder of pictures, in a folder a class.",
            "folder",
            ImageOptions,
            target="",
        ),
        "series": Source(_later("series:read_series"), _SERIES, "file", SeriesOptions, needs=("target", "window")),
        "python": Source(
            _later("array_sources:call_python"), "Rows from a function of yours.", "function", PythonOptions, target=""
        ),
    },
)


def find_source(kind: str) -> Source:
    """Find a kind of source, "named" for a data set. Raises UsageError: it is not there, or can't be imported."""
    return NAMED if kind == "named" else SOURCES.find(kind)
