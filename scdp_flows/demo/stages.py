"""Tell the user which stage of a flow is running, and for how long."""

from __future__ import annotations

import logging
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console

__all__ = ["Stages", "elapsed_text", "watched"]

_STARTING = re.compile(r"^Starting job - (?P<name>.+) \([0-9a-f-]{36}(?:, \d+)?\)$")
# jobflow says which job starts; our own package reports progress where there is no terminal.
_LOGGERS = ("jobflow", "scdp_flows")


class Stages(logging.Handler):
    """Turn the log of jobflow into headings with the elapsed time.

    Parameters
    ----------
    console
        Where to write.
    meanings
        Name of a job → what it does, in a line. Names may be beginnings.
    clock
        Returns the time in s.
    """

    def __init__(
        self,
        console: Console,
        meanings: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(logging.INFO)
        self.console = console
        self.meanings = meanings
        self.clock = clock
        self.started = clock()
        self.seconds: dict[str, float] = {}
        """How long each stage took, by name; the last one is open until ``finish``."""
        self._current: tuple[str, float] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a heading when a job starts, and what our own package has to say."""
        text = record.getMessage()
        if found := _STARTING.match(text):
            self.begin(found["name"])
        elif record.name.startswith("scdp_flows") or record.levelno >= logging.WARNING:
            self.console.print(f"         {text}", markup=False, highlight=False)

    def begin(self, name: str) -> None:
        """Write the heading of a stage."""
        self._close()
        self._current = (name, self.clock())
        meaning = next((m for key, m in self.meanings.items() if name.startswith(key)), "")
        time_text = elapsed_text(self.clock() - self.started)
        self.console.print(f"[dim]\\[{time_text}][/dim] [bold]{name}[/bold]  {meaning}")

    def finish(self) -> float:
        """End the last stage and return the time since the first began, s."""
        self._close()
        return self.clock() - self.started

    def _close(self) -> None:
        if self._current is not None:
            name, began = self._current
            self.seconds[name] = self.seconds.get(name, 0.0) + self.clock() - began
            self._current = None


@contextmanager
def watched(stages: Stages) -> Iterator[Stages]:
    """Attach stages to the logs of jobflow and of this package while a flow runs."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.level, logger.propagate, logger.handlers) for logger in loggers]
    for logger in loggers:
        # Alone, or the handlers of the command line and of the root would write each line again.
        logger.handlers, logger.propagate = [stages], False
        logger.setLevel(logging.INFO)
    try:
        yield stages
    finally:
        stages.finish()
        for logger, (level, propagate, handlers) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)


def elapsed_text(seconds: float) -> str:
    """Write a time as minutes and seconds.

    Examples
    --------
    >>> elapsed_text(75.4)
    ' 1:15'
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:2d}:{rest:02d}"
