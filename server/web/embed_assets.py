"""Writes a C++ table of a folder's files: embed_assets.py DIST_FOLDER OUT.cpp

Each file stands twice, as it is and gzip-compressed where that is smaller (same input, same bytes). A missing folder gives a one-line start page.
"""

import gzip
import hashlib
import pathlib
import re
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".map": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
MISSING = b"<!doctype html><title>Crucible</title><p>The page was not built. The API is under /api/v1.</p>\n"


def files(dist):
    """(path in URLs, suffix, bytes), sorted."""
    if not (dist / "index.html").is_file():
        return [("/", ".html", MISSING)]
    found = []
    for path in sorted(p for p in dist.rglob("*") if p.is_file()):
        name = "/" + path.relative_to(dist).as_posix()
        found.append(("/" if name == "/index.html" else name, path.suffix, path.read_bytes()))
    return found


def array(name, data):
    rows = [", ".join(map(str, data[i : i + 32])) for i in range(0, len(data), 32)]
    return "constexpr unsigned char %s[] = {\n%s};\n" % (name, ",\n".join(rows))


def main(dist, out):
    arrays, entries = [], []
    for index, (path, suffix, data) in enumerate(files(pathlib.Path(dist))):
        immutable = re.search(r"[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$", path) is not None and path.startswith("/assets/")
        etag = hashlib.sha256(data).hexdigest()[:16]
        packed = gzip.compress(data, 9, mtime=0)
        variants = [(data, False)] + ([(packed, True)] if len(packed) < len(data) else [])
        for body, gzipped in variants:
            name = "kFile%d%s" % (index, "Gzip" if gzipped else "")
            arrays.append(array(name, body or b"\n"))
            entries.append(
                '    {%s, "%s", "\\"%s%s\\"", std::span<const unsigned char>(%s, %d), %s, %s},'
                % (
                    '"%s"' % path.replace("\\", "\\\\").replace('"', '\\"'),
                    TYPES.get(suffix, "application/octet-stream"),
                    etag,
                    "-gz" if gzipped else "",
                    name,
                    len(body),
                    "true" if gzipped else "false",
                    "true" if immutable else "false",
                )
            )
    text = '#include "server/web/assets.hpp"\n\nnamespace crucible::server::web {\nnamespace {\n\n'
    text += "\n".join(arrays)
    text += "\nconstexpr Asset kAssets[] = {\n" + "\n".join(entries) + "\n};\n\n}  // namespace\n\n"
    text += "std::span<const Asset> embedded_assets() { return kAssets; }\n\n}  // namespace crucible::server::web\n"
    pathlib.Path(out).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
