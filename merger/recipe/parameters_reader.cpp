#include "merger/recipe/parameters_reader.hpp"

#include <algorithm>
#include <array>

#include "merger/recipe/text.hpp"

namespace crucible::recipe {
namespace {

constexpr std::array<std::string_view, 2> kFilterKeys{"filter", "value"};

// One parameter's value: scalar, gradient, {filter, value}, or a list of those.
class SettingReader {
 public:
  SettingReader(const ParameterInfo& info, Faults& faults) : info_(info), faults_(faults) {}

  ParameterSetting read(const YamlNode& node, const std::string& path) {
    if (node.is_map()) return {alternative(node, path)};
    if (!node.is_sequence()) return {FilteredValue{"", value(node, path)}};
    if (node.items.empty()) return {};  // an empty list is "unset"
    const bool filtered = node.items.front().is_map();
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      if (node.items[i].is_map() == filtered) continue;
      faults_.add(child_path(path, i), "plain values and {filter, value} entries are mixed",
                  "a plain default is written `- value: …` without a filter, last");
      return {};
    }
    if (!filtered) return {FilteredValue{"", value(node, path)}};
    ParameterSetting setting;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      setting.push_back(alternative(node.items[i], child_path(path, i)));
    }
    return setting;
  }

 private:
  FilteredValue alternative(const YamlNode& map, const std::string& path) {
    for (const auto& [key, unused] : map.entries) {
      if (std::find(kFilterKeys.begin(), kFilterKeys.end(), key) != kFilterKeys.end()) continue;
      faults_.add(child_path(path, key), "unknown key `" + printable(key) + "`",
                  "known here: filter, value");
    }
    FilteredValue out;
    if (const YamlNode* filter = map.find("filter"); filter != nullptr && !filter->is_null()) {
      if (filter->is_scalar()) {
        out.filter = filter->scalar == "*" ? "" : filter->scalar;
      } else {
        faults_.add(child_path(path, "filter"), "must be a part of a tensor's name");
      }
    }
    const YamlNode* node = map.find("value");
    if (node == nullptr) {
      faults_.add(path, "`value` is missing");
    } else if (node->is_sequence() && node->items.empty()) {
      faults_.add(child_path(path, "value"), "the list is empty");
    } else {
      out.value = value(*node, child_path(path, "value"));
    }
    return out;
  }

  Gradient value(const YamlNode& node, const std::string& path) {
    Gradient gradient;
    if (!node.is_sequence()) {
      if (auto one = scalar(node, path)) gradient.push_back(std::move(*one));
      return gradient;
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      if (auto one = scalar(node.items[i], child_path(path, i)))
        gradient.push_back(std::move(*one));
    }
    return gradient;
  }

  std::optional<Scalar> scalar(const YamlNode& node, const std::string& path) {
    const bool boolean = info_.kind == ParameterKind::kBoolean;
    const std::string wanted = boolean ? "true or false" : "a number";
    if (!node.is_scalar()) {
      faults_.add(
          path, "must be " + wanted + (node.is_null() ? ", not nothing" : ", not a list or a map"));
      return std::nullopt;
    }
    if (boolean) {
      if (const auto parsed = parse_boolean(node.scalar)) return Scalar(*parsed);
    } else if (const auto parsed = parse_number(node.scalar)) {
      check_range(*parsed, path);
      return Scalar(*parsed);
    }
    faults_.add(path, "`" + printable(node.scalar, 40) + "` is not " + wanted);
    return std::nullopt;
  }

  void check_range(double number, const std::string& path) {
    const bool low = info_.minimum && number < *info_.minimum;
    const bool high = info_.maximum && number > *info_.maximum;
    if (!low && !high) return;
    std::string range = "must be ";
    if (info_.minimum && info_.maximum) {
      range += "from " + number_text(*info_.minimum) + " to " + number_text(*info_.maximum);
    } else if (info_.minimum) {
      range += "at least " + number_text(*info_.minimum);
    } else {
      range += "at most " + number_text(*info_.maximum);
    }
    faults_.add(path,
                "`" + std::string(info_.name) + "` is " + number_text(number) + ", it " + range);
  }

  const ParameterInfo& info_;
  Faults& faults_;
};

void report_unknown(const std::string& key, const std::string& path, const MethodInfo& method,
                    Faults& faults) {
  if (key == "embed_slerp") {
    faults.warn(path, "`embed_slerp` no longer exists in mergekit and has no effect", "remove it");
    return;
  }
  // Settings left over from another method are common in published recipes; they never did
  // anything.
  for (const MethodInfo& other : methods()) {
    const bool knows = std::any_of(other.parameters.begin(), other.parameters.end(),
                                   [&](const ParameterInfo& info) { return info.name == key; });
    if (!knows) continue;
    faults.warn(path,
                std::string(method.name) + " has no parameter `" + key + "` (" +
                    std::string(other.name) + " has); it has no effect",
                "remove it");
    return;
  }
  std::vector<std::string_view> names;
  for (const ParameterInfo& info : method.parameters) names.push_back(info.name);
  std::string suggestion = did_you_mean(key, names);
  if (suggestion.empty()) suggestion = std::string(method.name) + " takes " + join(names);
  faults.add(path, std::string(method.name) + " has no parameter `" + printable(key) + "`",
             std::move(suggestion));
}

}  // namespace

Parameters read_parameters(const YamlNode& node, const std::string& path, const MethodInfo* method,
                           Level level, Faults& faults) {
  Parameters parameters;
  if (!node.is_map()) {
    faults.add(path, "`parameters` must be a map of names to values");
    return parameters;
  }
  if (method == nullptr) return parameters;
  for (const auto& [key, value] : node.entries) {
    const std::string where = child_path(path, key);
    const auto info = std::find_if(method->parameters.begin(), method->parameters.end(),
                                   [&](const ParameterInfo& p) { return p.name == key; });
    if (info == method->parameters.end()) {
      report_unknown(key, where, *method, faults);
      continue;
    }
    if (level == Level::kModel && !info->per_model) {
      faults.warn(where,
                  "`" + key + "` is one value for all models; under a model it has no effect",
                  "move it to `parameters." + key + "`");
      continue;
    }
    ParameterSetting setting = SettingReader(*info, faults).read(value, where);
    if (!setting.empty()) parameters.emplace(key, std::move(setting));
  }
  return parameters;
}

}  // namespace crucible::recipe
