"""How much XLA optimizes what it compiles in the process of the tests.

Most of what the tests would wait for is XLA, which optimizes plain fits of a few steps for minutes of training. So it
is asked for low effort, as lanes with little to do ask for it themselves: a fifth of the time. Both sides that are
compared are plainer code then. Where the code should be that of a user's own script a test bears the mark
`full_effort`, as all of test_equals_fit.py does; commands, which are processes of their own, and `make soak` compile as
ever.
"""

from __future__ import annotations

import sys
from typing import Any

from keras_sweep.training.compiling import Effort

_is_low = False


def use_effort(*, low: bool) -> None:
    """From now on, what names no options of its own is compiled so.

    JAX is imported for it: were it imported by the first test, the sweep that a file's tests share would be compiled
    otherwise than those that are compared with it to the bit.
    """
    global _is_low
    if not low and "jax" not in sys.modules:
        return
    import jax
    from jax._src import compiler

    if compiler.get_compile_options is not _options:
        _jax_options.append(compiler.get_compile_options)
        compiler.get_compile_options = _options
    if low != _is_low:
        _is_low = low
        jax.clear_caches()  # or a program of the tests before might be used, whatever was asked of that one


_jax_options: list[Any] = []


def _options(*arguments: Any, env_options_overrides: Any = None, **more: Any) -> Any:
    named = {**(Effort.LOW.value if _is_low else {}), **(env_options_overrides or {})}
    return _jax_options[0](*arguments, env_options_overrides=named, **more)
