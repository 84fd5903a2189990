"""Execute the tutorials and render them, with their pictures, as pages of the documentation.

Each ``tutorials/*.py`` is a script in jupytext's percent format. It runs in a scratch folder, so
that its stores and outputs leave no trace, and becomes ``docs/tutorials/<name>.md``. With
``SCDP_TUTORIAL_SMALL=1`` the tutorials do less work; their pages then go to ``tutorial_output/``
and leave the documentation alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import jupytext
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

_ROOT = Path(__file__).resolve().parents[1]
_LONGEST_CELL_SECONDS = 1800


def render(script: Path, folder: Path) -> Path:
    """Execute one tutorial and write its page and pictures; return the page."""
    notebook = jupytext.read(script)
    with tempfile.TemporaryDirectory(prefix="tutorial-") as scratch:
        client = NotebookClient(
            notebook,
            timeout=_LONGEST_CELL_SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": scratch}},
        )
        client.execute()
    pictures = f"{script.stem}_files"
    text, resources = MarkdownExporter().from_notebook_node(
        notebook,
        resources={"unique_key": script.stem, "output_files_dir": pictures},
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in resources["outputs"].items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    page = folder / f"{script.stem}.md"
    page.write_text(text.strip() + "\n", encoding="utf-8")
    return page


def main() -> int:
    """Render the tutorials named on the command line, or all of them."""
    # A backend named in the environment would keep the kernel from putting pictures into the page.
    os.environ.pop("MPLBACKEND", None)
    small = os.environ.get("SCDP_TUTORIAL_SMALL") == "1"
    default = _ROOT / ("tutorial_output" if small else "docs/tutorials")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scripts", nargs="*", type=Path, help="tutorials (default: all)")
    parser.add_argument("--output", type=Path, default=default, help="folder of the pages")
    arguments = parser.parse_args()
    for script in arguments.scripts or sorted((_ROOT / "tutorials").glob("*.py")):
        start = time.perf_counter()
        sys.stdout.write(f"{script.stem} ... ")
        sys.stdout.flush()
        page = render(script, arguments.output)
        sys.stdout.write(f"{page} ({time.perf_counter() - start:.0f} s)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
