"""Run the commands and tell errors in one line."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from scdp_flows.errors import ScdpFlowsError
from scdp_flows.settings import get_settings

__all__ = ["ERROR_CODE", "INTERRUPTED", "ScdpGroup"]

ERROR_CODE = 2
"""Exit status for everything that went wrong in a way we foresaw."""
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

# The models know nothing of our errors, and loading them only to know theirs would take seconds.
_MODEL_ERRORS = "scdp_models.errors"


class ScdpGroup(TyperGroup):
    """Show foreseen errors as one red line; with ``--debug``, where they came from."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        debug = bool(ctx.params.get("debug"))
        try:
            with _messages(debug=debug):
                return super().invoke(ctx)
        except (ScdpFlowsError, ValueError) as error:
            if debug or not _is_foreseen(error):
                raise
            Console(stderr=True, soft_wrap=True).print(Text(f"error: {error}", style="bold red"))
            raise typer.Exit(ERROR_CODE) from error
        except KeyboardInterrupt:
            if debug:
                raise
            told = "stopped; what was finished is stored, and the same command goes on"
            Console(stderr=True, soft_wrap=True).print(Text(told, style="bold red"))
            raise typer.Exit(INTERRUPTED) from None


def _is_foreseen(error: Exception) -> bool:
    return isinstance(error, ScdpFlowsError) or any(
        base.__module__ == _MODEL_ERRORS for base in type(error).__mro__
    )


@contextmanager
def _messages(*, debug: bool) -> Iterator[None]:
    """Send log lines and short warnings to standard error for the time of a command."""
    # First, because impossible settings raise: nothing may be attached by then.
    wanted = logging.DEBUG if debug else get_settings().LOG_LEVEL
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("scdp_flows")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(wanted)
    try:
        with warnings.catch_warnings():
            # jobflow still changes folders by monty's `cd`.
            warnings.filterwarnings("ignore", message="cd is deprecated", category=FutureWarning)
            warnings.formatwarning = _one_line
            yield
    finally:
        warnings.formatwarning = _FORMAT
        logger.setLevel(level)
        logger.removeHandler(handler)


_FORMAT = warnings.formatwarning


def _one_line(message: Warning | str, *_args: Any, **_keywords: Any) -> str:
    return f"warning: {message}\n"
