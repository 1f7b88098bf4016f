#pragma once

#include <string>
#include <string_view>

namespace crucible::server::api {

// schemas/openapi.yaml as it was at build time, and the same document as JSON.
std::string_view openapi_yaml();
const std::string&
openapi_json();  // thread-safe; "{}" should the text not parse (a test excludes that)

}  // namespace crucible::server::api
