"""Arrow IPC files and streams, Feather included: memory-mapped record batches."""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Self

import pyarrow as pa

from salience.data.readers.integrity import checked, reading
from salience.data.readers.parquet import pieces_of
from salience.data.readers.source import Member, check_unique


class ArrowMember(Member):
    """One Arrow file; a part lists record batches (a stream is one part, ``()``)."""

    @classmethod
    def open(cls, path: str, **options: Any) -> Self:
        """Read the schema and count the rows of each record batch.

        Raises
        ------
        SourceError
            If the file is truncated or no Arrow file.
        """
        pieces: list[tuple[tuple[int, ...], int]]
        with reading(path, "Arrow IPC"), pa.memory_map(path) as file:
            stream = file.read(6) != b"ARROW1"
            file.seek(0)
            if stream:
                with pa.ipc.open_stream(file) as reader:
                    schema = reader.schema
                    pieces = [((), sum(len(batch) for batch in reader))]
            else:
                schema = pa.ipc.open_file(file).schema
                # a column of nothing but nulls has whatever length is claimed
                sized = [i for i, f in enumerate(schema) if not pa.types.is_null(f.type)][:1] or [0]
                narrow = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=sized))
                counts = [narrow.get_batch(i).num_rows for i in range(narrow.num_record_batches)]
                pieces = pieces_of(counts)
            check_unique(schema.names, path)
        return cls(path, schema.remove_metadata(), pieces, (), {"stream": stream}, os.path.getsize(path))

    def read(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """The record batches of a part, only these columns decoded."""
        wanted = sorted(self.schema.get_field_index(name) for name in columns)
        options = pa.ipc.IpcReadOptions(included_fields=wanted, use_threads=False)
        with reading(self.path, "Arrow IPC"), pa.memory_map(self.path) as file:
            if self.options["stream"]:
                with pa.ipc.open_stream(file, options=options) as reader:
                    for batch in reader:
                        yield checked(batch, self.path)
            else:
                reader = pa.ipc.open_file(file, options=options)
                for i in part:
                    yield checked(reader.get_batch(i), self.path)
