"""The wheel holds both packages with their data, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def wheel_files(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, str(repository)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("scdp_flows-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.requires("hatchling")
def test_every_file_of_the_packages_is_in_the_wheel(
    wheel_files: set[str], tracked_files: list[Path], repository: Path
) -> None:
    packages = (repository / "scdp_flows", repository / "models" / "scdp_models")
    expected = {
        path.relative_to(package.parent).as_posix()
        for package in packages
        for path in tracked_files
        if path.is_relative_to(package)
    }
    assert expected - wheel_files == set()


@pytest.mark.requires("hatchling")
def test_the_wheel_brings_two_packages_and_no_more(wheel_files: set[str]) -> None:
    folders = {name.partition("/")[0] for name in wheel_files}
    assert {name for name in folders if not name.endswith(".dist-info")} == {
        "scdp_flows",
        "scdp_models",
    }


@pytest.mark.requires("hatchling")
def test_both_packages_are_marked_as_typed(wheel_files: set[str]) -> None:
    assert {"scdp_flows/py.typed", "scdp_models/py.typed"} <= wheel_files
