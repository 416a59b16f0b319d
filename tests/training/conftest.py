"""What tests of training share."""

import numpy as np
import pytest

from keras_sweep.data.search_data import SearchData
from tests.helpers.factory import digits
from tests.helpers.lane_trials import with_labels


@pytest.fixture(scope="session")
def data() -> SearchData:
    """Nine batches of digits to train on, three to validate on."""
    return digits()


@pytest.fixture(scope="session")
def uneven() -> SearchData:
    """Short batches at the end, and many rows of one class."""
    return with_labels(digits(300, 100), lambda y: np.where(y > 6, 0, y))
