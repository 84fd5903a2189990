"""Choose, divide and describe densities, and carry datasets about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scdp_flows.cli.options import StoreOption, as_path, parse_pairs
from scdp_flows.cli.running import run_here, show_failures, show_table
from scdp_flows.errors import SettingsError
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.curate import divide, divide_by_file, tag_densities, tag_duplicates
from scdp_flows.jobs.fit_grids import FitGridsMaker
from scdp_flows.jobs.ingest_records import list_offers, release
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.reports.statistics import statistics_figure
from scdp_flows.reports.style import to_png
from scdp_flows.schemas.dataset import DatasetDoc
from scdp_flows.schemas.ingest import IngestStatus
from scdp_flows.schemas.split import SplitDoc
from scdp_flows.schemas.statistics import StatisticsDoc
from scdp_flows.stores.archive import export_dataset, import_dataset
from scdp_flows.stores.builders import describe
from scdp_flows.stores.factory import open_stores

__all__ = ["dataset"]

dataset = typer.Typer(
    name="dataset", help="Choose, divide and describe densities.", no_args_is_help=True
)

SelectOption = Annotated[
    list[str] | None,
    typer.Option(help="Which densities, as FIELD=VALUE, such as tags=mine; default: all."),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(help="Which of them to leave out, as FIELD=VALUE, such as tags=duplicate."),
]
NameArgument = Annotated[str, typer.Argument(help="Name or identifier of the dataset.")]

_PARTS = ("name", "identifier", "train", "validation", "test")


@dataset.callback()
def main() -> None:
    """Choose, divide and describe densities."""


@dataset.command("list", epilog="Example: scdp dataset list --store data")
def list_datasets(store: StoreOption = None) -> None:
    """List datasets and splits."""
    with open_stores(as_path(store)) as stores:
        datasets = [
            (*_row(doc, doc.dataset_id), doc.version, " ".join(doc.elements))
            for doc in stores.datasets.query()
        ]
        splits = [(*_row(doc, doc.split_id), doc.method) for doc in stores.curation.splits.query()]
    show_table("datasets", (*_PARTS, "version", "elements"), datasets)
    show_table("splits", (*_PARTS, "kept together"), splits)


def _row(doc: DatasetDoc | SplitDoc, identifier: str) -> tuple[object, ...]:
    return doc.name, identifier, doc.n_train, doc.n_validation, doc.n_test


@dataset.command("show", epilog="Example: scdp dataset show mine --store data")
def show(name: NameArgument, store: StoreOption = None) -> None:
    """Show what a dataset is made of."""
    with open_stores(as_path(store)) as stores:
        doc = stores.datasets.get(name)
        models = sorted(m.name for m in stores.models.query({"dataset_id": doc.dataset_id}))
    rows: list[tuple[str, object]] = [
        (field, getattr(doc, field))
        for field in ("name", "dataset_id", "version", "previous", "n_train", "n_validation")
    ]
    rows += [(field, getattr(doc, field)) for field in ("n_test", "query", "exclude", "split_id")]
    rows += [(field, doc.target[field]) for field in sorted(doc.target)]
    rows += [(f"kind: {field}", value) for field, value in doc.kind.items()]
    rows += [("elements", " ".join(doc.elements)), ("shards", len(doc.shards))]
    rows += [("models", ", ".join(models) or "none; it may still change")]
    show_table("dataset", ("", ""), rows)


@dataset.command(
    "create", epilog="Example: scdp dataset create mine --select tags=mine --exclude tags=duplicate"
)
def create(
    name: Annotated[str, typer.Argument(help="Name of the dataset.")],
    store: StoreOption = None,
    select: SelectOption = None,
    exclude: ExcludeOption = None,
    split: Annotated[
        str | None, typer.Option(help="Name or identifier of a stored split; default: by chance.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Setting as NAME=VALUE: validation, test, by, salt, test_tag, basis, target, "
            "keep_grid, shard_size.",
        ),
    ] = None,
) -> None:
    """Build a dataset: choose labels, divide them, and pack the training samples."""
    settings = parse_pairs(set_, "--set")
    rule = {k: settings.pop(k) for k in list(settings) if k in SplitRule.__dataclass_fields__}
    _refuse_unknown(settings, {"basis", "target", "keep_grid", "shard_size"}, "create")
    maker = BuildDatasetMaker(
        dataset_name=name,
        split=SplitRule(**rule),
        stored_split=split,
        store_path=as_path(store),
        **settings,
    )
    chosen, left_out = parse_pairs(select, "--select"), parse_pairs(exclude, "--exclude")
    doc = run_here(maker.make(criteria=chosen, exclude=left_out), store)
    show_table("dataset", (*_PARTS, "version"), [(*_row(doc, doc.dataset_id), doc.version)])


@dataset.command("fit", epilog="Example: scdp dataset fit --select tags=mine --set basis=crystal")
def fit(
    store: StoreOption = None,
    select: SelectOption = None,
    exclude: ExcludeOption = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help='Setting as NAME=VALUE: basis; electrons, such as {"Na": 1, "Cl": 7}, the valence '
            "electrons of elements for which the densities do not tell.",
        ),
    ] = None,
) -> None:
    """Fit Gaussian shells to densities that were read from files, so that models can learn them."""
    settings = parse_pairs(set_, "--set")
    _refuse_unknown(settings, {"basis", "electrons"}, "fit")
    maker = FitGridsMaker(store_path=as_path(store), **settings)
    chosen, left_out = parse_pairs(select, "--select"), parse_pairs(exclude, "--exclude")
    output = run_here(maker.make(chosen, left_out), store)
    show_table("fits", ("new", "made before"), [(output.n_new, output.n_reused)])
    show_failures(output.failed)


@dataset.command(
    "split", epilog="Example: scdp dataset split fair --set by=composition --set test=0.2"
)
def split(
    name: Annotated[str, typer.Argument(help="Name of the split.")],
    store: StoreOption = None,
    select: SelectOption = None,
    exclude: ExcludeOption = None,
    file: Annotated[
        Path | None, typer.Option(help="JSON file of the lists train, validation and test.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Setting as NAME=VALUE: validation and test (fractions), by (what stays together: "
            "structure, composition or prototype), salt, test_tag; with --file: offset, what to "
            "add to a number in the file for that in the name of a density's file (QM9: 1).",
        ),
    ] = None,
) -> None:
    """Divide densities, by chance or as a published file says, and store the division."""
    criteria, left_out = parse_pairs(select, "--select"), parse_pairs(exclude, "--exclude")
    settings = parse_pairs(set_, "--set")
    known = {"offset"} if file is not None else set(SplitRule.__dataclass_fields__)
    _refuse_unknown(settings, known, "split")
    with open_stores(as_path(store)) as stores:
        if file is not None:
            doc = divide_by_file(stores, name, file, criteria=criteria, **settings)
        else:
            doc = divide(stores, name, SplitRule(**settings), criteria=criteria, exclude=left_out)
    row = (*_row(doc, doc.split_id), doc.method, doc.n_groups)
    show_table("split", (*_PARTS, "kept together", "groups"), [row])


def _refuse_unknown(settings: dict[str, Any], known: set[str], command: str) -> None:
    unknown = sorted(settings.keys() - known)
    if unknown:
        raise SettingsError(
            f"--set {unknown[0]}: no such setting; known: {', '.join(sorted(known))}; see "
            f"scdp dataset {command} --help"
        )


@dataset.command("dedupe", epilog="Example: scdp dataset dedupe --store data --dry-run")
def dedupe(
    store: StoreOption = None,
    select: SelectOption = None,
    tolerance: Annotated[float, typer.Option(min=0, help="Largest difference in Å.")] = 0.01,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tag nothing.")] = False,
) -> None:
    """Find densities that say the same, and tag all but the first of each set 'duplicate'."""
    criteria = parse_pairs(select, "--select")
    with open_stores(as_path(store)) as stores:
        found = tag_duplicates(stores, criteria, tolerance=tolerance, dry_run=dry_run)
    rows = [(same.kept, len(same.others), ", ".join(same.others), same.why) for same in found]
    show_table("duplicates", ("kept", "others", "identifiers", "why"), rows)


@dataset.command("tag", epilog="Example: scdp dataset tag --select elements=Fe --add iron")
def tag(
    store: StoreOption = None,
    select: SelectOption = None,
    add: Annotated[list[str] | None, typer.Option(help="Tag to add; may be repeated.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="Tag to take away.")] = None,
) -> None:
    """Add tags to densities and take others away."""
    if not add and not remove:
        raise SettingsError("there is no tag to add or remove; give --add TAG or --remove TAG")
    criteria = parse_pairs(select, "--select")
    with open_stores(as_path(store)) as stores:
        changed = tag_densities(stores.densities, criteria, add=add or (), remove=remove or ())
    show_table("tags", ("densities changed",), [(changed,)])


@dataset.command("stats", epilog="Example: scdp dataset stats mine --plot mine.png")
def stats(
    name: Annotated[
        str | None, typer.Argument(help="The dataset; default: what --select finds.")
    ] = None,
    store: StoreOption = None,
    select: SelectOption = None,
    plot: Annotated[Path | None, typer.Option(help="Picture to write, PNG.")] = None,
) -> None:
    """Count elements, sizes, electrons, grids and kinds."""
    with open_stores(as_path(store)) as stores:
        chosen = None if name is None else stores.datasets.get(name)
        doc = describe(stores, chosen, parse_pairs(select, "--select"))
    if plot is not None:
        picture = to_png(statistics_figure(doc))
        try:
            plot.write_bytes(picture)
        except OSError as error:
            raise SettingsError(f"{plot}: cannot be written: {error.strerror}") from error
    _show_statistics(doc)


def _show_statistics(doc: StatisticsDoc) -> None:
    counts: list[tuple[str, Any]] = [
        ("densities", doc.n_densities),
        ("structures", doc.n_structures),
        ("periodic", doc.periodic),
        ("charged", doc.charged),
        ("arrays / MB", doc.blob_bytes / 1e6),
        *sorted(doc.parts.items()),
        *((f"tag {name}", count) for name, count in doc.tags.items()),
    ]
    show_table(doc.subject, ("", ""), counts)
    spreads = {
        "atoms": doc.n_atoms,
        "electrons / e": doc.n_electrons,
        "largest spacing / Å": doc.spacing,
        "grid points": doc.n_points,
    }
    rows = [(n, s.smallest, s.median, s.mean, s.largest) for n, s in spreads.items() if s]
    show_table("sizes", ("", "smallest", "median", "mean", "largest"), rows)
    elements = [(name, count.structures, count.atoms) for name, count in doc.elements.items()]
    show_table("elements", ("", "structures", "atoms"), elements)
    kinds = [(count.densities, *count.kind.values()) for count in doc.kinds.values()]
    names = next(iter(doc.kinds.values())).kind if doc.kinds else {}
    show_table("kinds", ("densities", *names), kinds)


@dataset.command("offers", epilog="Example: scdp dataset offers --status quarantined --store data")
def offers(
    store: StoreOption = None,
    status: Annotated[
        IngestStatus | None, typer.Option(help="Only those; default: all that were offered.")
    ] = None,
) -> None:
    """List what became of the densities that were offered to the store, and why."""
    with open_stores(as_path(store)) as stores:
        found = list_offers(stores, status)
    rows = [
        (doc.ingest_id, doc.status + (", released" if doc.released else ""), doc.source,
         "\n".join(doc.reasons) or None)
        for doc in found
    ]  # fmt: skip
    show_table("offers", ("identifier", "status", "source", "reasons"), rows)


@dataset.command(
    "release",
    epilog="Example: scdp dataset release 4f0c… --because 'an anion, two electrons more'",
)
def release_(
    identifiers: Annotated[list[str], typer.Argument(help="As 'scdp dataset offers' lists them.")],
    because: Annotated[str, typer.Option(help="Why they may be used; it is kept.")],
    store: StoreOption = None,
) -> None:
    """Let quarantined densities in: repeat the ingestion, and they are taken."""
    with open_stores(as_path(store)) as stores:
        docs = release(stores, identifiers, because)
    rows = [(doc.ingest_id, doc.source) for doc in docs]
    show_table("taken when the ingestion is repeated", ("identifier", "source"), rows)


@dataset.command("export", epilog="Example: scdp dataset export mine mine.zip --store data")
def export(
    name: NameArgument,
    output: Annotated[Path, typer.Argument(help="File to write.")],
    store: StoreOption = None,
) -> None:
    """Write a dataset with its densities and arrays into one file."""
    with open_stores(as_path(store)) as stores:
        made = export_dataset(stores, stores.datasets.get(name), output)
    show_table("archive", ("file", "size / MB"), [(made, made.stat().st_size / 1e6)])


@dataset.command("import", epilog="Example: scdp dataset import mine.zip --store other")
def import_(
    file: Annotated[Path, typer.Argument(help="What 'scdp dataset export' wrote.")],
    store: StoreOption = None,
) -> None:
    """Read a dataset from a file, checking everything in it."""
    with open_stores(as_path(store)) as stores:
        found = import_dataset(stores, file)
    doc = found.dataset
    row = (*_row(doc, doc.dataset_id), found.n_new, found.n_known, found.n_blobs)
    show_table("dataset", (*_PARTS, "new documents", "known", "blobs"), [row])
