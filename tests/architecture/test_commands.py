"""The commands that the documents name exist."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TARGETS = {
    "demo", "test", "check", "bench", "tutorials", "soak", "docs", "wheel", "clean",
}  # fmt: skip


def _make_targets(repository: Path) -> set[str]:
    text = (repository / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", text, flags=re.MULTILINE))


def test_the_makefile_has_the_promised_targets(repository: Path) -> None:
    assert _make_targets(repository) >= _TARGETS


def test_readme_names_the_two_commands(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```(?:bash|sh|console)\n(.*?)```", readme, flags=re.DOTALL))
    commands = set(re.findall(r"^\$? ?make ([a-z]+)", blocks, flags=re.MULTILINE))
    assert {"demo", "test"} <= commands
    assert commands <= _make_targets(repository)


def test_documents_name_only_existing_targets(repository: Path) -> None:
    documents = [*repository.glob("*.md"), *(repository / "docs").rglob("*.md")]
    named = {
        target
        for path in documents
        for target in re.findall(r"`make ([a-z]+)`", path.read_text(encoding="utf-8"))
    }
    assert named <= _make_targets(repository)


def test_ci_runs_the_command_of_the_readme(repository: Path) -> None:
    script = (repository / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"^make check$", script, flags=re.MULTILINE)
    assert re.search(r"^make test$", script, flags=re.MULTILINE)


def test_ci_may_skip_no_test_for_want_of_a_package(repository: Path) -> None:
    script = (repository / ".ci" / "run").read_text(encoding="utf-8")
    (required,) = re.findall(r"SCDP_REQUIRE:-([a-z_,]+)\}", script)
    named = {
        name
        for path in (repository / "tests").rglob("test_*.py")
        for names in re.findall(r"mark\.requires\(([^)]*)\)", path.read_text(encoding="utf-8"))
        for name in re.findall(r'"(\w+)"', names)
    }
    # The clocks are only set wrong in a test of `make soak`.
    assert named - set(required.split(",")) == {"faketime"}


def test_the_command_line_is_installed_under_its_name(repository: Path) -> None:
    settings = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["scripts"] == {"scdp": "scdp_flows.cli:app"}
