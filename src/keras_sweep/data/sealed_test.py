"""Keep test rows from the search: only this module hands them out, and only to the evaluation after the search. Before
the search, `seal` checks that test rows can be evaluated, and returns their fingerprint."""

from dataclasses import replace

from keras_sweep.data.search_data import Rows, SearchData, fingerprint
from keras_sweep.data.source import Features, image_set
from keras_sweep.data.split import Encoding, encode_pictures, fit_encoding, read_parts
from keras_sweep.errors import DataError
from keras_sweep.space.sweep_spec import SweepSpec


def seal(encoding: Encoding) -> tuple[int, str | None]:
    """Return (number of test rows, their SHA-256 in hex). The SHA-256 is None for a published set, and without test
    rows. Raises DataError if test rows can't be encoded."""
    if (pictures := encoding.parts.source.pictures) is not None:  # the files are checked when they are read
        return pictures.test_rows, None
    if encoding.parts.test is None:
        return 0, None
    rows = encoding.rows("test")
    return len(rows), fingerprint(rows)


def open_test(spec: SweepSpec, data: SearchData, like: SearchData | None = None, *, exported: bool = False) -> Rows:
    """Return the encoded test rows of `data`, the search's data. `like` is the data that the model trained on, if it is
    other data: preprocessing of `like`, if any, encodes x. If `exported`, x is as the exported model takes it. Raises
    DataError if there are no test rows, or if any rows have changed since the search."""
    rows, raw = _open_rows(spec, data)
    if like is None or like.preprocessing is None:
        return rows
    return replace(rows, x=like.preprocessing.inputs(raw) if exported else like.preprocessing.transform(raw))


def _open_rows(spec: SweepSpec, data: SearchData) -> tuple[Rows, Features]:
    if not data.test_rows:
        hint = "Add test rows, or give all rows together and set `split: {test: 0.2}`"
        raise DataError(f"{data.name} has no test rows", hint=hint)
    if (pictures := image_set(spec.data)) is not None:
        images, labels = pictures.test_arrays()
        return encode_pictures(spec, pictures, images, labels), images
    encoding = fit_encoding(spec, read_parts(spec), data.preprocessing)
    assert encoding.parts.test is not None
    test = encoding.rows("test")
    is_same = fingerprint(*encoding.encode_search(), folds=encoding.parts.folds) == data.fingerprint
    if not is_same or data.test_fingerprint not in (None, fingerprint(test)):
        raise DataError(
            f"the {'test ' * is_same}rows of {data.name} have changed since the search, so they can't test its winner",
            hint="Restore the old rows, or run the sweep again with `--fresh`. If a function shuffles, fix its seed",
        )
    return encoding.encode_part("test", test), encoding.parts.test.x
