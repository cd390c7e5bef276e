"""Parquet files: tables as CSV files hold them, with columns that may be nested."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from seedwise.errors import DataError, MissingPackage
from seedwise.importers.logs import Candidate, Importer, Log, LogRow
from seedwise.importers.records import flat

__all__ = ["IMPORTER"]

_MAGIC = b"PAR1"
_MOST_CELLS = 2_000_000


def _recognises(candidate: Candidate) -> bool:
    return candidate.head.startswith(_MAGIC)


def _read(candidate: Candidate) -> list[Log]:
    path = candidate.path
    try:
        from pyarrow import ArrowException  # pyright: ignore[reportMissingImports]
        from pyarrow.parquet import ParquetFile  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        name = error.name or "pyarrow"
        raise MissingPackage(name, "a Parquet file", extra="parquet") from None
    try:
        with ParquetFile(path) as file:
            cells = file.metadata.num_rows * file.metadata.num_columns
            if cells > _MOST_CELLS:
                raise DataError(
                    f"{path} has more than {_MOST_CELLS:,} cells; leave out what is not setup, "
                    "seed or metric, or import it in parts"
                )
            rows = list(_rows(file))
    except (ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} cannot be read: {reason}") from None
    if not rows:
        raise DataError(f"{path} has no rows; it needs one for each run")
    return [Log(path=candidate.text, rows=rows)]


def _rows(file: Any) -> Iterator[LogRow]:
    place = 0
    for batch in file.iter_batches():
        for record in batch.to_pylist():
            place += 1
            told = {
                name: value.isoformat() if isinstance(value, date | datetime) else value
                for name, value in record.items()
                if not name.startswith("__index_level_")  # pandas' index without a name
            }
            yield LogRow(where=f"row {place}", cells=flat(told))


IMPORTER = Importer(
    name="parquet",
    about="Parquet: a row for each run, value or epoch",
    recognises=_recognises,
    read=_read,
    extra="parquet",
    general=True,
)
