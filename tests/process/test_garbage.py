import gc
import subprocess
import sys
import weakref

from keras_sweep.process.backend import only_new_garbage


def test_what_was_there_is_not_looked_at_and_what_is_new_is_collected():
    class Cycle:
        def __init__(self):
            self.itself = self

    before, frozen = weakref.ref(Cycle()), gc.get_freeze_count()
    with only_new_garbage():
        new = weakref.ref(Cycle())
        gc.collect()
        assert (before() is not None, new()) == (True, None)
    gc.collect()
    assert (before(), gc.get_freeze_count()) == (None, frozen)


AT_THE_END = """
import atexit, gc
from keras_sweep.process.backend import skip_teardown_at_exit
atexit.register(lambda: print(gc.get_freeze_count()))  # runs after what is registered later
skip_teardown_at_exit()
skip_teardown_at_exit()
"""


def test_at_the_end_of_the_process_everything_is_left_as_it_is():
    done = subprocess.run([sys.executable, "-c", AT_THE_END], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 1000
