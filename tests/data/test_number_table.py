from __future__ import annotations

import numpy as np
import pytest

from keras_sweep.data.number_table import NumberTable, polars_table
from keras_sweep.data.table_preprocessing import TablePreprocessing
from keras_sweep.errors import TableError


@pytest.fixture
def table():
    values = np.random.default_rng(0).normal(3, 10, (40, 4))
    values[:, 2] = 7.5
    return NumberTable(("a", "*", "^b$", "c d"), values)


def test_it_is_the_table_that_polars_has(table):
    same = table.to_polars()
    assert (tuple(same.columns), same.shape, len(same)) == (table.columns, table.shape, len(table))
    assert np.array_equal(same.to_numpy(), table.values)
    assert np.array_equal(polars_table(table[np.array([3, 1])]).to_numpy(), table.values[[3, 1]])
    assert np.array_equal(table.matrix(["c d", "a"]), table.values[:, [3, 0]])
    assert polars_table(same) is same
    assert table.get_column("*").to_list() == table.values[:, 1].tolist()


def test_it_is_preprocessed_as_the_table_of_polars_is(table):
    rows, train = table[np.arange(30, 40)], table[np.arange(30)]
    ours, notices = TablePreprocessing.fit(train)
    theirs, of_theirs = TablePreprocessing.fit(train.to_polars())
    assert (ours, notices) == (theirs, of_theirs)
    assert notices == ("column '^b$' is dropped: it has one value, '7.5', in the training rows",)
    assert np.array_equal(ours.transform(rows), theirs.transform(rows.to_polars()))
    assert np.array_equal(ours.inputs(rows), theirs.inputs(rows.to_polars()), equal_nan=True)


def test_its_faults_are_those_of_the_table_of_polars(table):
    table.values[:, 1] *= 1e35
    faults = []
    for each in (table, table.to_polars()):
        with pytest.raises(TableError) as caught:
            TablePreprocessing.fit(each)
        faults.append(str(caught.value))
    assert faults[0] == faults[1] and "beyond 1e+30" in faults[0]
