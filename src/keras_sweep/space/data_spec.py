"""The sections `data` and `split` of a space file, and the kinds of data sources."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PositiveInt
from pydantic.dataclasses import dataclass

from keras_sweep.space.plugins import Plugins

STRICT = ConfigDict(strict=True, extra="forbid", defer_build=True)  # `"1"` is not a number, `1` is not true
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]  # the range of `keras.utils.set_random_seed`
Text = Annotated[str, Field(min_length=1)]
DECIMAL = "the decimal separator, if the columns leave open whether 1,101 is 1101 or 1.101"
DATES = "the order of day and month, if the columns leave open whether 02/03/2024 is in March or February"
SEPARATOR = "the character between two fields"


def default(value: Any, description: str, **bounds: Any) -> Any:
    return Field(default=value, description=description, **bounds)


def optional(description: str, **bounds: Any) -> Any:
    """Declare a key that a space file may leave out, but not set to `null`. `bounds` are for pydantic: `ge=0`."""
    return Field(default_factory=lambda: None, description=description, **bounds)


@dataclass(config=STRICT, frozen=True, slots=True)
class Split:
    """How rows are held out for validation and test, if the data have no split of their own."""

    validation: float = default(0.2, "share of validation rows among the rows that are not test rows", gt=0, lt=1)
    test: float = default(0.2, "share of test rows among all rows", ge=0, lt=1)
    seed: Seed = default(42, "seed of the random split")
    stratify: bool = default(False, "keep the shares of the classes in each part")
    folds: int = default(
        0, "number of folds, in place of `validation`: each trial trains once per fold; 0 for no folds", ge=0, le=100
    )
    groups: Text | None = default(None, "column or array of groups: the rows of a group stay in the same part")
    time: Text | None = default(None, "column or array of times: training rows are the earliest, test rows the latest")

    @property
    def by(self) -> str | None:
        """The column or array that decides the split and is not a feature; None for a random split."""
        return self.groups or self.time


@dataclass(config=STRICT, frozen=True, slots=True)
class TableOptions:
    """How the columns of a table are read."""

    columns: Sequence[Text] = default((), "use these columns only; by default all")
    drop: Sequence[Text] = default((), "leave out these columns, for example ids", examples=[["id"]])
    categories: Sequence[Text] = default((), "columns of numbers to treat as categories")
    missing: Sequence[str | int | float] = default(
        (), "values that mark a missing value; an empty field always does", examples=[["NA", "?"]]
    )
    text: Text | None = default(None, "the column of texts; your own model then gets this column alone")
    missing_target: Literal["drop"] = optional("leave out rows without a target; by default they are an error")
    decimal: Literal[".", ","] = optional(DECIMAL)
    dates: Literal["day-first", "month-first"] = optional(DATES)


@dataclass(config=STRICT, frozen=True, slots=True)
class CsvOptions(TableOptions):
    """How the columns of a CSV file are read."""

    separator: str = default(",", SEPARATOR, min_length=1, max_length=1)


@dataclass(config=STRICT, frozen=True, slots=True, kw_only=True)
class SqlOptions(TableOptions):
    """How the columns of a query's result are read, and which database runs the query."""

    database: Text = Field(
        description="an SQLite file beside the space file, or an SQLAlchemy URL; $NAME is an environment variable",
        examples=["shop.db", "postgresql://me:$PASSWORD@localhost/shop"],
    )


@dataclass(config=STRICT, frozen=True, slots=True)
class ImageOptions:
    """How pictures are read."""

    size: Sequence[PositiveInt] = default((64, 64), "height and width in pixels", min_length=2, max_length=2)
    color: Literal["rgb", "grayscale"] = default("rgb", "3 channels (`rgb`) or 1 (`grayscale`)")


@dataclass(config=STRICT, frozen=True, slots=True)
class SeriesOptions:
    """How windows are cut from a series."""

    window: PositiveInt = optional("number of past rows that the model gets for a prediction")
    horizon: PositiveInt = default(1, "number of rows from the end of the window to the target")
    longest: int = default(0, "the largest `window` of a parameter: validation targets begin after it", ge=0)
    separator: str = default(",", SEPARATOR, min_length=1, max_length=1)
    decimal: Literal[".", ","] = optional(DECIMAL)
    dates: Literal["day-first", "month-first"] = optional(DATES)


@dataclass(config=STRICT, frozen=True, slots=True)
class PythonOptions:
    """How your function that returns rows is called, and how its dataset is read."""

    steps_per_epoch: PositiveInt = optional("batches per epoch of a training dataset that never ends")
    arguments: Mapping[str, Any] = Field(default_factory=dict, description="keyword arguments of the function")


@dataclasses.dataclass(frozen=True, slots=True)
class DataSpec:
    """The data of a sweep: a data set by name, a file with a target column, a folder, or a user's function."""

    kind: str  # "named", or a kind of source: "csv", "parquet", "npz", "python", ...
    source: str  # the name; the file's absolute path; "module:function"
    target: str | None = None  # the label column of a table, the label array of an npz
    split: Split = dataclasses.field(default_factory=Split)
    weights: str | None = None  # the column of sample weights of a table
    options: Any = None  # the section of options of the kind, if the kind has options
    transform: Literal["log", "standard"] | None = None  # of a target of numbers, before the model learns it
    inputs: tuple[str, ...] = ()  # table columns that are inputs of the model by name; known once the model is built

    @property
    def words(self) -> dict[str, Any]:
        """The source's options (name -> value) for model cards, without empty options and the default separator ","."""
        options = {} if self.options is None else dataclasses.asdict(self.options)
        return {name: value for name, value in options.items() if value and (name, value) != ("separator", ",")}


@dataclasses.dataclass(frozen=True, slots=True)
class TargetScale:
    """How a target becomes the numbers that the model learns. Mean and deviation are of the training rows."""

    transform: str  # "log": log(1 + target); "standard": (target - mean) / deviation
    mean: float  # of the targets or their logarithms
    deviation: float = 1.0


@dataclasses.dataclass(frozen=True)
class Source:
    """A kind of data source, from this package or a plugin. A space file names the source: `data: {KIND: TEXT, ...}`.
    A fingerprint of all rows shows whether data have changed since a sweep, so a source must keep the rows' order."""

    read: Callable[[DataSpec, Path], Any]  # (data, folder of the space file) -> `SourceRows`; raises DataError
    doc: str | None = None  # the description in the schema
    names: Literal["file", "folder", "function", "data set"] | None = None  # what TEXT names; None: anything else
    options: Any = None  # the section of all further keys; for a table `TableOptions`, or a subclass
    target: str = "the column to predict"  # the description of the key `target`; "" if the source has no target
    needs: tuple[str, ...] = ()  # required keys: options, or `target`, which a table always requires
    pandas: str = ""  # Python code that reads a `table` from `path`; may use {text}, {separator} and {gaps}
    # Returns the server that the source connects to, or None. Without `trust` a record never connects or runs code.
    server: Callable[[DataSpec], str | None] = lambda _: None

    @property
    def is_path(self) -> bool:
        """Whether the source reads a file or folder. Its modification time then shows whether rows are unchanged."""
        return self.names in ("file", "folder")

    @property
    def is_table(self) -> bool:
        """Whether the source is a table, with a target column and maybe a column of weights."""
        return self.options is not None and issubclass(self.options, TableOptions)


def _load_late(function: str) -> Callable[..., Any]:
    """Return a stand-in for "module:function" of `keras_sweep.data`. It imports the module when it is first called."""
    return lambda *arguments: resolve_name(f"keras_sweep.data.{function}")(*arguments)


_PANDAS_CSV = "table = pd.read_csv(path, sep={separator!r}, na_values={gaps}, keep_default_na=False, low_memory=False)"
_PANDAS_SQL = "import sqlite3\ntable = pd.read_sql({text!r}, path if '://' in str(path) else sqlite3.connect(path))"
_QUERY = "The rows of a database query, `select ... order by ...`, with a target column."
_SERIES = "A CSV file whose rows are in time order."
_CSV, _SQL = _load_late("table_files:read_csv"), _load_late("sql_query:read_sql")
NAMED = Source(_load_late("source:read_named"), names="data set")
NO_DATA = DataSpec("named", "none")  # of an objective function, which reads its own data
SOURCES: Plugins[Source] = Plugins(
    "source",
    "keras_sweep.sources",
    {
        "csv": Source(_CSV, "A CSV file with a target column.", "file", CsvOptions, pandas=_PANDAS_CSV),
        "parquet": Source(
            _load_late("table_files:read_parquet"),
            "A Parquet file with a target column.",
            "file",
            TableOptions,
            pandas="table = pd.read_parquet(path)",
        ),
        "sql": Source(_SQL, _QUERY, options=SqlOptions, pandas=_PANDAS_SQL, server=_load_late("sql_query:server_of")),
        "npz": Source(_load_late("array_sources:read_npz"), "NumPy arrays.", "file", target="the array to predict"),
        "images": Source(
            _load_late("image_folder:read_images"),
            "A folder of pictures, with a subfolder for each class.",
            "folder",
            ImageOptions,
            target="",
        ),
        "series": Source(_load_late("series:read_series"), _SERIES, "file", SeriesOptions, needs=("target", "window")),
        "python": Source(
            _load_late("array_sources:call_python"), "Rows from your function.", "function", PythonOptions, target=""
        ),
    },
)


def find_source(kind: str) -> Source:
    """Return the source of a kind, like "csv"; "named" is for data sets that keras-sweep knows by name.
    Raises UsageError if the kind is unknown or can't be imported."""
    return NAMED if kind == "named" else SOURCES.find(kind)
