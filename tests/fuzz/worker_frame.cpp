#include "server/pipeline/spec.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace crucible;
using namespace crucible::server;
using nlohmann::json;

// What is read is written so that it reads back as the same.
template <typename Spec>
void check(const json& object, Result<Spec> (*read)(const json&)) {
  const auto spec = read(object);
  if (!fuzz::accepted(spec)) return;
  const json written = pipeline::to_json(*spec);
  const auto again = read(written);
  fuzz::require(again.has_value() &&
                pipeline::to_json(*again).dump(-1, ' ', false, json::error_handler_t::replace) ==
                    written.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace

// A line that a worker writes, and the JSON of specs and results in it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const unsigned kind = input.choice(5);
  const std::string line(input.rest());
  if (kind == 0) {
    const auto frame = pipeline::frame_from(line);
    if (!fuzz::accepted(frame)) return 0;
    if (frame->type == pipeline::Frame::Type::kProgress) {
      const std::string written = pipeline::progress_line(frame->progress);
      fuzz::require(written.ends_with('\n') && written.find('\n') == written.size() - 1);
    }
    return 0;
  }
  const json object = json::parse(line, nullptr, false);
  if (kind == 1) check(object, &pipeline::merge_spec_from);
  if (kind == 2) check(object, &pipeline::evaluation_spec_from);
  if (kind == 3) check(object, &pipeline::merge_result_from);
  if (kind == 4) check(object, &pipeline::evaluation_result_from);
  return 0;
}
