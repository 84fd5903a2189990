"""Entry point of the training process: ``python -m scdp_models.training FOLDER``."""

from __future__ import annotations

import logging
import sys

from scdp_models.errors import ScdpModelsError
from scdp_models.training.run import run

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        run(sys.argv[1])
    except ScdpModelsError as error:
        # One line: what went wrong and what to do; handlers look for it.
        logging.error("%s: %s", type(error).__name__, error)  # noqa: LOG015, TRY400
        sys.exit(1)
