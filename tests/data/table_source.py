"""A source over an Arrow table, cut into shards wherever a test wants."""

import itertools

import pyarrow as pa

from salience.data.readers.source import Shard


def physical(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return physical(kind.value_type)
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind):
        return "real"
    if pa.types.is_temporal(kind):
        return "time"
    return "list" if pa.types.is_nested(kind) else "text"


class TableSource:
    format = "frame"
    notes: tuple[str, ...] = ()
    held = 0

    def __init__(self, table: pa.Table | dict, cuts: tuple[int, ...] = (), text: bool = False) -> None:
        table = table if isinstance(table, pa.Table) else pa.table(table)
        if text:  # as a CSV reader gives it
            table = pa.table({n: table[n].cast(pa.string()).fill_null("") for n in table.column_names})
        self.table = table.combine_chunks()
        self.columns = tuple(table.column_names)
        self.types = {field.name: physical(field.type) for field in table.schema}
        self.rows = table.num_rows
        bounds = [0, *cuts, self.rows]
        self._bounds = bounds
        pieces = itertools.pairwise(bounds)
        self._shards = tuple(Shard(i, "", (i,), b - a) for i, (a, b) in enumerate(pieces))

    def shards(self):
        return self._shards

    def batches(self, shard, columns, rows, most=None):
        piece = self.table.select(list(columns))[self._bounds[shard.index] : self._bounds[shard.index + 1]]
        for first in range(0, shard.rows, rows):
            (batch,) = piece[first : first + rows].combine_chunks().to_batches()
            yield batch

    def describe(self):
        return {"format": "frame", "rows": self.rows}
