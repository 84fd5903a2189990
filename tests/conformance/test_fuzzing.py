"""Damage files of every format, archive and compression: typed errors or densities, never more.

Each family is read by a process of its own with bounded memory, so that a crash of a library or a
file that grows is noticed. What fails is left in the folder of the test, to be kept as a test.
``SCDP_SOAK_SECONDS=60 python -m pytest -m soak tests/conformance/test_fuzzing.py -k cube`` takes a
minute instead of ten.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import shutil
import struct
import sys
import tarfile
import time
import traceback
import zipfile
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError, ScdpFlowsError
from scdp_flows.io.archive import iterate_members
from scdp_flows.io.base import read_density, sniff, write_density
from scdp_flows.plugins import available

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scdp_flows.density import ChargeDensity

_SOAK_SECONDS = float(os.environ.get("SCDP_SOAK_SECONDS", "600"))
_LONGEST_S = 30.0
_MEMORY = 2**30
# Their files are those of "xsf".
_FORMATS = sorted(set(available("readers")) - {"xsf_angstrom", "xsf_bohr"})
_CHECKED = [".gz", ".bz2", ".xz", ".lz4", ".zst"]
_ARCHIVES = ["tar", "tar.gz", "zip"]
_OPTIONAL = {"pyscf_chk": pytest.mark.requires("pyscf")}
_WORDS = [b"-1", b"0", b"99999999", b"1e300", b"NaN", b"*****", b"", b"2 3", b"\0", b"\xe9", b"{["]
_NUMBERS = [0, 1, -1, 2**20, 2**31 - 1, -(2**31)]
_FLOATS = [0.0, float("nan"), float("inf"), -1e300, 1e300, 1e-300]


class _Family(NamedTuple):
    """What is damaged, and how the outcome is judged."""

    file: Path
    read: Callable[[], list[ChargeDensity]]
    whole: list[ChargeDensity]
    checked: bool
    """Whether a checksum notices every change."""


@pytest.fixture(
    params=[pytest.param(n, marks=_OPTIONAL.get(n, ())) for n in _FORMATS + _CHECKED + _ARCHIVES]
)
def family(
    request: pytest.FixtureRequest,
    samples: dict[str, Any],
    copied: Callable[[Any], Path],
    tmp_path: Path,
    crystal: ChargeDensity,
) -> _Family:
    """Give a sound file of each family."""
    name = str(request.param)
    if name in samples:
        sample = samples[name]
        file = copied(sample)
        read = partial(_read_one, file, name, sample.index)
    elif name in _ARCHIVES:
        file = _archive(name, crystal, tmp_path)
        read = partial(_read_archive, file, tmp_path / "scratch")
    else:
        file = tmp_path / f"rho.cube{name}"
        write_density(crystal, file)
        read = partial(_read_one, file, "cube", None)
    return _Family(file, read, read(), name in _CHECKED)


def _read_one(file: Path, name: str, index: int | None) -> list[ChargeDensity]:
    """Read a file, by its content and by its name; what both say is refused or read."""
    with contextlib.suppress(DensityFormatError):
        sniff(file)
    return [read_density(file, format=name, index=index)]


def _archive(name: str, density: ChargeDensity, folder: Path) -> Path:
    """Write an archive of two densities."""
    for member in ("CHGCAR", "rho.cube"):
        write_density(density, folder / member)
    file = folder / f"set.{name}"
    if name == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(folder / "CHGCAR", "a/CHGCAR")
            archive.write(folder / "rho.cube", "b/rho.cube")
    else:
        with tarfile.open(file, "w:gz" if name == "tar.gz" else "w") as packed:
            packed.add(folder / "CHGCAR", "a/CHGCAR")
            packed.add(folder / "rho.cube", "b/rho.cube")
    return file


def _read_archive(file: Path, scratch: Path) -> list[ChargeDensity]:
    """Read what is in an archive; members that are refused are left out."""
    found = []
    scratch.mkdir()
    try:
        for member in iterate_members(file, scratch):
            if member.path is not None:
                assert member.path.resolve().is_relative_to(scratch)
                found.append(read_density(member.path))
                member.path.unlink()
    finally:
        shutil.rmtree(scratch)
    return found


# ------------------------------------------------------------------------------------- damage
def _damaged(content: bytes, random: np.random.Generator) -> bytes:
    """Cut, flip, delete, repeat, overwrite or replace; the start is hit more than its share."""
    edited = bytearray(content)
    reach = min(len(content), int(random.choice([64, 600, 4000, len(content)])))
    for _ in range(int(random.integers(1, 4))):
        if len(edited) < 16:
            break
        reach = min(reach, len(edited))
        first, last = sorted(random.integers(0, reach, 2).tolist())
        match int(random.integers(0, 7)):
            case 0:
                del edited[int(random.integers(0, len(edited))) :]
            case 1:
                edited[first] ^= 1 << int(random.integers(0, 8))
            case 2:
                del edited[first:last]
            case 3:
                edited[first:first] = edited[first:last]
            case 4:
                number = _NUMBERS[int(random.integers(len(_NUMBERS)))]
                order = "<i" if random.random() < 0.7 else ">i"
                edited[first : first + 4] = struct.pack(order, number)
            case 5:
                value = _FLOATS[int(random.integers(len(_FLOATS)))]
                first -= first % 8
                edited[first : first + 8] = struct.pack("<d", value)
            case _:
                _replace_word(edited, first, random)
    return bytes(edited)


def _replace_word(content: bytearray, place: int, random: np.random.Generator) -> None:
    """Put another word in the place of one."""
    ends = [end for blank in b" \n,:" if (end := content.find(blank, place + 1)) >= 0]
    word = _WORDS[int(random.integers(len(_WORDS)))]
    content[place + 1 : min(ends, default=place + 2)] = word


# ------------------------------------------------------------------------------------ judgement
def _judge(family: _Family, found: list[ChargeDensity], n_bytes: int) -> None:
    """Complain about a density that cannot stand in the file."""
    for density in found:
        assert np.isfinite(density.values).all()
        assert np.isfinite(density.positions).all()
        assert density.magnetization is None or np.isfinite(density.magnetization).all()
        assert 0 < density.volume < np.inf
        assert ((density.numbers > 0) & (density.numbers < 119)).all()
        assert len(density.positions) == len(density.numbers)
        largest = max(whole.values.size for whole in family.whole)
        assert density.values.size <= max(8 * largest, n_bytes)
    if family.checked:
        assert all(map(_is_same, found, family.whole))


def _is_same(density: ChargeDensity, other: ChargeDensity) -> bool:
    """Tell whether two densities are the same number by number."""
    return np.array_equal(density.values, other.values) and np.array_equal(
        density.positions, other.positions
    )


def _attack(family: _Family, seed: int, n_cases: int, seconds: float) -> None:
    """Read damaged files until the time or the cases are over; leave the one that fails."""
    contents = {file: file.read_bytes() for file in family.file.parent.iterdir() if file.is_file()}
    beside = [file for file in contents if file != family.file]
    random = np.random.default_rng(seed)
    end, begin = time.monotonic() + seconds, time.process_time()
    for number in range(n_cases):
        if time.monotonic() > end:
            # To be seen with -rP: on a busy machine minutes are not what they are elsewhere.
            spent = time.process_time() - begin
            sys.stderr.write(f"{number} damaged files in {spent:.0f} s of processor time\n")
            return
        target = family.file
        if beside and random.random() < 0.2:
            target = beside[int(random.integers(len(beside)))]
        content = _damaged(contents[target], random)
        target.write_bytes(content)
        start = time.process_time()
        faulthandler.dump_traceback_later(4 * _LONGEST_S, exit=True)
        with contextlib.suppress(ScdpFlowsError):
            _judge(family, family.read(), sum(map(len, contents.values())))
        assert time.process_time() - start < _LONGEST_S
        faulthandler.cancel_dump_traceback_later()
        target.write_bytes(contents[target])


def _attack_apart(family: _Family, **arguments: Any) -> None:
    """Run an attack in a process that may have a certain memory more than now."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: PTH123, SIM115
            resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, used + _MEMORY))
            _attack(family, **arguments)
            code = 0
        except BaseException:  # noqa: BLE001 - told to the parent
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, f"ended with {status}; the files are in {family.file.parent}"


def test_damage_of_all_sorts(family: _Family) -> None:
    seed = zlib.crc32(family.file.name.encode())
    _attack_apart(family, seed=seed, n_cases=25, seconds=60)


@pytest.mark.soak
def test_damage_of_all_sorts_for_minutes(family: _Family) -> None:
    seed = int.from_bytes(os.urandom(4))
    _attack_apart(family, seed=seed, n_cases=10**9, seconds=_SOAK_SECONDS)
