#include "merger/recipe/recipe.hpp"

#include <algorithm>
#include <cmath>

#include "merger/recipe/model_reference.hpp"
#include "merger/recipe/text.hpp"

namespace crucible::recipe {
namespace {

struct Part {
  std::string path;
  std::string revision;
};

Result<Part> parse_part(std::string_view text, std::string_view what) {
  const std::size_t at = text.find('@');
  if (at != std::string_view::npos && text.find('@', at + 1) != std::string_view::npos) {
    return fail(ErrorCode::kInvalidArgument, "more than one `@` in the " + std::string(what));
  }
  Part part{std::string(text.substr(0, at)), {}};
  if (part.path.empty())
    return fail(ErrorCode::kInvalidArgument, "the " + std::string(what) + " is empty");
  if (at == std::string_view::npos) return part;
  part.revision = std::string(text.substr(at + 1));
  if (part.revision.empty()) return fail(ErrorCode::kInvalidArgument, "nothing follows the `@`");
  return part;
}

Scalar interpolate(const Gradient& values, double t) {
  if (values.size() == 1) return values.front();
  const std::size_t last = values.size() - 1;
  const double scaled = std::clamp(t, 0.0, 1.0) * static_cast<double>(last);
  const auto i = static_cast<std::size_t>(scaled);
  const std::size_t j = std::min(last, i + 1);
  const double fraction = scaled - static_cast<double>(i);
  const double* low = std::get_if<double>(&values[i]);
  const double* high = std::get_if<double>(&values[j]);
  if (low == nullptr || high == nullptr) return values[i];
  return (1 - fraction) * *low + fraction * *high;
}

void mention(std::vector<ModelReference>& all, const ModelReference& model) {
  if (std::find(all.begin(), all.end(), model) == all.end()) all.push_back(model);
}

void mention(std::vector<ModelReference>& all, const std::vector<InputModel>& models,
             const std::vector<OutputSlice>& slices) {
  for (const InputModel& input : models) mention(all, input.model);
  for (const OutputSlice& slice : slices) {
    for (const InputSlice& source : slice.sources) mention(all, source.model);
    if (slice.base_model) mention(all, *slice.base_model);
  }
}

}  // namespace

std::string ModelReference::text() const {
  std::string out = path;
  if (!revision.empty()) out += "@" + revision;
  if (!lora.empty()) out += "+" + lora;
  if (!lora_revision.empty()) out += "@" + lora_revision;
  return out;
}

Result<ModelReference> parse_model_reference(std::string_view text) {
  if (text.size() > 4096) return fail(ErrorCode::kInvalidArgument, "longer than 4096 bytes");
  const bool control = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  if (control) return fail(ErrorCode::kInvalidArgument, "a control character in a model reference");
  const std::size_t plus = text.find('+');
  if (plus != std::string_view::npos && text.find('+', plus + 1) != std::string_view::npos) {
    return fail(ErrorCode::kInvalidArgument, "more than one `+`");
  }
  auto model = parse_part(text.substr(0, plus), "model path");
  if (!model) return fail(std::move(model.error()));
  ModelReference reference{std::move(model->path), std::move(model->revision), {}, {}};
  if (plus == std::string_view::npos) return reference;
  auto lora = parse_part(text.substr(plus + 1), "adapter path");
  if (!lora) return fail(std::move(lora.error()));
  reference.lora = std::move(lora->path);
  reference.lora_revision = std::move(lora->revision);
  return reference;
}

std::vector<ModelReference> Recipe::referenced_models() const {
  std::vector<ModelReference> all;
  mention(all, models, slices);
  for (const auto& [name, module] : modules) mention(all, module.models, module.slices);
  if (base_model) mention(all, *base_model);
  return all;
}

std::vector<ModelReference> Recipe::mentioned_models() const {
  std::vector<ModelReference> all = referenced_models();
  if (tokenizer && tokenizer->choice == TokenizerChoice::kModel) mention(all, tokenizer->model);
  return all;
}

std::optional<Scalar> evaluate(const ParameterSetting& setting, std::string_view tensor_name,
                               double t) {
  for (const FilteredValue& alternative : setting) {
    const bool matches = alternative.filter.empty() || alternative.filter == "*" ||
                         tensor_name.find(alternative.filter) != std::string_view::npos;
    if (!matches) continue;
    if (alternative.value.empty()) return std::nullopt;
    return interpolate(alternative.value, t);
  }
  return std::nullopt;
}

}  // namespace crucible::recipe
