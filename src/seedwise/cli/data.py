"""`seedwise data`: list, fetch, check and show datasets; write a split as folders."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from seedwise.cli import options
from seedwise.cli.base import Group, print_help
from seedwise.cli.words import printable
from seedwise.errors import ConfigError, DataError

if TYPE_CHECKING:
    from seedwise.cli.console import Console
    from seedwise.data import Data, Split

__all__ = ["data"]

_dataset = click.argument("dataset")
_source = click.option(
    "--source", type=click.Path(path_type=Path), help="Folder or archive that holds DATASET."
)
_split = click.option("--split", "name", help="v1, v2, page or shipped.  [default: the dataset's]")
_per_class = click.option(
    "--per-class", type=int, help="Validation images per class; with --seed."
)
_seed = click.option("--seed", type=int, help="Seed of the draw; with --per-class.")
_BAD_DATA = "no such dataset, or it cannot be fetched, read or split"


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def data(ctx: click.Context) -> None:
    """List, fetch, check, show and split datasets.

    DATASET is a name of `seedwise data list`, or the path of a folder or an archive of images.
    """
    print_help(ctx)


@data.command("list", example=["seedwise data list"], exits={0: "printed"})
def list_datasets() -> None:
    """List the datasets that have a name, with size and default split."""
    from seedwise.cli.console import Console
    from seedwise.cli.tables import plain_table
    from seedwise.data import DATASETS, Split

    table = plain_table(("dataset", "", "split", "download"), left=3)
    for name, dataset in DATASETS.items():
        archive = dataset.archive
        size = "" if archive is None else f"{archive.size_bytes / 1e6:,.0f} MB"
        table.add_row(name, dataset.summary, str(Split.of(dataset.split)), size)
    Console().print(table)


@data.command(
    example=["seedwise data fetch imagenette-320"],
    exits={0: "fetched, verified and decoded", 2: _BAD_DATA},
)
@_dataset
@_source
@options.cache
def fetch(dataset: str, source: Path | None, cache: Path | None) -> None:
    """Fetch DATASET, verify it, and decode it into the cache.

    `seedwise run` does the same when it must. What is there already is not fetched again.
    """
    from seedwise.cli.console import Console

    console = Console()
    _print_size(console, _open(console, dataset, source, cache, None))


@data.command(
    example=["seedwise data check imagenette --source ~/imagenette2.tgz"],
    exits={0: "the cache holds what the source holds", 2: "it does not, or " + _BAD_DATA},
)
@_dataset
@_source
@options.cache
def check(dataset: str, source: Path | None, cache: Path | None) -> None:
    """Compare the cache of DATASET with its source.

    Reads and decodes every image again, so it takes as long as the first time.
    """
    from numpy import array_equal

    from seedwise.cli.console import Console
    from seedwise.cli.tables import say
    from seedwise.data import cache_folder

    console = Console()
    cached = _open(console, dataset, source, cache, None)
    folder = cache_folder(cache)
    downloads = folder / "downloads"
    downloads.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="check-", dir=folder) as scratch:
        (Path(scratch) / "downloads").symlink_to(downloads.resolve())
        fresh = _open(console, dataset, source, Path(scratch), None)
        same = cached.fingerprint == fresh.fingerprint and all(
            array_equal(cached.pixels.image(i), fresh.pixels.image(i))
            for i in range(len(cached.targets))
        )
        del fresh
    if not same:
        raise DataError(
            f"{dataset}: the cache in {folder} does not hold what the source holds; delete "
            f"{folder / 'pixels'} and run again"
        )
    _print_size(console, cached)
    say(console, "every image was read again and is as cached")


@data.command(
    example=["seedwise data show imagenette --split page"],
    exits={0: "printed", 2: _BAD_DATA},
)
@_dataset
@_source
@options.cache
@_split
@_per_class
@_seed
def show(
    dataset: str,
    source: Path | None,
    cache: Path | None,
    name: str | None,
    per_class: int | None,
    seed: int | None,
) -> None:
    """Show the size of DATASET, class by class.

    Training and validation images under a split, sizes in pixels, and the fingerprint.
    """
    from rich.text import Text

    from seedwise.cli.console import Console
    from seedwise.cli.tables import plain_table

    console = Console()
    found = _open(console, dataset, source, cache, _chosen(name, per_class, seed))
    _print_size(console, found)
    train = Counter(found.targets[found.train].tolist())
    valid = Counter(found.targets[found.valid].tolist())
    table = plain_table(("class", "train", "valid"))
    for target, label in enumerate(found.classes):
        table.add_row(Text(label), str(train[target]), str(valid[target]))
    console.print(table)


@data.command(
    example=[
        "seedwise data split imagenette --split page",
        "seedwise data split imagenette --per-class 250 --seed 1234 --write nette-250",
    ],
    exits={0: "listed or written", 2: _BAD_DATA + ", or FOLDER is not empty"},
)
@_dataset
@_source
@_split
@_per_class
@_seed
@click.option(
    "--write",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder to create, with train/CLASS and val/CLASS.",
)
def split(
    dataset: str,
    source: Path | None,
    name: str | None,
    per_class: int | None,
    seed: int | None,
    folder: Path | None,
) -> None:
    """List the validation files of a split, or write it.

    With --write, FOLDER gets train/CLASS and val/CLASS with copies of the files of DATASET.
    """
    from seedwise.data import default_split, split_files, write_split

    chosen = _chosen(name, per_class, seed) or default_split(dataset)
    if folder is None:
        place = dataset if source is None else str(source)
        files = split_files(place, chosen.name, per_class=chosen.per_class, seed=chosen.seed)
        click.echo(printable("\n".join(files)))
        return
    written: Mapping[str, int] = write_split(dataset, chosen, folder, source=source)
    counts = ", ".join(f"{count:,} in {part}" for part, count in written.items())
    click.echo(f"{folder}: {counts}")


def _chosen(name: str | None, per_class: int | None, seed: int | None) -> "Split | None":
    """The split that the options name; None where they name none."""
    from seedwise.data import Split

    if name is per_class is seed is None:
        return None
    if name is None and (per_class is None or seed is None):
        raise ConfigError("--per-class and --seed go together; give both, or --split")
    return Split(name=name, per_class=per_class, seed=seed)


def _open(
    console: "Console",
    dataset: str,
    source: Path | None,
    cache: Path | None,
    chosen: "Split | None",
) -> "Data":
    """Open a dataset, and show how far that is."""
    from seedwise.cli.display import watching
    from seedwise.data import default_split, open_data
    from seedwise.live.events import DataProgress

    with watching(console) as watch:
        return open_data(
            dataset,
            chosen or default_split(dataset),
            source=source,
            cache=cache,
            watch=lambda what, done, total: watch(DataProgress(what=what, done=done, total=total)),
        )


def _print_size(console: "Console", found: "Data") -> None:
    from seedwise.cli.tables import say

    heights, widths = found.pixels.heights, found.pixels.widths
    say(
        console,
        f"{found.name}: {len(found.targets):,} images of {len(found.classes)} classes; split "
        f"{found.split}: {len(found.train):,} train, {len(found.valid):,} validate",
    )
    say(
        console,
        f"  {heights.min()} to {heights.max()} px high, {widths.min()} to {widths.max()} px wide, "
        f"{found.pixels.flat.nbytes / 1e6:,.0f} MB decoded; fingerprint {found.fingerprint[:12]}",
    )
