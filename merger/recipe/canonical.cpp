#include <algorithm>
#include <set>

#include "merger/recipe/method_info.hpp"
#include "merger/recipe/recipe.hpp"
#include "nlohmann/json.hpp"

// The canonical form is JSON (which YAML contains) with sorted keys. It keeps what changes the
// result and nothing else: catch-all filters lose their name, alternatives after a catch-all are
// dropped, one-entry gradients become scalars, values that only repeat a default disappear.
namespace crucible::recipe {
namespace {

using nlohmann::json;
using Names = std::set<std::string, std::less<>>;

json scalar_json(const Scalar& scalar) {
  if (const double* number = std::get_if<double>(&scalar)) return *number == 0 ? 0.0 : *number;
  if (const bool* boolean = std::get_if<bool>(&scalar)) return *boolean;
  return std::get<std::string>(scalar);
}

json gradient_json(const Gradient& gradient) {
  if (gradient.size() == 1) return scalar_json(gradient.front());
  json list = json::array();
  for (const Scalar& scalar : gradient) list.push_back(scalar_json(scalar));
  return list;
}

json setting_json(const ParameterSetting& setting) {
  const auto catches_all = [](const FilteredValue& value) {
    return value.filter.empty() || value.filter == "*";
  };
  if (!setting.empty() && catches_all(setting.front())) return gradient_json(setting.front().value);
  json list = json::array();
  for (const FilteredValue& alternative : setting) {
    json entry{{"value", gradient_json(alternative.value)}};
    if (!catches_all(alternative)) entry["filter"] = alternative.filter;
    list.push_back(std::move(entry));
    if (catches_all(alternative)) break;
  }
  return list;
}

json token_source_json(const TokenSource& source) {
  switch (source.kind) {
    case TokenSource::Kind::kUnset:
      return nullptr;
    case TokenSource::Kind::kZero:
      return {{"kind", "zero"}};
    case TokenSource::Kind::kModel:
      return source.model.text();
    case TokenSource::Kind::kModelToken: {
      json out{{"kind", "model_token"}, {"model", source.model.text()}};
      if (source.token_id) {
        out["token_id"] = *source.token_id;
      } else {
        out["token"] = source.token;
      }
      return out;
    }
  }
  return nullptr;
}

// The order of tokens numbers those that are new, so it is kept: JSON objects here sort their keys,
// and a map of one key stands for each token.
json tokenizer_json(const TokenizerSetting& setting) {
  json out = json::object();
  switch (setting.choice) {
    case TokenizerChoice::kUnion:
      out["source"] = "union";
      break;
    case TokenizerChoice::kBase:
      out["source"] = "base";
      break;
    case TokenizerChoice::kModel:
      out["source"] = setting.model.text();
      break;
  }
  for (const TokenSetting& token : setting.tokens) {
    json entry = json::object();
    if (token.source.kind != TokenSource::Kind::kUnset)
      entry["source"] = token_source_json(token.source);
    if (token.force) entry["force"] = true;
    out["tokens"].push_back({{token.text, std::move(entry)}});
  }
  if (setting.pad_to_multiple_of > 1) out["pad_to_multiple_of"] = setting.pad_to_multiple_of;
  return out;
}

class Canonical {
 public:
  explicit Canonical(const Recipe& recipe)
      : recipe_(recipe), method_(find_method(recipe.merge_method)) {}

  json build() {
    json out{{"merge_method", recipe_.merge_method}};
    const Names global = put_parameters(out, recipe_.parameters, {});
    if (recipe_.base_model) out["base_model"] = recipe_.base_model->text();
    if (recipe_.dtype) out["dtype"] = tensor::torch_name(*recipe_.dtype);
    if (recipe_.out_dtype && recipe_.out_dtype != recipe_.dtype) {
      out["out_dtype"] = tensor::torch_name(*recipe_.out_dtype);
    }
    if (recipe_.tokenizer) out["tokenizer"] = tokenizer_json(*recipe_.tokenizer);
    if (!recipe_.chat_template.empty()) out["chat_template"] = recipe_.chat_template;
    put_inputs(out, recipe_.models, recipe_.slices, global);
    for (const auto& [name, module] : recipe_.modules) {
      json entry = json::object();
      const Names names = put_parameters(entry, module.parameters, global);
      put_inputs(entry, module.models, module.slices, names);
      out["modules"][name] = std::move(entry);
    }
    return out;
  }

 private:
  bool is_default(const std::string& name, const json& value) const {
    if (method_ == nullptr) return false;
    return std::any_of(method_->parameters.begin(), method_->parameters.end(),
                       [&](const ParameterInfo& info) {
                         return info.name == name && info.default_value &&
                                scalar_json(*info.default_value) == value;
                       });
  }

  // `below` names what lower levels set: a default there must stay, since it overrides. Returns the
  // names set at this level or below.
  Names put_parameters(json& out, const Parameters& parameters, Names below) const {
    json map = json::object();
    for (const auto& [name, setting] : parameters) {
      if (setting.empty()) continue;
      json value = setting_json(setting);
      if (!below.contains(name) && is_default(name, value)) continue;
      map[name] = std::move(value);
    }
    for (const auto& [name, value] : map.items()) below.insert(name);
    if (!map.empty()) out["parameters"] = std::move(map);
    return below;
  }

  void put_inputs(json& out, const std::vector<InputModel>& models,
                  const std::vector<OutputSlice>& slices, const Names& below) const {
    for (const InputModel& input : models) {
      json entry{{"model", input.model.text()}};
      put_parameters(entry, input.parameters, below);
      out["models"].push_back(std::move(entry));
    }
    for (const OutputSlice& slice : slices) {
      json entry = json::object();
      const Names names = put_parameters(entry, slice.parameters, below);
      if (slice.base_model && slice.base_model != recipe_.base_model) {
        entry["base_model"] = slice.base_model->text();
      }
      for (const InputSlice& source : slice.sources) {
        json item{{"model", source.model.text()},
                  {"layer_range", {source.first_layer, source.end_layer}}};
        put_parameters(item, source.parameters, names);
        entry["sources"].push_back(std::move(item));
      }
      out["slices"].push_back(std::move(entry));
    }
  }

  const Recipe& recipe_;
  const MethodInfo* method_;
};

}  // namespace

std::string canonical_text(const Recipe& recipe) {
  return Canonical(recipe).build().dump(1, ' ', false, json::error_handler_t::replace);
}

Digest digest(const Recipe& recipe) { return sha256(canonical_text(recipe)); }

}  // namespace crucible::recipe
