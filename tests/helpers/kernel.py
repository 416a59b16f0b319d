"""A real kernel of a notebook: run cells, interrupt it, and see what a frontend is sent."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

from tests.helpers.command import PATIENCE, _variables

Message = dict[str, Any]


class Cell:
    """The messages that a kernel sent for a cell, without states."""

    def __init__(self, messages: list[tuple[str, Message]]) -> None:
        self.messages = messages

    @property
    def errors(self) -> list[str]:
        """The text of each traceback, without colours."""
        found = ["\n".join(content["traceback"]) for kind, content in self.messages if kind == "error"]
        return [re.sub(r"\x1b\[[\d;]*m", "", text) for text in found]

    @property
    def text(self) -> str:
        """Everything that was printed, and the text of results."""
        printed = [content.get("text") or content.get("data", {}).get("text/plain", "") for _, content in self.messages]
        return "".join(printed)

    @property
    def displays(self) -> list[str]:
        """The HTML of each new output. A frontend without updates of outputs shows nothing else."""
        return [content["data"]["text/html"] for kind, content in self.messages if kind == "display_data"]

    def ok(self) -> "Cell":
        assert not self.errors, self.errors[0]
        return self


class Kernel:
    def __init__(self, manager: KernelManager) -> None:
        self._manager = manager
        self._client = manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE)

    def run(self, code: str, *texts: str) -> Cell:
        """Run a cell. When it prints the first of `texts`, the kernel is interrupted, then when it prints the next."""
        messages = list[tuple[str, Message]]()
        waits = list(texts)

        def keep(message: Message) -> None:
            kind, content = message["msg_type"], message["content"]
            if kind not in ("status", "execute_input"):
                messages.append((kind, content))
            if waits and kind == "stream" and waits[0] in content["text"]:
                waits.pop(0)
                self._manager.interrupt_kernel()

        self._client.execute_interactive(code, timeout=PATIENCE, output_hook=keep, allow_stdin=False)
        assert not waits, f"the cell never printed {waits}: {Cell(messages).errors}"
        return Cell(messages)


@contextmanager
def open_kernel(folder: Path, **environment: str) -> Iterator[Callable[..., Cell]]:
    """Start a kernel in a folder, without KERAS_BACKEND. Inside of the block, a call runs a cell: `Kernel.run`."""
    manager = KernelManager(kernel_name="python3")
    variables = {**_variables(), **environment}
    manager.start_kernel(cwd=str(folder), env=variables, extra_arguments=["--log-level=ERROR"])
    try:
        yield Kernel(manager).run
    finally:
        manager.shutdown_kernel(now=True)
