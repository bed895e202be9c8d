"""Arrow IPC files and streams, Feather included: memory-mapped record batches."""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Self

import pyarrow as pa

from salience.data.readers.parquet import pieces_of
from salience.data.readers.source import Member, SourceError


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
        try:
            with pa.memory_map(path) as file:
                stream = file.read(6) != b"ARROW1"
                file.seek(0)
                if stream:
                    with pa.ipc.open_stream(file) as reader:
                        schema = reader.schema
                        pieces = [((), sum(len(batch) for batch in reader))]
                else:
                    schema = pa.ipc.open_file(file).schema
                    narrow = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=[0]))
                    counts = [narrow.get_batch(i).num_rows for i in range(narrow.num_record_batches)]
                    pieces = pieces_of(counts)
        except (pa.ArrowInvalid, OSError) as error:
            raise SourceError(
                f"{path} ({os.path.getsize(path):,} bytes) cannot be read as Arrow IPC: {error}. "
                "It may be truncated: write it again, or leave it out"
            ) from error
        if len(set(schema.names)) < len(schema.names):
            raise SourceError(f"{path} names a column twice; rename its columns so that each name is unique")
        return cls(path, schema.remove_metadata(), pieces, (), {"stream": stream}, os.path.getsize(path))

    def read(self, part: tuple[int, ...], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """The record batches of a part, only these columns decoded."""
        wanted = sorted(self.schema.get_field_index(name) for name in columns)
        options = pa.ipc.IpcReadOptions(included_fields=wanted, use_threads=False)
        with pa.memory_map(self.path) as file:
            if self.options["stream"]:
                with pa.ipc.open_stream(file, options=options) as reader:
                    yield from reader
            else:
                reader = pa.ipc.open_file(file, options=options)
                for i in part:
                    yield reader.get_batch(i)
