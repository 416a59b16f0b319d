"""What tests of training share."""

import pytest

from keras_sweep.data.search_data import SearchData
from tests.helpers.factory import digits


@pytest.fixture(scope="session")
def data() -> SearchData:
    """Nine batches of digits to train on, three to validate on."""
    return digits()
