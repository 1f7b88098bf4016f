#include "server/cli/queue_command.hpp"

#include "merger/base/byte_count.hpp"
#include "server/cli/json_fields.hpp"
#include "server/cli/table.hpp"

namespace crucible::server::cli {
namespace {

std::string bytes(const Json& object, const char* key) {
  const Json& value = member(object, key);
  return value.is_number_unsigned() ? format_byte_count(value.get<std::uint64_t>()) : "-";
}

std::string queue_view(const Json& status) {
  Table table({{"KIND"}, {"STATE"}, {"JOBS", Align::kRight}});
  for (const Json& count : status.value("counts", Json::array())) {
    table.add({text(count, "kind"), text(count, "state"), std::to_string(count.value("jobs", 0))});
  }
  std::string out = table.text();
  for (const Json& pause : status.value("pauses", Json::array())) {
    const std::string by = text(pause, "paused_by");
    out += text(pause, "kind") + " jobs are paused since " + text(pause, "paused_at") +
           (by.empty() ? "" : " by " + by) + "\n";
  }
  const Json& memory = member(status, "memory");
  const Json& disk = member(status, "disk");
  out += "memory " + bytes(memory, "used") + " of " + bytes(memory, "budget") + ", disk " +
         bytes(disk, "free") + " free, " + bytes(disk, "floor") + " of it kept\n";
  const std::string waiting = text(status, "waiting_for");
  return waiting.empty() ? out : out + "waiting: " + waiting + "\n";
}

int show(const Result<Json>& status, const CommonOptions& common) {
  if (!status) return report(status.error(), common);
  if (common.json) {
    print_json(*status);
  } else {
    print(queue_view(*status));
  }
  return kSuccess;
}

int change(const char* path, const std::string& kind, const CommonOptions& common) {
  Json body = Json::object();
  if (!kind.empty()) body["kind"] = kind;
  return show(connect(common).and_then([&](const ApiClient& api) { return api.post(path, body); }),
              common);
}

}  // namespace

int queue_status(const CommonOptions& common) {
  return show(connect(common).and_then([](const ApiClient& api) { return api.get("/queue"); }),
              common);
}

int pause_queue(const std::string& kind, const CommonOptions& common) {
  return change("/queue/pause", kind, common);
}

int resume_queue(const std::string& kind, const CommonOptions& common) {
  return change("/queue/resume", kind, common);
}

int set_priority(std::int64_t job, int priority, const CommonOptions& common) {
  auto changed = connect(common).and_then([&](const ApiClient& api) {
    return api.post("/jobs/" + std::to_string(job) + "/priority", Json{{"priority", priority}});
  });
  if (!changed) return report(changed.error(), common);
  if (common.json) {
    print_json(*changed);
  } else {
    print("job " + std::to_string(job) + " has priority " + std::to_string(priority) + "\n");
  }
  return kSuccess;
}

}  // namespace crucible::server::cli
