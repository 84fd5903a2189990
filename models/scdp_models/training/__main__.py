"""Entry point of the training process: ``python -m scdp_models.training FOLDER``."""

from __future__ import annotations

import logging
import sys

from scdp_models.training.run import run

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run(sys.argv[1])
