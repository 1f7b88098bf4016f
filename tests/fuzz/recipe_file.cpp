#include "merger/base/byte_count.hpp"
#include "merger/moe/moe_recipe.hpp"
#include "merger/recipe/documents.hpp"
#include "merger/recipe/model_reference.hpp"
#include "merger/recipe/substitute.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace crucible;
using fuzz::accepted;
using fuzz::require;

void read_documents(std::string_view text) {
  const auto file = recipe::read_recipe_file(text);
  if (!accepted(file)) return;
  require(!file->documents.empty());
  for (const auto& document : file->documents) {
    require(!recipe::canonical_text(document.recipe).empty());
  }
}

void read_mixture(std::string_view text) {
  (void)moe::is_moe_recipe(text);
  const auto recipe = moe::read_moe_recipe(text);
  if (!accepted(recipe)) return;
  require(moe::is_moe_recipe(text) && !recipe->experts.empty());
  require(!moe::canonical_text(*recipe).empty());
}

// A recipe with one number set stays one that can be set again, to the same text.
void set_number(fuzz::Input input) {
  const std::string parameter(input.text());
  const auto once = recipe::substitute(input.rest(), parameter, 0.25);
  if (!accepted(once)) return;
  const auto twice = recipe::substitute(*once, parameter, 0.25);
  if (twice) require(*twice == *once);
}

void read_words(fuzz::Input input) {
  const std::string_view word = input.text();
  if (const auto reference = recipe::parse_model_reference(word); accepted(reference)) {
    const auto again = recipe::parse_model_reference(reference->text());
    require(again.has_value() && *again == *reference);
  }
  if (const auto path = recipe::split_path(word); accepted(path)) require(!path->empty());
  (void)accepted(parse_byte_count(word));
}

}  // namespace

// The other texts that recipes come in: several documents, mixtures of experts, sweeps' templates,
// model references, paths, sizes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  switch (input.choice(4)) {
    case 0:
      read_documents(input.rest());
      break;
    case 1:
      read_mixture(input.rest());
      break;
    case 2:
      set_number(input);
      break;
    default:
      read_words(input);
  }
  return 0;
}
