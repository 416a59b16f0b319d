"""What tests of training share."""

import pytest

from keras_sweep.data.search_data import SearchData
from tests.helpers.factory import digits


@pytest.fixture(scope="session")
def data() -> SearchData:
    """Three hundred rows of digits to train on, a hundred to validate on."""
    return digits()
