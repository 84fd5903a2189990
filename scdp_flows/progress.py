"""Show how far a long loop is: a bar on a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

__all__ = ["Progress", "track"]

_LOGGER = logging.getLogger(__name__)
_T = TypeVar("_T")


class Progress:
    """Report the progress of a loop.

    Parameters
    ----------
    description
        What is being done, such as ``"label"``.
    total
        Number of items.
    done
        Items that were done before, and cost no time now.
    interval_s
        Shortest time between two log lines, s.

    Examples
    --------
    >>> with Progress("square", 2) as progress:
    ...     for number in (1, 2):
    ...         progress.advance(f"{number**2}")
    """

    def __init__(
        self, description: str, total: int, *, done: int = 0, interval_s: float = 10.0
    ) -> None:
        self.description = description
        self.total = total
        self.done = self._before = done
        self.interval_s = interval_s
        self._started = self._reported = time.monotonic()
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._started = self._reported = time.monotonic()
        self._bar = _terminal_bar()
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(
                self.description, total=self.total, completed=self.done, note=""
            )
        elif self.done < self.total:
            before = f", {self.done} of them done before" if self.done else ""
            _LOGGER.info("%s: %d to do%s", self.description, self.total, before)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, note: str = "") -> None:
        """Count one more item.

        Parameters
        ----------
        note
            What it was, in a few words.
        """
        self.done += 1
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=1, note=note)
            return
        now = time.monotonic()
        if now - self._reported >= self.interval_s or self.done == self.total:
            self._reported = now
            _LOGGER.info("%s", self.summary(note))

    def summary(self, note: str = "") -> str:
        """Say how far the loop is and how long it will take.

        Parameters
        ----------
        note
            What the last item was.
        """
        elapsed = time.monotonic() - self._started
        each = elapsed / max(1, self.done - self._before)
        left = each * (self.total - self.done)
        text = f"{self.description}: {self.done}/{self.total}, {elapsed:.0f} s"
        if left:
            text += f", about {left:.0f} s left"
        return f"{text} ({note})" if note else text


def track(items: Iterable[_T], description: str, *, total: int) -> Iterator[_T]:
    """Yield items while reporting the progress.

    Parameters
    ----------
    items
        What to go through.
    description
        What is being done.
    total
        How many items there are.

    Examples
    --------
    >>> list(track("ab", "spell", total=2))
    ['a', 'b']
    """
    with Progress(description, total) as progress:
        for item in items:
            yield item
            progress.advance()


def _terminal_bar() -> RichProgress | None:
    """Make a bar on standard error, if that is a terminal."""
    # Loaded late: hosts that only submit jobs show no bars.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        return None
    return Bar(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )
