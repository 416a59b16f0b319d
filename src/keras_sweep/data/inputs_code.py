"""Plain Python, for a model's card, that turns raw rows of a table into its inputs by NumPy and pandas alone."""

from keras_sweep.data.table_columns import NumberColumn, TextColumn
from keras_sweep.data.table_dates import date_part
from keras_sweep.data.table_preprocessing import TablePreprocessing, input_name
from keras_sweep.space.data_spec import DataSpec


def inputs_code(data: DataSpec, preprocessing: object) -> dict[str, str]:
    """`inputs`: code that makes `x` for `predict`, of the file `path` or a DataFrame `table`; {} for other rows."""
    if not isinstance(preprocessing, TablePreprocessing) or preprocessing.steps:
        return {}
    missing = list(getattr(data.options, "missing", ()))
    lines = ["import numpy as np, pandas as pd"]
    if data.kind == "csv":
        separator = getattr(data.options, "separator", ",")
        gaps = f"na_values={['', *missing]}, keep_default_na=False, low_memory=False"
        lines.append(f"table = pd.read_csv(path, sep={separator!r}, {gaps})")
    elif data.kind == "parquet":
        lines += ["table = pd.read_parquet(path)", *([f"table = table.mask(table.isin({missing}))"] if missing else [])]
    if preprocessing.takes_matrix:
        names = [column.name for column in preprocessing.columns]
        others = [name for name in (data.target, data.weights, data.split.by) if name is not None]
        columns = f"[{names}]" if preprocessing.by_name else f".drop(columns={others}, errors='ignore')"
        return {"inputs": "\n".join([*lines, f"x = table{columns}.to_numpy('float32')"])}
    used = [column for column in preprocessing.columns if column.used]
    numbers = [column.name for column in used if isinstance(column, NumberColumn)]
    parts = [(input_name(name), *found) for name in numbers if (found := date_part(name)) is not None]
    dates = [(name, column, part.replace("weekday", "day_of_week")) for name, column, part in parts]
    plain = [(input_name(name), name) for name in numbers if date_part(name) is None]
    texts = [(input_name(one.name), one.name, one.width) for one in used if isinstance(one, TextColumn)]
    lines.append(f"x = {{n: pd.to_numeric(table[c]).to_numpy('float32')[:, None] for n, c in {plain}}}")
    if dates:
        date = "pd.to_datetime(table[c], dayfirst=not table[c].astype(str).str.match('[0-9]{4}').any())"
        part = f"getattr({date}.dt, p).to_numpy('float32')[:, None] + (p == 'day_of_week')"
        lines.append(f"x |= {{n: {part} for n, c, p in {dates}}}")
    if texts:
        text = "table[c].convert_dtypes().astype('string').fillna('')"
        codes = f"np.array({text}.tolist(), f'<U{{w}}').view('<i4').reshape(-1, w)"
        lines.append(f"x |= {{n: {codes} for n, c, w in {texts}}}")
    return {"inputs": "\n".join(lines)}
