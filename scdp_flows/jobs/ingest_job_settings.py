"""Read from jobflow's settings where the finished jobs are, so that nobody writes it twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from scdp_flows.errors import SettingsError

__all__ = ["JobStoreSpecs", "read_job_store_settings"]


class JobStoreSpecs(NamedTuple):
    """The stores of finished jobs, as ``store_from_spec`` takes them."""

    job_docs: dict[str, Any]
    """The documents."""
    data: dict[str, Any] | None
    """The large objects; None if there is no such store."""


def read_job_store_settings(path: str | Path) -> JobStoreSpecs:
    """Read the file that jobflow and atomate2 are set up with, ``jobflow.yaml``.

    Parameters
    ----------
    path
        YAML or JSON with ``docs_store`` and ``additional_stores``, alone or below ``JOB_STORE``.

    Raises
    ------
    SettingsError
        If it cannot be read or describes no store.
    """
    try:
        content = yaml.safe_load(Path(path).expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(
            f"{path} is neither a folder nor readable settings ({error}); give a folder of runs, "
            "or the jobflow.yaml that names the store of jobs"
        ) from error
    spec = content.get("JOB_STORE", content) if isinstance(content, Mapping) else {}
    docs = spec.get("docs_store") if isinstance(spec, Mapping) else None
    if not isinstance(docs, Mapping):
        raise SettingsError(
            f"{path} has no docs_store below JOB_STORE; give the jobflow.yaml that names the store "
            "of jobs"
        )
    large = (spec.get("additional_stores") or {}).get("data")
    return JobStoreSpecs(dict(docs), dict(large) if isinstance(large, Mapping) else None)
