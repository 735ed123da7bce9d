"""Parquet files and saved Datasets: every column but the content's passes through untouched."""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nonmember.data.rows import ROWS_AT_ONCE, Fields, Wanted, guarded, shards
from nonmember.data.writing.content import Contents, with_content

FINGERPRINT = 16  # characters, as many as Hugging Face's


def write_parquet(source: Path, target: Path, wanted: Wanted, contents: Contents) -> None:
    """Write ``source`` row group by row group, with its schema, metadata and compression."""
    with pq.ParquetFile(source) as file:
        schema = file.schema_arrow
        fields, before = wanted.among(schema.names, str(source)), 0
        with pq.ParquetWriter(target, schema, compression=_codecs(file.metadata)) as writer:
            writer.add_key_value_metadata(_beside_schema(file))
            for table in guarded(source, _row_groups(file)):
                batches = table.to_batches(ROWS_AT_ONCE)
                new = pa.Table.from_batches(_changed(batches, before, fields, contents), schema)
                before += len(table)
                if len(new):
                    writer.write_table(new, row_group_size=len(new))


def write_saved(source: Path, target: Path, wanted: Wanted, contents: Contents) -> None:
    """Write the folder of a Dataset into ``target``: the same shards, under a new fingerprint."""
    before, content = 0, sha256()
    for shard in shards(source):
        before += _write_shard(shard, target / shard.name, wanted, contents, before)
        with (target / shard.name).open("rb") as stream:
            while block := stream.read(1 << 20):
                content.update(block)
    state = json.loads((source / "state.json").read_text("utf-8"))
    # What `datasets` caches is found by the fingerprint: the old one stands for the old records.
    state["_fingerprint"] = content.hexdigest()[:FINGERPRINT]
    (target / "state.json").write_text(json.dumps(state, indent=2), "utf-8")
    with suppress(FileNotFoundError):  # it can be read without
        shutil.copyfile(source / "dataset_info.json", target / "dataset_info.json")


def _row_groups(file: pq.ParquetFile) -> Iterator[pa.Table]:
    for group in range(file.num_row_groups):
        yield file.read_row_group(group)


def _beside_schema(file: pq.ParquetFile) -> dict[bytes, bytes]:
    """What the file says of itself that does not come with its schema."""
    known = {b"ARROW:schema", *(file.schema_arrow.metadata or {})}
    said = file.metadata.metadata or {}
    return {key: value for key, value in said.items() if key not in known}


def _codecs(about: pq.FileMetaData) -> dict[str, str]:
    """The compression of each column, nested ones by their path."""
    first = about.row_group(0)
    columns = [first.column(place) for place in range(about.num_columns)]
    codecs = {column.path_in_schema: column.compression for column in columns}
    return {path: "NONE" if codec == "UNCOMPRESSED" else codec for path, codec in codecs.items()}


def _write_shard(
    source: Path, target: Path, wanted: Wanted, contents: Contents, before: int
) -> int:
    """Write one file of a Dataset, ``before`` whose records others stand; how many it had."""
    count = 0
    with pa.memory_map(str(source)) as mapped, pa.ipc.open_stream(mapped) as stream:
        fields = wanted.among(stream.schema.names, str(source))
        with pa.ipc.new_stream(str(target), stream.schema) as writer:
            for batch in guarded(source, stream):
                for new in _changed([batch], before + count, fields, contents):
                    writer.write_batch(new)
                count += len(batch)
    return count


def _changed(
    batches: Iterable[pa.RecordBatch], before: int, fields: Fields, contents: Contents
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        places = range(before, before + len(batch))
        if any(place in contents for place in places):
            batch = _changed_batch(batch, places, fields, contents)  # noqa: PLW2901
        if len(batch):
            yield batch
        before = places.stop


def _changed_batch(
    batch: pa.RecordBatch, places: range, fields: Fields, contents: Contents
) -> pa.RecordBatch:
    rows = batch.select(list(fields)).to_pylist()
    for row, place in enumerate(places):
        content = contents.get(place)
        if content is not None:
            rows[row] = with_content(rows[row], fields, content)
    for field in fields:
        column = batch.schema.get_field_index(field)
        about = batch.schema.field(column)
        values = pa.array([row[field] for row in rows], type=about.type)
        batch = batch.set_column(column, about, values)
    left_out = [row for row, place in enumerate(places) if contents.get(place, "") is None]
    return _without(batch, left_out) if left_out else batch


def _without(batch: pa.RecordBatch, rows: list[int]) -> pa.RecordBatch:
    """The batch without these rows: joined from slices, since not every type can be filtered."""
    starts, stops = [0, *(row + 1 for row in rows)], [*rows, len(batch)]
    slices = [batch[start:stop] for start, stop in zip(starts, stops, strict=True) if start < stop]
    whole = pa.Table.from_batches(slices, batch.schema).combine_chunks().to_batches()
    return whole[0] if whole else batch[:0]
