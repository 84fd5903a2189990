"""Read from a VASP run what kind of density it has, how many electrons, and what it cost."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.compression import COMPRESSED_SUFFIXES, open_text
from scdp_flows.io.reading import format_errors

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["TASK_FIELDS", "VaspRun", "find_output", "read_outcar", "read_task"]

TASK_FIELDS = (
    "input.incar", "input.parameters", "input.potcar_spec", "input.hubbards", "nsites",
    "structure", "run_type", "calcs_reversed.output.run_stats",
    "calcs_reversed.output.num_electronic_steps",
)  # fmt: skip
"""What :func:`read_task` looks at; the rest of a document can be megabytes."""

_FUNCTIONALS = {"PE": "PBE", "8": "PBE", "PS": "PBEsol", "14": "PBEsol", "RP": "RPBE",
                "RE": "revPBE", "91": "PW91", "CA": "LDA", "2": "LDA"}  # fmt: skip
_TAGS = re.compile(
    r"\b(ENCUT|ISPIN|NELECT|NIONS|LCHARG|METAGGA|GGA|LEXCH|LHFCALC|LNONCOLLINEAR)\s*=\s*(\S+)"
)
_GRID = re.compile(r"NGXF=\s*(\d+) NGYF=\s*(\d+) NGZF=\s*(\d+)")
_TITLE = re.compile(r"TITEL\s*=\s*(.+)")
_HUBBARD = re.compile(r"LDAUU\s*=\s*(.+)")
_CORES = re.compile(r"running on\s+(\d+) total cores")
_LOOP = re.compile(r"LOOP\+:.*real time\s*([\d.]+)")
_SECONDS_PER_HOUR = 3600
# Beyond these, the head of the file is over.
_HEAD_LINES = 50_000


@dataclass(frozen=True)
class VaspRun:
    """What a run says of itself; None where it does not say it."""

    potcars: tuple[str, ...] = ()
    """Titles of the pseudopotentials, such as ``"PAW_PBE Si 05Jan2001"``, in the order used."""
    functional: str | None = None
    """Exchange-correlation functional."""
    encut_ev: float | None = None
    """Plane-wave cut-off, eV."""
    ispin: int | None = None
    """1 without, 2 with spin."""
    hubbard_u_ev: tuple[float, ...] = ()
    """Effective on-site repulsion of each species, eV; empty without."""
    n_atoms: int | None = None
    """Number of atoms."""
    n_electrons: float | None = None
    """Number of electrons."""
    grid: tuple[int, int, int] | None = None
    """The fine grid, on which the density is written."""
    writes_density: bool | None = None
    """Whether LCHARG was set."""
    n_cores: int | None = None
    """Cores that the run used."""
    loop_s: tuple[float, ...] = ()
    """Elapsed time of each ionic step, s."""

    @property
    def static_core_hours(self) -> float | None:
        """What one static calculation of this kind costs: the first ionic step, from scratch."""
        if not self.loop_s or self.n_cores is None:
            return None
        return self.loop_s[0] * self.n_cores / _SECONDS_PER_HOUR

    def kind(self) -> dict[str, str]:
        """Return the fields of the density kind that are known.

        The pseudopotentials are named by their family, since one dataset holds many elements.
        """
        fields: dict[str, str] = {"electrons": "valence", "code": "vasp"}
        families = {title.split()[0].lower().replace("_", "-") for title in self.potcars}
        if len(families) == 1:
            fields["pseudopotential"] = families.pop()
        if self.functional is not None:
            suffix = "+U" if any(self.hubbard_u_ev) else ""
            fields["functional"] = self.functional + suffix
        if self.encut_ev is not None:
            fields["basis"] = f"{self.encut_ev:g}eV"
        if self.ispin is not None:
            fields["spin"] = "unrestricted" if self.ispin == 2 else "restricted"
        return fields


def find_output(folder: str | os.PathLike[str], name: str) -> Path | None:
    """Return the file of a name in a folder, maybe compressed; None if there is none."""
    plain = Path(folder) / name
    candidates = [plain, *(plain.with_name(name + suffix) for suffix in COMPRESSED_SUFFIXES)]
    return next((path for path in candidates if path.is_file()), None)


def read_outcar(path: str | os.PathLike[str]) -> VaspRun:
    """Read the OUTCAR of a run, whether it finished or not.

    Raises
    ------
    DensityFormatError
        If the file is missing or damaged, or no OUTCAR.
    """
    with format_errors(path), open_text(path) as stream:
        tags, titles, hubbard, grid, cores = _read_head(stream)
        loops = _loops(stream)
        if not tags or not titles:
            raise DensityFormatError(
                "names neither pseudopotentials nor settings",
                file=path,
                fix="this is no OUTCAR of VASP, or the run ended at once",
            )
        try:
            return VaspRun(
                potcars=tuple(titles),
                functional=_functional(tags),
                encut_ev=_optional_float(tags, "ENCUT"),
                ispin=None if "ISPIN" not in tags else int(tags["ISPIN"]),
                hubbard_u_ev=hubbard,
                n_atoms=None if "NIONS" not in tags else int(tags["NIONS"]),
                n_electrons=_optional_float(tags, "NELECT"),
                grid=grid,
                writes_density=None if "LCHARG" not in tags else tags["LCHARG"].startswith("T"),
                n_cores=cores,
                loop_s=tuple(loops),
            )
        except ValueError as error:
            raise DensityFormatError(str(error), file=path, fix="the file is damaged") from error


_Head = tuple[
    dict[str, str], list[str], tuple[float, ...], "tuple[int, int, int] | None", "int | None"
]


def _read_head(stream: Iterator[str]) -> _Head:
    """Read settings up to the first iteration; what comes first counts."""
    tags: dict[str, str] = {}
    titles: list[str] = []
    hubbard: tuple[float, ...] = ()
    grid, cores = None, None
    for number, line in enumerate(stream):
        if "Iteration" in line or number > _HEAD_LINES:
            break
        if found := _TITLE.search(line):
            titles.append(" ".join(found.group(1).split()))
        elif found := _HUBBARD.search(line):
            hubbard = tuple(float(word) for word in found.group(1).split() if _is_number(word))
        elif found := _GRID.search(line):
            n1, n2, n3 = map(int, found.groups())
            grid = grid or (n1, n2, n3)
        elif found := _CORES.search(line):
            cores = int(found.group(1))
        for name, value in _TAGS.findall(line):
            tags.setdefault(name, value)
    return tags, titles, hubbard, grid, cores


def _loops(stream: Iterator[str]) -> Iterator[float]:
    """Yield the time of each ionic step."""
    for line in stream:
        if "LOOP+" in line and (found := _LOOP.search(line)):
            yield float(found.group(1))


def _functional(tags: Mapping[str, str]) -> str | None:
    """Name the functional; the POTCAR's is used where no tag says otherwise."""
    meta = tags.get("METAGGA", "F")
    if meta.upper() not in {"F", "--", "NONE"}:
        # The log has it in capitals, the input as the user wrote it: one functional, one name.
        return meta.upper()
    gga = tags.get("GGA", "--")
    code = tags.get("LEXCH", "") if gga == "--" else gga
    name = _FUNCTIONALS.get(code, code or None)
    return f"hybrid-{name}" if tags.get("LHFCALC", "F").startswith("T") else name


def _optional_float(tags: Mapping[str, str], name: str) -> float | None:
    return float(tags[name]) if name in tags else None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def read_task(document: Mapping[str, Any]) -> VaspRun:
    """Read the task document that atomate2 stores of a run; what it does not hold stays None.

    Parameters
    ----------
    document
        The ``output`` of the job: emmet's ``TaskDoc`` as plain data.
    """
    inputs = _mapping(document, "input")
    parameters = {**_mapping(inputs, "parameters"), **_mapping(inputs, "incar")}
    specs = inputs.get("potcar_spec")
    titles = [
        str(spec["titel"])
        for spec in (specs if isinstance(specs, Sequence) else [])
        if isinstance(spec, Mapping) and spec.get("titel")
    ]
    hubbards = _mapping(inputs, "hubbards").values()
    n_sites = document.get("nsites") or len(_mapping(document, "structure").get("sites") or ())
    n_cores, loops = _task_times(document)
    return VaspRun(
        potcars=tuple(titles),
        functional=_task_functional(document, parameters, titles),
        encut_ev=_number(parameters, "ENCUT") or _number(parameters, "ENMAX"),
        ispin=int(_number(parameters, "ISPIN") or 1) if parameters else None,
        hubbard_u_ev=tuple(float(value) for value in hubbards),
        n_atoms=int(n_sites) or None,
        n_electrons=_number(parameters, "NELECT"),
        writes_density=bool(parameters["LCHARG"]) if "LCHARG" in parameters else None,
        n_cores=n_cores,
        loop_s=loops,
    )


def _task_times(document: Mapping[str, Any]) -> tuple[int | None, tuple[float, ...]]:
    """Return the cores of the first calculation, and the time of each of its ionic steps in s.

    Only the time of all is stored, which is divided by their numbers of electronic steps.
    """
    calculations = document.get("calcs_reversed")
    first = calculations[-1] if isinstance(calculations, Sequence) and calculations else None
    output = _mapping(first, "output") if isinstance(first, Mapping) else {}
    statistics = _mapping(output, "run_stats")
    elapsed, cores = _number(statistics, "elapsed_time"), _number(statistics, "cores")
    if not elapsed or not cores:
        return None, ()
    steps = [n for n in output.get("num_electronic_steps") or () if isinstance(n, int) and n > 0]
    steps = steps or [1]
    return int(cores), tuple(elapsed * n / sum(steps) for n in steps)


def _mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, Mapping) else {}


def _number(parent: Mapping[str, Any], name: str) -> float | None:
    value = parent.get(name)
    return float(value) if isinstance(value, int | float) else None


def _task_functional(
    document: Mapping[str, Any], parameters: Mapping[str, Any], titles: Sequence[str]
) -> str | None:
    """Name the functional of a task."""
    tags = {
        name: str(parameters[name])
        for name in ("METAGGA", "GGA", "LHFCALC")
        if parameters.get(name) not in {None, "", "--", "None"}
    }
    if not tags.get("GGA") and any(title.startswith("PAW_PBE") for title in titles):
        tags["GGA"] = "PE"
    found = _functional(tags)
    run_type = document.get("run_type")
    return found or (str(run_type) if run_type else None)
