"""The script's side of fail_call.c: builds the library, shares its control block, reads its journal."""

import collections
import mmap
import os
import pathlib
import struct
import subprocess

ROLES = ("daemon", "worker")
FAMILIES = ("write", "sync", "rename", "open", "close", "reserve", "make folder", "remove")
SHORT_WRITE = 1000
NEEDLE_BYTES = 256

# Offsets in struct Control, in fields of 8 bytes.
COUNTS = 1
FAULT = COUNTS + len(ROLES) * len(FAMILIES)
ARMED = FAULT + 6
HITS = ARMED + 1
NEEDLES = (HITS + 1) * 8
SIZE = NEEDLES + 2 * NEEDLE_BYTES

# The `number`-th call of `family` in `role` begins it; `most` calls of `families` fail with `error`.
Fault = collections.namedtuple("Fault", "role family number families error most")


def build(folder):
    """The library, made beside what it is for."""
    source = pathlib.Path(__file__).with_name("fail_call.c")
    library = pathlib.Path(folder) / "fail_call.so"
    subprocess.run(["cc", "-O2", "-fPIC", "-shared", "-Wall", "-o", library, source, "-ldl"], check=True)
    return library


class Call(collections.namedtuple("Call", "sequence role operation error injected file folder path other")):
    """A line of the journal; `file` and `folder` are inodes."""

    def say(self, below):
        name = self.path.replace(str(below) + "/", "")
        return f"{ROLES[self.role]}: {self.operation} {name}"


class Injection:
    """One control block and one journal, for a daemon and its workers."""

    def __init__(self, folder, library, below):
        self.file = folder / "control"
        self.lines = folder / "journal"
        self.file.write_bytes(bytes(SIZE))
        with open(self.file, "r+b") as opened:
            self.memory = mmap.mmap(opened.fileno(), SIZE)
        (folder / "home").mkdir(exist_ok=True)
        self.environment = {**os.environ, "LD_PRELOAD": str(library), "FAIL_CALL_CONTROL": str(self.file),
                            "FAIL_CALL_JOURNAL": str(self.lines), "HOME": str(folder / "home"),
                            "XDG_STATE_HOME": str(folder / "home" / "state"),
                            "FAIL_CALL_BELOW": ":".join(str(path) for path in below)}

    def get(self, field):
        return struct.unpack_from("<Q", self.memory, field * 8)[0]

    def put(self, field, *values):
        struct.pack_into(f"<{len(values)}Q", self.memory, field * 8, *values)

    def arm(self, fault):
        families = sum(1 << FAMILIES.index(family) for family in fault.families)
        self.put(FAULT, ROLES.index(fault.role), FAMILIES.index(fault.family), fault.number, families,
                 fault.error, fault.most)

    def disarm(self):
        self.put(FAULT, 0, 0, 0, 0, 0, 0)
        self.put(ARMED, 0)

    def hits(self):
        return self.get(HITS)

    def mark(self, *needles):
        """Writes that hold these texts are marked in the journal."""
        for number, needle in enumerate(needles):
            struct.pack_into(f"{NEEDLE_BYTES}s", self.memory, NEEDLES + number * NEEDLE_BYTES, needle.encode())

    def counts(self):
        """(role, family) -> calls so far."""
        return {(role, family): self.get(COUNTS + r * len(FAMILIES) + f)
                for r, role in enumerate(ROLES) for f, family in enumerate(FAMILIES)}

    def journal(self):
        calls = []
        for line in self.lines.read_text(errors="replace").splitlines():
            sequence, role, operation, error, injected, file, folder, path, other = line.split("\t")
            calls.append(Call(int(sequence), int(role), operation, int(error), injected == "!", int(file),
                              int(folder), path, other))
        return sorted(calls)
