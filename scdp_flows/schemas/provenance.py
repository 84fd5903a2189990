"""Describe where a document came from, without naming the machine or the person."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

from pydantic import Field

from scdp_flows import __version__
from scdp_flows.schemas.part import ScdpPart

__all__ = ["Provenance"]

_CPU_INFO = Path("/proc/cpuinfo")
_PACKAGES = (
    "atomate2",
    "custodian",
    "e3nn",
    "jobflow",
    "lightning",
    "maggma",
    "numpy",
    "pydantic",
    "pymatgen",
    "pyscf",
    "scipy",
    "torch",
)


class Provenance(ScdpPart):
    """Record which software, on what kind of machine and when, made a document.

    Examples
    --------
    >>> Provenance.collect(code="pyscf", code_version="2.14.0").code
    'pyscf'
    """

    scdp_flows_version: str = Field(description="Version of scdp-flows.")
    packages: dict[str, str] = Field(
        default_factory=dict, description="Installed package name to version."
    )
    machine: str = Field(
        description="Processor model and number of cores, such as 'Xeon E5, 8 cores'; no host name."
    )
    created_at: str = Field(description="Time of creation, UTC, ISO 8601 with microseconds.")
    command: str | None = Field(default=None, description="Command that reproduces the document.")
    code: str | None = Field(
        default=None, description="Program that did the physics, such as 'pyscf' or 'vasp'."
    )
    code_version: str | None = Field(default=None, description="Version of that program.")

    @classmethod
    def collect(
        cls,
        *,
        command: str | None = None,
        code: str | None = None,
        code_version: str | None = None,
    ) -> Self:
        """Return the provenance of a document made here and now."""
        return cls(
            scdp_flows_version=__version__,
            packages=dict(_package_versions()),
            machine=_machine(),
            created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
            command=command,
            code=code,
            code_version=code_version,
        )


@lru_cache(maxsize=1)
def _package_versions() -> tuple[tuple[str, str], ...]:
    # Reads the installed metadata, which costs nothing beside importing the packages themselves.
    found = []
    for package in _PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    return tuple(found)


@lru_cache(maxsize=1)
def _machine() -> str:
    return f"{_cpu_model()}, {os.cpu_count() or 1} cores"


def _cpu_model() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    # platform.processor() is empty on many Linux machines; the architecture never is.
    return platform.processor() or platform.machine()
