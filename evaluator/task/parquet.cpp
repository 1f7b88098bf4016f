#include "evaluator/task/parquet.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "evaluator/rust/crucible_native.h"
#include "evaluator/rust/owned.hpp"

namespace crucible::task {
namespace {

constexpr std::uint64_t kUnpackedLimit = 4ULL << 30;
constexpr std::size_t kRowsAtOnce = 1000;

struct Close {
  void operator()(crucible_parquet* reader) const { crucible_parquet_free(reader); }
};

tl::unexpected<Error> corrupt(const std::filesystem::path& file, const native::Owned<char>& error) {
  return fail(ErrorCode::kCorrupt, file.string() + ": " + native::message_of(error));
}

}  // namespace

Result<std::vector<Json>> read_parquet(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) {
    return fail(ErrorCode::kNotFound, file.string() + ": there is no such file");
  }
  const std::string& path = file.native();
  char* raw_error = nullptr;
  const std::unique_ptr<crucible_parquet, Close> reader(
      crucible_parquet_open(path.data(), path.size(), kUnpackedLimit, &raw_error));
  native::Owned<char> error(raw_error);
  if (!reader) return corrupt(file, error);
  std::vector<Json> rows;
  while (true) {
    std::size_t length = 0;
    const native::Owned<char> text(
        crucible_parquet_next(reader.get(), kRowsAtOnce, &length, &raw_error));
    error.reset(raw_error);
    if (!text) return corrupt(file, error);
    Json batch = Json::parse(std::string_view(text.get(), length));
    if (batch.empty()) return rows;
    for (Json& row : batch) rows.push_back(std::move(row));
  }
}

}  // namespace crucible::task
