#!/usr/bin/env python3
"""Writes a text file as a C++ function that returns it: embed_text.py FILE FUNCTION OUT.cpp"""

import pathlib
import sys

PIECE = 12000  # bytes of one literal; adjacent ones are joined


def main():
    text = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    function, out = sys.argv[2], pathlib.Path(sys.argv[3])
    pieces = [text[i : i + PIECE] for i in range(0, len(text), PIECE)]
    if any(')text"' in piece for piece in pieces):
        sys.exit(f"{sys.argv[1]}: holds the end of a literal")
    body = "\n".join(f'R"text({piece})text"' for piece in pieces)
    out.write_text(
        "#include <string_view>\n\nnamespace crucible::text {\n\n"
        f"std::string_view {function}();\nstd::string_view {function}() {{\n  return {body};\n}}\n\n"
        "}  // namespace crucible::text\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
