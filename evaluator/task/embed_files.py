#!/usr/bin/env python3
"""Writes files as a table of C++ string literals: embed_files.py ROOT OUT.cpp FILE..."""

import pathlib
import sys

PIECE = 12000  # bytes of one literal; compilers must take 65536, and adjacent ones are joined


def literals(text):
    """The text as adjacent raw literals, cut between characters."""
    pieces = [text[i : i + PIECE] for i in range(0, len(text), PIECE)] or [""]
    return "\n".join(f'R"embedded({piece})embedded"' for piece in pieces)


def main():
    root, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    files = sorted((pathlib.Path(name).relative_to(root).as_posix(), name) for name in sys.argv[3:])
    lines = ['#include "evaluator/task/builtin_files.hpp"', "", "namespace crucible::task {", "",
             "std::span<const BuiltinFile> builtin_files() {",
             "  static constexpr BuiltinFile kFiles[] = {"]
    for path, name in files:
        text = pathlib.Path(name).read_text(encoding="utf-8")
        if ')embedded"' in text:
            sys.exit(f"{name}: holds the end of a literal")
        lines.append(f'{{"{path}", {literals(text)}}},')
    lines += ["  };", "  return kFiles;", "}", "", "}  // namespace crucible::task", ""]
    text = "\n".join(lines)
    if not out.exists() or out.read_text(encoding="utf-8") != text:
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
