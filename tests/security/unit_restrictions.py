"""Starts a program under what a systemd unit restricts by system calls: unit_restrictions.py UNIT COMMAND…

Only what a process can put on itself without systemd: SystemCallFilter, RestrictAddressFamilies,
MemoryDenyWriteExecute, NoNewPrivileges, LimitNOFILE, LimitCORE. Groups are expanded by systemd-analyze.
"""

import ctypes
import os
import resource
import socket
import subprocess
import sys

PR_SET_NO_NEW_PRIVS = 38
PR_SET_MDWE = 65  # Linux 6.3
ALLOW = 0x7FFF0000
FAIL_EPERM = 0x00050001
COMPARE_EQUAL = 4


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int), ("a", ctypes.c_uint64),
                ("b", ctypes.c_uint64)]


def read_unit(path):
    """[Service] as name -> list of values, in order."""
    settings, section = {}, None
    for line in open(path, encoding="utf-8"):
        line = line.strip()
        if line.startswith("["):
            section = line
        elif "=" in line and not line.startswith("#") and section == "[Service]":
            name, value = line.split("=", 1)
            settings.setdefault(name, []).append(value)
    return settings


def expand(name, seen=None):
    """The system calls of a group such as @system-service."""
    if not name.startswith("@"):
        return {name}
    seen = seen or set()
    if name in seen:
        return set()
    seen.add(name)
    listing = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True,
                             text=True, check=True).stdout
    calls = set()
    for line in listing.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            calls |= expand(word, seen)
    return calls


def allowed_calls(settings):
    calls = expand("@default") | {"execve"}
    for value in settings["SystemCallFilter"]:
        names = value.lstrip("~").split()
        group = set().union(*(expand(name) for name in names))
        calls = calls - group if value.startswith("~") else calls | group
    return calls


def load_filter(calls, families):
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
                                               ctypes.POINTER(Comparison)]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    context = library.seccomp_init(ctypes.c_uint32(FAIL_EPERM))
    for name in sorted(calls):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            continue
        for family in families if name == "socket" else (None,):
            only = Comparison(0, COMPARE_EQUAL, family or 0, 0)
            count = 0 if family is None else 1
            if library.seccomp_rule_add_array(context, ALLOW, number, count, ctypes.byref(only)) != 0:
                sys.exit(f"no rule for {name}")
    if library.seccomp_load(context) != 0:
        sys.exit("the filter cannot be loaded")


def main():
    settings = read_unit(sys.argv[1])
    families = [getattr(socket, name) for name in settings["RestrictAddressFamilies"][0].split()]
    calls = allowed_calls(settings)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    files = int(settings["LimitNOFILE"][0])
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    libc = ctypes.CDLL(None, use_errno=True)
    if settings["MemoryDenyWriteExecute"] == ["yes"] and libc.prctl(PR_SET_MDWE, 1, 0, 0, 0) != 0:
        print("this kernel has no PR_SET_MDWE", file=sys.stderr)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    load_filter(calls, families)
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
