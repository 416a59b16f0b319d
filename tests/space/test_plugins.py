"""Members by name: none is imported before it is used, and a clear word where there is none."""

import json

import pytest

from keras_sweep.errors import UsageError
from keras_sweep.space.plugins import Plugins


@pytest.fixture
def samplers() -> Plugins[object]:
    return Plugins("sampler", "keras_sweep.nobody_has_these", {"own": 7, "lazy": "json:dumps", "gone": "json:nothing"})


def test_members_are_found_by_name_in_the_order_in_which_they_were_registered(samplers: Plugins[object]) -> None:
    samplers.register("mine", 8)
    assert list(samplers) == ["own", "lazy", "gone", "mine"] and len(samplers) == 4
    assert (samplers["own"], samplers["lazy"], samplers.find("mine")) == (7, json.dumps, 8)


def test_an_unknown_name_is_told_the_nearest_or_all(samplers: Plugins[object]) -> None:
    with pytest.raises(UsageError, match=r"there is no sampler 'lazi'\. Did you mean `lazy`\?"):
        samplers.find("lazi")
    with pytest.raises(UsageError, match=r"there is no sampler 'xyz'\. Choose from own, lazy, gone"):
        samplers.find("xyz")


def test_a_name_that_is_taken_stays_what_it_is(samplers: Plugins[object]) -> None:
    with pytest.raises(ValueError, match="a sampler named 'own' already exists"):
        samplers.register("own", 8)
