"""Crucible's verdict on safetensors files against the reference reader's (PyPI `safetensors`).

    differential_safetensors.py VERDICTS [--files N] [--seed S]

VERDICTS is the program built from safetensors_verdicts.cpp. Makes N files (1,000,000) by
mutating valid ones: header text, its tree, its length and the data's. Every file goes through
`safetensors.deserialize` and through `Reader::open`, one in a thousand also through `safe_open`.

Where both accept a file they must see the same tensors. Crucible must never accept what the
reference refuses. Where it refuses what the reference accepts, the file must have one of the
properties in STRICTER, established here from the header itself and not from Crucible's message.
Anything else is a disagreement: it is printed and the exit status is 1.
"""

import argparse
import collections
import copy
import itertools
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

import safetensors

ELEMENT_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
    "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}
SHAPES = [  # products that overflow, before or after a zero
    ["1099511627776", "1099511627776", "0"], ["0", "1099511627776", "1099511627776"],
    ["4294967296", "4294967296"], ["0", "18446744073709551615"], ["18446744073709551615", "2", "0"],
]
HEADER_LIMIT = 25_000_000
LATER_TYPES = {"C64", "F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "E8M0"}
FIELDS = {"dtype", "shape", "data_offsets"}
NUMBERS = [
    "0", "1", "2", "3", "4", "7", "8", "16", "255", "256", "65536", "2147483648", "4294967295",
    "4294967296", "1099511627776", "4611686018427387904", "9223372036854775807",
    "9223372036854775808", "18446744073709551615", "18446744073709551616", "-1", "-0", "00", "01",
    "1.0", "1e0", "1E2", "0.5", "1e400", "+1", "0x1", "NaN", "Infinity", '"4"', "null", "true",
    "[]", "[1]", "{}", '{"U8":null}',
]
PIECES = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b" ", b"\n", b"\t", b"\r", b"\x0b", b"\x00", b"\\",
    b"\\u0000", b"\\ud800", b"\\ud83d\\ude00", b"\\/", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80",
    b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"__metadata__", b'"__metadata__":{},', b'"dtype":"U8",',
    b'"shape":[],', b'"data_offsets":[0,0],', b'"x":1,', b"null", b"true", b"//", b"/**/", b",,",
]


# --- valid files ---------------------------------------------------------------------------------


def valid_tensors(rng):
    tensors, at = [], 0
    for i in range(rng.choice((0, 1, 1, 2, 2, 3, 5))):
        dtype = rng.choice(list(ELEMENT_BYTES))
        shape = [rng.choice((0, 1, 1, 2, 3, 4)) for _ in range(rng.choice((0, 1, 1, 2, 2, 3)))]
        size = ELEMENT_BYTES[dtype]
        for extent in shape:
            size *= extent
        name = rng.choice(("a", "b", "model.layers.0.w", "é", "x y")) + str(i)
        tensors.append([name, [["dtype", json.dumps(dtype)],
                               ["shape", [str(extent) for extent in shape]],
                               ["data_offsets", [str(at), str(at + size)]]]])
        at += size
    return tensors, at


def valid_tree(rng):
    """Pairs of keys and values, so that a key may stand twice; values that are texts are JSON."""
    tree, size = valid_tensors(rng)
    if rng.random() < 0.3:
        tree.insert(rng.randrange(len(tree) + 1), ["__metadata__", [["format", '"pt"']]])
    if rng.random() < 0.3:
        rng.shuffle(tree)
    return tree, size


def text_of(value, rng, loose):
    blank = (lambda: rng.choice(("", "", "", " ", "\n", "\t", "\r"))) if loose else (lambda: "")
    if isinstance(value, str):
        return value
    if value and isinstance(value[0], list):
        pairs = (json.dumps(key) + blank() + ":" + blank() + text_of(item, rng, loose)
                 for key, item in value)
        return "{" + blank() + ("," + blank()).join(pairs) + blank() + "}"
    if value == []:
        return "[]"
    return "[" + ("," + blank()).join(value) + blank() + "]"


# --- mutations -----------------------------------------------------------------------------------


def mutate_numbers(entry, rng):
    target = rng.choice([pair for pair in entry if isinstance(pair[1], list)] or [["", []]])[1]
    if target and isinstance(target[0], str):
        i = rng.randrange(len(target))
        kind = rng.random()
        if kind < 0.4 and target[i].isdigit():
            target[i] = str(max(0, int(target[i]) + rng.choice((-2, -1, 1, 2, 8))))
        elif kind < 0.7:
            target[i] = rng.choice(NUMBERS)
        elif kind < 0.8:
            del target[i]
        elif kind < 0.88:
            target.insert(i, rng.choice(NUMBERS))
        elif kind < 0.92:
            target[:] = rng.choice(SHAPES)
        else:
            target.extend(["1"] * rng.randrange(1, 10))
    elif isinstance(target, list):
        target.append(rng.choice(NUMBERS))


def mutate_entry(entry, rng):
    kind = rng.random()
    if kind < 0.5:
        mutate_numbers(entry, rng)
    elif kind < 0.6 and entry:
        entry.append(copy.deepcopy(rng.choice(entry)))
    elif kind < 0.7 and entry:
        del entry[rng.randrange(len(entry))]
    elif kind < 0.8:
        entry.append([rng.choice(("extra", "Dtype", "", "shape ")), rng.choice(NUMBERS)])
    elif entry:
        pair = rng.choice(entry)
        names = list(ELEMENT_BYTES) + sorted(LATER_TYPES) + ["f32", "", "F128"]
        pair[1] = json.dumps(rng.choice(names)) if kind < 0.95 else rng.choice(NUMBERS)


def as_array(entry):
    """Serde reads a struct from an array of its fields too."""
    return "[" + ",".join(text_of(value, random.Random(0), False) for _, value in entry) + "]"


def mutate_tree(tree, rng):
    kind = rng.random()
    if not tree or kind < 0.05:
        tree.append([rng.choice(("n", "__metadata__")), rng.choice(NUMBERS)])
        return
    i = rng.randrange(len(tree))
    if kind < 0.65 and isinstance(tree[i][1], list):
        mutate_entry(tree[i][1], rng)
    elif kind < 0.75:
        tree.insert(rng.randrange(len(tree)), copy.deepcopy(tree[i]))
    elif kind < 0.80:
        del tree[i]
    elif kind < 0.85 and isinstance(tree[i][1], list) and len(tree[i][1]) == 3:
        tree[i][1] = as_array(tree[i][1])
    elif kind < 0.90:
        tree[i][0] = rng.choice(("n" * 512, "n" * 513, "", "__metadata__", "\0", "\u2028", "a0"))
    elif kind < 0.95:
        j = rng.randrange(len(tree))
        tree[i][1], tree[j][1] = tree[j][1], tree[i][1]
    else:
        tree[i][1] = rng.choice(NUMBERS)


def mutate_bytes(header, rng):
    at = rng.randrange(len(header) + 1)
    kind = rng.random()
    if kind < 0.3:
        return header[:at] + rng.choice(PIECES) + header[at:]
    if kind < 0.5:
        return header[:at] + header[at + rng.randrange(1, 5):]
    if kind < 0.7 and at < len(header):
        return header[:at] + bytes([header[at] ^ (1 << rng.randrange(8))]) + header[at + 1:]
    if kind < 0.85:
        end = min(len(header), at + rng.randrange(1, 40))
        return header[:end] + header[at:end] + header[end:]
    return header[:at] + bytes([rng.randrange(256)]) + header[at + 1:]


def make_file(rng):
    tree, size = valid_tree(rng)
    if rng.random() < 0.6:
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            mutate_tree(tree, rng)
    header = (text_of(tree, rng, rng.random() < 0.3) if tree else "{}").encode()
    if rng.random() < 0.35:
        for _ in range(rng.choice((1, 1, 2, 4))):
            header = mutate_bytes(header, rng)
    if rng.random() < 0.3:
        header += b" " * rng.randrange(9)
    if rng.random() < 0.03:
        header = rng.choice((b" ", b"\n", b"\xef\xbb\xbf", b"\x00")) + header
    length = len(header)
    if rng.random() < 0.05:
        length = rng.choice((0, 1, length - 1, length + 1, length + size, 2**31, 2**63, 2**64 - 8,
                             2**64 - 1, 100_000_000, 100_000_001))
    if rng.random() < 0.05:
        size = max(0, size + rng.choice((-8, -1, 1, 8)))
    file = struct.pack("<Q", length % 2**64) + header + bytes(size)
    return file[:rng.randrange(9)] if rng.random() < 0.002 else file


def special_files():
    """What random files are too small for."""
    tensor = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    for length in (HEADER_LIMIT, HEADER_LIMIT + 1):
        yield struct.pack("<Q", length) + tensor.ljust(length) + b"x"
    for value in (b"[" * 100_000, b'{"a":' * 100_000):
        yield struct.pack("<Q", len(value) + 5) + b'{"a":' + value


# --- verdicts ------------------------------------------------------------------------------------


def words(tensors):
    return sorted("%s[%s]%d" % (of["dtype"], ",".join(map(str, of["shape"])), len(of["data"]))
                  for _, of in tensors)


def reference_verdict(file):
    try:
        return words(safetensors.deserialize(file)), ""
    except safetensors.SafetensorError as error:
        return None, str(error)


def opens(file, path):
    """Whether safe_open takes it; it maps files and is slower."""
    with open(path, "wb") as out:
        out.write(file)
    try:
        with safetensors.safe_open(path, framework="np"):
            return True
    except safetensors.SafetensorError:
        return False


def crucible_verdict(process, file):
    process.stdin.write(struct.pack("<Q", len(file)) + file)
    process.stdin.flush()
    line = process.stdout.readline().decode("utf-8", "replace").rstrip("\n")
    if not line:
        raise SystemExit("the program under test ended; its last file: " + file.hex())
    return (sorted(line[2:].split()), "") if line[0] == "+" else (None, line[2:])


# --- deliberate limits ---------------------------------------------------------------------------


class Pairs(list):
    """A JSON object as its pairs; the outermost one knows the header's size."""

    size = 0


def objects(value):
    if isinstance(value, Pairs):
        yield value
        for _, item in value:
            yield from objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from objects(item)


def entries(root):
    return [item for key, item in root if key != "__metadata__"]


def field(entry, key):
    return dict(entry).get(key) if isinstance(entry, Pairs) else None


STRICTER = {
    "the header is larger than 25,000,000 bytes": lambda root: root.size > HEADER_LIMIT,
    "a key stands twice in one object":
        lambda root: any(len({key for key, _ in one}) < len(one) for one in objects(root)),
    "a tensor has a field that the format does not name":
        lambda root: any(isinstance(entry, Pairs) and {key for key, _ in entry} - FIELDS
                         for entry in entries(root)),
    "a tensor is an array of its fields":
        lambda root: any(isinstance(entry, list) and not isinstance(entry, Pairs)
                         for entry in entries(root)),
    "a dtype is an object":
        lambda root: any(isinstance(field(entry, "dtype"), Pairs) for entry in entries(root)),
    "__metadata__ is null": lambda root: ("__metadata__", None) in root,
    "a name is longer than 512 bytes":
        lambda root: any(len(key.encode("utf-8", "replace")) > 512 for key, _ in root),
    "a shape has more than 8 extents":
        lambda root: any(len(field(entry, "shape") or ()) > 8 for entry in entries(root)),
    "a dtype of later revisions":
        lambda root: any(isinstance(field(entry, "dtype"), str) and
                         field(entry, "dtype") in LATER_TYPES for entry in entries(root)),
}


def explanation(file):
    length = struct.unpack("<Q", file[:8])[0]
    try:
        root = json.loads(file[8:8 + length], object_pairs_hook=Pairs)
    except (ValueError, RecursionError):
        return None
    if not isinstance(root, Pairs):
        return None
    root.size = length
    return next((name for name, holds in STRICTER.items() if holds(root)), None)


def compare(file, ours, theirs):
    """The class that the two verdicts belong to, and whether that is a disagreement."""
    if ours[0] is not None and theirs[0] is not None:
        return ("both accept", False) if ours[0] == theirs[0] else ("other tensors", True)
    if ours[0] is None and theirs[0] is None:
        return "both refuse", False
    if theirs[0] is None:
        return "Crucible accepts what the reference refuses", True
    reason = explanation(file)
    return ("stricter: " + reason, False) if reason else ("stricter, unexplained", True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("verdicts")
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    counts = collections.Counter()
    process = subprocess.Popen([options.verdicts], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    files = itertools.chain(special_files(), (make_file(rng) for _ in range(options.files)))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = os.path.join(folder, "model.safetensors")
        for number, file in enumerate(files):
            theirs = reference_verdict(file)
            ours = crucible_verdict(process, file)
            kind, disagree = compare(file, ours, theirs)
            if number % 1000 == 0 and opens(file, path) != (theirs[0] is not None):
                kind, disagree = "the reference's two readers differ", True
            counts[kind] += 1
            if disagree:
                counts["DISAGREEMENTS"] += 1
                if counts["DISAGREEMENTS"] <= 20:
                    print(kind, file[:500], "\n  Crucible:", ours, "\n  reference:", theirs)
    process.stdin.close()
    status = process.wait()
    print("safetensors %s, seed %d, %d files" %
          (safetensors.__version__, options.seed, options.files))
    for kind, count in sorted(counts.items(), key=lambda item: -item[1]):
        print("%9d  %s" % (count, kind))
    sys.exit(1 if counts["DISAGREEMENTS"] or status else 0)


if __name__ == "__main__":
    main()
