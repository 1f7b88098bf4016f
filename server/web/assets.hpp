#pragma once

#include <span>
#include <string_view>

namespace crucible::server::web {

// One file of the page, compiled into the binary. A path may stand twice: as it is, and compressed.
struct Asset {
  std::string_view path;  // "/assets/index-1a2b.js"; the start page is "/"
  std::string_view content_type;
  std::string_view etag;  // with quotes
  std::span<const unsigned char> bytes;
  bool gzip = false;       // the bytes are gzip-compressed
  bool immutable = false;  // its name contains its hash
};

std::span<const Asset> embedded_assets();

}  // namespace crucible::server::web
