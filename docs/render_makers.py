"""Write the reference page of all Makers, ``docs/reference/makers.md``, from the source itself."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import sys
import textwrap
from dataclasses import MISSING, Field, fields
from pathlib import Path

from jobflow import Maker

import scdp_flows

_PAGE = Path(__file__).parent / "reference" / "makers.md"
_HEAD = """# Makers

Every Maker of the package, written by `python docs/render_makers.py`. Fields say how it works,
`make` is given what it works on. Makers of VASP have all fields of atomate2's as well; only what
is added is listed.
"""


def find_makers() -> list[type[Maker]]:
    """Return the Makers that the package defines, by module and name."""
    found: set[type[Maker]] = set()
    for info in pkgutil.walk_packages(scdp_flows.__path__, "scdp_flows."):
        try:
            module = importlib.import_module(info.name)
        except ImportError:
            # A part that needs something which is not installed.
            continue
        for value in vars(module).values():
            is_maker = inspect.isclass(value) and issubclass(value, Maker)
            if is_maker and value.__module__ == info.name and not value.__name__.startswith("_"):
                found.add(value)
    return sorted(found, key=lambda maker: (maker.__module__, maker.__name__))


def described_fields(maker: type[Maker]) -> dict[str, str]:
    """Return the text below each field, the classes it inherits from in this package included."""
    texts: dict[str, str] = {}
    for base in reversed(maker.__mro__):
        if not base.__module__.startswith("scdp_flows."):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        if not isinstance(body, ast.ClassDef):
            continue
        for one, two in zip(body.body, body.body[1:], strict=False):
            is_text = isinstance(two, ast.Expr) and isinstance(two.value, ast.Constant)
            if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and is_text:
                texts[one.target.id] = " ".join(str(two.value.value).split())  # type: ignore[attr-defined]
    return texts


def default_of(field: Field[object]) -> str:
    """Return the default of a field as text."""
    if field.default is not MISSING:
        return f"`{field.default!r}`"
    if field.default_factory is MISSING:
        return "required"
    name = getattr(field.default_factory, "__name__", "a default")
    return "" if name == "<lambda>" else f"`{name}()`"


def section(maker: type[Maker]) -> str:
    """Return the part of the page about one Maker."""
    summary = " ".join((inspect.getdoc(maker) or "").split("\n\n")[0].split())
    make = inspect.signature(getattr(maker.make, "original", maker.make))
    names = [str(p) for name, p in make.parameters.items() if name != "self"]
    words = ", ".join(name.split(":")[0].split("=")[0].strip() for name in names)
    lines = [f"## `{maker.__module__}.{maker.__name__}`", "", summary, "", f"`make({words})`", ""]
    texts = described_fields(maker)
    rows = [
        f"| `{field.name}` | {default_of(field)} | {texts[field.name]} |".replace("\n", " ")
        for field in fields(maker)
        if field.name in texts and field.name != "name"
    ]
    if rows:
        lines += ["| field | default | what |", "|---|---|---|", *rows, ""]
    # Roles and double quotes of reStructuredText mean nothing here.
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", "\n".join(lines)).replace("``", "`")


def page() -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, *map(section, find_makers())]).rstrip() + "\n"


def main() -> int:
    """Write the page."""
    _PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{_PAGE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
