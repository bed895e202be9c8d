"""Files of every binary format and ways to damage them: what a reader must refuse, or read, and never die of."""

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq


def small_table(rows: int = 60) -> pa.Table:
    """Every layout that has offsets, codes, validity or children to be damaged."""
    text = [None if i % 7 == 0 else f"value-{i % 5}-é" for i in range(rows)]
    return pa.table(
        {
            "text": pa.array(text),
            "large": pa.array(text, pa.large_string()),
            "codes": pa.array(text).dictionary_encode(),
            "bytes": pa.array([b"\xff" * (i % 4) for i in range(rows)]),
            "n": pa.array([None if i % 5 == 0 else i for i in range(rows)], pa.int32()),
            "real": np.linspace(-1, 1, rows),
            "flag": pa.array([i % 3 == 0 for i in range(rows)]),
            "when": pa.array(
                [dt.datetime(2024, 1, 1 + i % 28) for i in range(rows)], pa.timestamp("us", "UTC")
            ),
            "price": pa.array([Decimal(f"{i}.25") for i in range(rows)]),
            "list": pa.array([["a", None] * (i % 3) for i in range(rows)]),
            "struct": pa.array([{"k": i, "t": f"{i % 3}"} for i in range(rows)]),
            "y": pa.array(["no", "yes"] * (rows // 2)),
        }
    )


def _ipc(stream: bool, compression: str | None) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        options = pa.ipc.IpcWriteOptions(compression=compression)
        new = pa.ipc.new_stream if stream else pa.ipc.new_file
        table = small_table()
        with pa.OSFile(str(path), "wb") as file, new(file, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=25)

    return write


def _parquet(**options: object) -> Callable[[Path], None]:
    return lambda path: pq.write_table(small_table(), path, row_group_size=25, **options)


#: Name of a file -> what writes a sound one.
FILES: dict[str, Callable[[Path], None]] = {
    "file.arrow": _ipc(False, None),
    "file-lz4.arrow": _ipc(False, "lz4"),
    "file-zstd.arrow": _ipc(False, "zstd"),
    "stream.arrows": _ipc(True, None),
    "stream-zstd.arrows": _ipc(True, "zstd"),
    "feather.feather": lambda path: feather.write_feather(small_table(), str(path), chunksize=25),
    "views.arrow": lambda path: pl.from_arrow(small_table()).write_ipc(path),
    "snappy.parquet": _parquet(),
    "zstd.parquet": _parquet(compression="zstd", data_page_version="2.0"),
    "plain.parquet": _parquet(compression="none", use_dictionary=False),
    "coded.parquet": _parquet(compression="none"),
    "checksums.parquet": _parquet(write_page_checksum=True),
    "deltas.parquet": _parquet(
        use_dictionary=False,
        column_encoding={"text": "DELTA_BYTE_ARRAY", "large": "DELTA_LENGTH_BYTE_ARRAY", "n": "DELTA_BINARY_PACKED",
                         "real": "BYTE_STREAM_SPLIT"},
    ),
}  # fmt: skip


def damaged(raw: bytes, times: int, seed: int) -> Iterator[bytes]:
    """Copies of a file with one bit or several bytes changed, a stretch zeroed or overwritten, or the end cut off."""
    rng = np.random.default_rng(seed)
    for _ in range(times):
        data = np.frombuffer(raw, np.uint8).copy()
        at = int(rng.integers(len(data)))
        kind = rng.integers(6)
        if kind <= 1:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            data[rng.integers(len(data), size=int(rng.integers(2, 9)))] = rng.integers(0, 256)
        elif kind == 3:
            data[at : at + int(rng.integers(1, 64))] = rng.choice([0, 255])
        elif kind == 4:  # a length or an offset of another size
            wide = np.frombuffer(np.int64(rng.choice([-1, 1, 2**31 - 1, 2**40, 2**62])).tobytes(), np.uint8)
            data[at : at + 8] = wide[: len(data) - at]
        else:
            data = data[:at]
        yield data.tobytes()
