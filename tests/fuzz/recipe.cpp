#include <cstdlib>

#include "merger/recipe/recipe.hpp"

// A recipe's text. What is accepted must have a canonical form; what is not must say where.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crucible;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto recipe = recipe::read_recipe(text);
  if (!recipe) {
    if (recipe.error().message.empty()) std::abort();
    return 0;
  }
  if (recipe::canonical_text(*recipe).empty()) std::abort();
  (void)recipe::digest(*recipe);
  for (const auto& model : recipe->referenced_models()) (void)model.text();
  return 0;
}
