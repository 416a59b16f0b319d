"""Sweeps that nothing befell are compared with many that something did: each is run once for all workers."""

import os

import pytest

# Windows lacks what these import: terminals, limits of a process.
collect_ignore = [] if hasattr(os, "fork") else ["test_signals.py", "test_load.py"]


@pytest.fixture(scope="session", autouse=True)
def _whole_sweeps(made_once) -> None:
    from tests.helpers import whole_sweeps

    whole_sweeps.made_once = made_once
