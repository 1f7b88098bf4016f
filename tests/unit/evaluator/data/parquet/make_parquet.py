#!/usr/bin/env python3
"""Makes the Parquet files of parquet_test.cpp, with pyarrow 26.0.1, and rows.json: what is in them.

    make_parquet.py

Writes into its own folder. The tests need only what it writes.
"""
import datetime
import decimal
import json
import pathlib

import pyarrow
import pyarrow.parquet

HERE = pathlib.Path(__file__).resolve().parent
DAY = datetime.date(2024, 2, 29)
MOMENT = datetime.datetime(1969, 12, 31, 23, 59, 58, 250000)
MORNING = datetime.datetime(2025, 6, 15, 8, 0, 0)


def rows() -> list[dict]:
    """What every file holds: nulls everywhere, nested columns, text beyond ASCII."""
    made = []
    for i in range(25):
        odd = i % 2 == 1
        made.append({
            "id": i, "question": f"Frage {i}: Wie heißt 東京 🗼?", "label": None if i % 5 == 0 else i % 4,
            "score": None if i == 3 else i / 8, "small": i / 2, "correct": None if i == 4 else odd,
            "choices": {"text": ["ja", "nein", ""][: i % 4], "label": ["A", "B", "C"][: i % 4]},
            "tags": None if i == 7 else [f"t{i % 3}", None] if odd else [],
            "turns": [{"role": "user", "content": "x" * i}, {"role": None, "content": None}] if odd else [],
            "matrix": [[i, -i], []], "big": 2**62 + i, "kind": ["easy", "hard"][i % 2], "empty": "",
        })
    return made


SCHEMA = pyarrow.schema([
    ("id", pyarrow.int32()), ("question", pyarrow.string()), ("label", pyarrow.int64()), ("score", pyarrow.float64()),
    ("small", pyarrow.float32()), ("correct", pyarrow.bool_()),
    ("choices", pyarrow.struct([("text", pyarrow.list_(pyarrow.string())), ("label", pyarrow.list_(pyarrow.string()))])),
    ("tags", pyarrow.list_(pyarrow.string())),
    ("turns", pyarrow.list_(pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())]))),
    ("matrix", pyarrow.list_(pyarrow.list_(pyarrow.int64()))), ("big", pyarrow.int64()), ("kind", pyarrow.string()),
    ("empty", pyarrow.large_string()),
])


def types() -> tuple[pyarrow.Table, list[dict]]:
    """One column a type that JSON has no form of, and the text that stands for it."""
    columns = {
        "u8": (pyarrow.uint8(), [255, None], [255, None]),
        "u64": (pyarrow.uint64(), [2**64 - 1, 0], [2**64 - 1, 0]),
        "i8": (pyarrow.int8(), [-128, 1], [-128, 1]),
        "half": (pyarrow.float16(), [0.5, -2.0], [0.5, -2.0]),
        "nan": (pyarrow.float64(), [float("nan"), 0.1], [None, 0.1]),
        "date": (pyarrow.date32(), [DAY, datetime.date(1969, 1, 1)], [str(DAY), "1969-01-01"]),
        "ms": (pyarrow.timestamp("ms"), [MOMENT, MORNING], [str(MOMENT), str(MORNING)]),
        "us": (pyarrow.timestamp("us"), [MOMENT, None], [str(MOMENT), None]),
        "time": (pyarrow.time64("us"), [MORNING.time(), MOMENT.time()], [str(MORNING.time()), str(MOMENT.time())]),
        "decimal": (pyarrow.decimal128(10, 2), [decimal.Decimal("-1.50"), decimal.Decimal("0.05")], ["-1.50", "0.05"]),
        "bytes": (pyarrow.binary(), [b"text", "é".encode()], ["text", "é"]),
        "map": (pyarrow.map_(pyarrow.string(), pyarrow.int64()), [[("a", 1)], []], [{"a": 1}, {}]),
        "null": (pyarrow.null(), [None, None], [None, None]),
        "dictionary": (pyarrow.dictionary(pyarrow.int32(), pyarrow.string()), ["x", "y"], ["x", "y"]),
    }
    arrays = [pyarrow.array(values, kind) for kind, values, _ in columns.values()]
    expected = [{name: texts[i] for name, (_, _, texts) in columns.items()} for i in range(2)]
    return pyarrow.table(arrays, names=list(columns)), expected


def main() -> None:
    made = rows()
    table = pyarrow.Table.from_pylist(made, schema=SCHEMA)
    for codec in ("none", "snappy", "gzip", "zstd", "brotli", "lz4"):
        pyarrow.parquet.write_table(table, HERE / f"{codec}.parquet", compression=codec, row_group_size=10)
    pyarrow.parquet.write_table(table, HERE / "plain.parquet", compression="snappy", use_dictionary=False,
                                data_page_version="2.0", version="2.6")
    pyarrow.parquet.write_table(table.slice(0, 0), HERE / "no_rows.parquet")
    typed, expected = types()
    pyarrow.parquet.write_table(typed, HERE / "types.parquet", coerce_timestamps=None)
    binary = pyarrow.table({"image": pyarrow.array([b"\xff\xd8\xff"], pyarrow.binary())})
    pyarrow.parquet.write_table(binary, HERE / "binary.parquet")
    (HERE / "rows.json").write_text(json.dumps({"rows": made, "types": expected}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
