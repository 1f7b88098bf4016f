#include "server/config/options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "merger/base/byte_count.hpp"
#include "merger/base/io.hpp"

namespace crucible::server::config {
namespace {

constexpr std::uint64_t kLargestFile = 1ULL << 20;

tl::unexpected<Error> bad(std::string message) {
  return fail(ErrorCode::kInvalidArgument, std::move(message));
}

template <typename Number>
Result<Number> parse_number(std::string_view text, Number least, Number most) {
  Number number{};
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  if (error != std::errc{} || end != last || number < least || number > most) {
    return bad(fmt::format("must be a whole number from {} to {}, not \"{}\"", least, most, text));
  }
  return number;
}

template <typename Number>
Key number_key(std::string_view name, std::string_view meaning, Number Options::* member,
               Number least, Number most) {
  return {name, meaning, false,
          [=](Options& options, const Values& values) -> Status {
            auto number = parse_number<Number>(values.back(), least, most);
            if (!number) return fail(std::move(number).error());
            options.*member = *number;
            return {};
          },
          [=](const Options& options) { return fmt::format("{}", options.*member); }};
}

Key bytes_key(std::string_view name, std::string_view meaning, std::uint64_t Options::* member,
              bool may_be_zero = false) {
  return {name, meaning, false,
          [=](Options& options, const Values& values) -> Status {
            auto bytes = parse_byte_count(values.back());
            if (!bytes) return fail(std::move(bytes).error());
            if (*bytes == 0 && !may_be_zero) return bad("must be more than 0 bytes");
            options.*member = *bytes;
            return {};
          },
          [=](const Options& options) { return fmt::format("{}", options.*member); }};
}

Key text_key(std::string_view name, std::string_view meaning, std::string Options::* member,
             const std::vector<std::string>& allowed) {
  return {name, meaning, false,
          [=](Options& options, const Values& values) -> Status {
            if (!allowed.empty() && std::ranges::find(allowed, values.back()) == allowed.end()) {
              return bad(fmt::format("must be one of {}, not \"{}\"", fmt::join(allowed, ", "),
                                     values.back()));
            }
            options.*member = values.back();
            return {};
          },
          [=](const Options& options) { return options.*member; }};
}

Key folders_key(std::string_view name, std::string_view meaning,
                std::vector<std::filesystem::path> Options::* member) {
  return {name, meaning, true,
          [=](Options& options, const Values& values) -> Status {
            (options.*member).assign(values.begin(), values.end());
            return {};
          },
          [=](const Options& options) {
            std::vector<std::string> texts;
            for (const auto& path : options.*member) texts.push_back(path.string());
            return fmt::format("{}", fmt::join(texts, ", "));
          }};
}

Key file_key(std::string_view name, std::string_view meaning,
             std::filesystem::path Options::* member) {
  return {name, meaning, false,
          [=](Options& options, const Values& values) -> Status {
            options.*member = values.back();
            return {};
          },
          [=](const Options& options) { return (options.*member).string(); }};
}

Key state_key() {
  return {"state", "folder of the database, merged models and logs", false,
          [](Options& options, const Values& values) -> Status {
            if (values.back().empty()) return bad("must name a folder");
            options.state = values.back();
            return {};
          },
          [](const Options& options) { return options.state.string(); }};
}

Key hosts_key() {
  return {"allowed-host", "name accepted in the Host header (repeatable)", true,
          [](Options& options, const Values& values) -> Status {
            options.allowed_hosts = values;
            return {};
          },
          [](const Options& options) {
            return fmt::format("{}", fmt::join(options.allowed_hosts, ", "));
          }};
}

std::string variable_name(std::string_view key) {
  std::string name = "CRUCIBLE_";
  for (const char c : key) {
    name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return name;
}

Result<std::map<std::string, Values>> read_file(const std::filesystem::path& file) {
  std::map<std::string, Values> found;
  if (file.empty()) return found;
  auto text = io::read_text(file, kLargestFile);
  if (!text) return fail(std::move(text).error());
  try {
    const YAML::Node root = YAML::Load(*text);
    if (!root.IsMap() && !root.IsNull())
      return bad(file.string() + ": must hold `key: value` lines");
    for (const auto& entry : root) {
      Values& values = found[entry.first.as<std::string>()];
      if (entry.second.IsSequence()) {
        values = entry.second.as<Values>();
      } else {
        values.push_back(entry.second.as<std::string>());
      }
    }
  } catch (const YAML::Exception& exception) {
    return bad(fmt::format("{}: {}", file.string(), exception.what()));
  }
  return found;
}

struct Source {
  std::string origin;
  Values values;
};

// Where a key's value comes from; an empty origin when it is the default.
Source source_of(const Key& key, const std::map<std::string, Values>& flags,
                 const std::map<std::string, Values>& file, const Environment& environment) {
  const std::string name(key.name);
  if (const auto flag = flags.find(name); flag != flags.end() && !flag->second.empty()) {
    return {"flag", flag->second};
  }
  if (const char* text = environment(variable_name(key.name).c_str()); text != nullptr) {
    return {"environment", {text}};
  }
  if (const auto entry = file.find(name); entry != file.end()) {
    return {"file", entry->second.empty() ? Values{""} : entry->second};
  }
  return {};
}

}  // namespace

std::span<const Key> keys() {
  using O = Options;
  static const std::vector<Key> all = {
      state_key(),
      text_key("address", "address to listen on", &O::address, {}),
      number_key<std::uint16_t>("port", "port to listen on; 0 = any free one", &O::port, 0, 65535),
      hosts_key(),
      folders_key("allow-root", "folder that models may be read from (repeatable)",
                  &O::allow_roots),
      folders_key("suites", "folder of suite files (repeatable)", &O::suites),
      folders_key("datasets", "folder of data sets (repeatable)", &O::datasets),
      text_key("evaluation-cache",
               "folder of what models answered, so that an evaluation goes on where it stopped; "
               "none = nothing is kept",
               &O::evaluation_cache, {}),
      file_key("endpoints", "YAML file that names OpenAI-style endpoints and judges",
               &O::endpoints),
      number_key<unsigned>("threads", "threads of a worker; 0 = one per hardware thread",
                           &O::threads, 0, 1024),
      number_key<std::size_t>("max-merges", "merges at a time", &O::max_merges, 1, 64),
      number_key<std::size_t>("max-evaluations", "evaluations at a time", &O::max_evaluations, 1,
                              64),
      number_key<std::size_t>("max-sweeps", "sweeps that search, at a time", &O::max_sweeps, 1, 64),
      text_key("webhook", "http:// or https:// address that is told when a sweep or job has ended",
               &O::webhook, {}),
      bytes_key("memory", "tensor buffers of one merge, such as 2GiB", &O::memory_bytes),
      bytes_key("shard-size", "size of a merged model's files, such as 5GB", &O::shard_bytes),
      number_key<std::int64_t>("max-attempts", "failures after which a job is dead",
                               &O::max_attempts, 1, 100),
      number_key<std::size_t>("max-open-jobs",
                              "jobs of one token that are not over; 0 = no limit; admins have none",
                              &O::max_open_jobs, 0, 1'000'000'000),
      bytes_key("memory-budget", "memory of all jobs together; 0 = nine tenths of the machine's",
                &O::memory_budget, true),
      bytes_key("disk-floor", "free space below which no merge starts", &O::disk_floor, true),
      text_key("sandbox",
               "required = workers run confined or not at all; off = they do not, for kernels that "
               "cannot",
               &O::sandbox, {"required", "off"}),
      text_key("access", "tokens = every request needs a token; open = none does, on loopback only",
               &O::access, {"tokens", "open"}),
      number_key<std::int64_t>("retry-delay-ms", "longest first wait before a retry",
                               &O::retry_delay_ms, 0, 3'600'000),
      number_key<std::int64_t>("stop-grace-ms", "time a worker has to stop before it is killed",
                               &O::stop_grace_ms, 0, 600'000),
      text_key("log-format", "text or json", &O::log_format, {"text", "json"}),
      text_key("log-level", "debug, info, warn or error", &O::log_level,
               {"debug", "info", "warn", "error"}),
  };
  return all;
}

Result<Loaded> load(const std::map<std::string, Values>& flags, const std::filesystem::path& file,
                    const Environment& environment) {
  auto from_file = read_file(file);
  if (!from_file) return fail(std::move(from_file).error());
  Loaded loaded;
  loaded.options.state = user_state_folder(environment);
  Error error{ErrorCode::kInvalidArgument, "the settings cannot be used", {}};
  for (const Key& key : keys()) {
    const Source source = source_of(key, flags, *from_file, environment);
    loaded.origins[std::string(key.name)] = source.origin.empty() ? "default" : source.origin;
    if (source.origin.empty()) continue;
    if (auto status = key.set(loaded.options, source.values); !status) {
      error.faults.push_back(
          {std::string(key.name), status.error().message, "from " + source.origin});
    }
  }
  for (const auto& [name, values] : *from_file) {
    if (!loaded.origins.contains(name)) {
      error.faults.push_back({name, "is not a setting of the daemon", "from " + file.string()});
    }
  }
  if (!error.faults.empty()) return fail(std::move(error));
  return loaded;
}

std::string describe(const Loaded& loaded) {
  std::string text;
  for (const Key& key : keys()) {
    text += fmt::format("{}: {}  # {}\n", key.name, key.text(loaded.options),
                        loaded.origins.at(std::string(key.name)));
  }
  return text;
}

}  // namespace crucible::server::config
