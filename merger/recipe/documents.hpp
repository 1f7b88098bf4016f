#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "merger/recipe/recipe.hpp"

// Files with several recipes, separated by `---` lines. A recipe with a `name` is an intermediate
// result: where another recipe gives that name as a model's path, its result is meant.
namespace crucible::recipe {

struct DocumentText {
  std::string text;
  std::size_t line = 1;  // of the file, where the text begins
};
// At lines that are `---` or begin with `--- `; documents without content are left out.
std::vector<DocumentText> split_documents(std::string_view text);

struct DocumentRecipe {
  Recipe recipe;
  std::set<std::string> needs;  // names of other documents whose results it reads
};
// In an order in which each recipe stands after those that it needs; the last is the one whose
// result was asked for: the one without a name, else the only one that no other needs.
struct RecipeFile {
  std::vector<DocumentRecipe> documents;
};

// Error kInvalidArgument with all faults of all documents, each naming its document; then: two
// documents with one name, two without a name, a circle, no single final document.
Result<RecipeFile> read_recipe_file(std::string_view text);

}  // namespace crucible::recipe
