#include "merger/recipe/documents.hpp"

#include <algorithm>
#include <map>

#include "merger/recipe/text.hpp"

namespace crucible::recipe {
namespace {

constexpr std::size_t kMostBytes = 4U << 20;
constexpr std::size_t kMostDocuments = 256;

bool starts_document(std::string_view line) {
  if (!line.starts_with("---")) return false;
  return line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r';
}

bool has_content(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (starts_document(line)) line.remove_prefix(3);
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first != std::string_view::npos && line[first] != '#' && line[first] != '%') {
      return true;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

std::string label(const DocumentText& document, const std::string& name) {
  return name.empty() ? "the document at line " + std::to_string(document.line)
                      : "document `" + printable(name) + "`";
}

// Depth first; a name that is met again while it is still open closes a circle.
class Order {
 public:
  Order(std::vector<DocumentRecipe>& documents, const std::map<std::string, std::size_t>& names)
      : documents_(documents), names_(names), state_(documents.size(), State::kNew) {}

  // False: `circle` holds the names on it.
  bool visit(std::size_t number) {
    if (state_[number] == State::kDone) return true;
    trail_.push_back(documents_[number].recipe.name);
    if (state_[number] == State::kOpen) return false;
    state_[number] = State::kOpen;
    for (const std::string& need : documents_[number].needs) {
      if (!visit(names_.at(need))) return false;
    }
    trail_.pop_back();
    state_[number] = State::kDone;
    sorted_.push_back(number);
    return true;
  }
  std::string circle() const {
    std::string text;
    for (const std::string& name : trail_) text += (text.empty() ? "" : " needs ") + name;
    return text;
  }
  const std::vector<std::size_t>& sorted() const { return sorted_; }

 private:
  enum class State { kNew, kOpen, kDone };
  std::vector<DocumentRecipe>& documents_;
  const std::map<std::string, std::size_t>& names_;
  std::vector<State> state_;
  std::vector<std::string> trail_;
  std::vector<std::size_t> sorted_;
};

tl::unexpected<Error> refuse(std::string message, std::string suggestion) {
  return fail(Error{ErrorCode::kInvalidArgument,
                    "the recipes do not fit together",
                    {{"name", std::move(message), std::move(suggestion)}}});
}

// The document whose result was asked for.
Result<std::size_t> find_final(const std::vector<DocumentRecipe>& documents) {
  std::vector<std::size_t> unnamed;
  std::set<std::string> needed;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    if (documents[i].recipe.name.empty()) unnamed.push_back(i);
    needed.insert(documents[i].needs.begin(), documents[i].needs.end());
  }
  if (unnamed.size() > 1) {
    return refuse(std::to_string(unnamed.size()) + " documents have no name",
                  "name all but the final one");
  }
  if (unnamed.size() == 1) return unnamed.front();
  std::vector<std::size_t> unused;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    if (!needed.contains(documents[i].recipe.name)) unused.push_back(i);
  }
  if (unused.size() == 1) return unused.front();
  return refuse("every document has a name, and which one is the final result is not clear",
                "leave out the name of the final one");
}

Result<std::vector<DocumentRecipe>> read_all(const std::vector<DocumentText>& texts,
                                             std::map<std::string, std::size_t>& names) {
  std::vector<DocumentRecipe> documents;
  Error error{ErrorCode::kInvalidArgument, "the recipes have faults", {}};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    // Empty lines in front keep the line numbers of messages those of the file.
    auto recipe = read_recipe(std::string(texts[i].line - 1, '\n') + texts[i].text);
    if (!recipe) {
      for (Fault& fault : recipe.error().faults) {
        fault.message = label(texts[i], "") + ": " + fault.message;
        error.faults.push_back(std::move(fault));
      }
      continue;
    }
    recipe->source_text = texts[i].text;
    const std::string name = recipe->name;
    if (!name.empty() && !names.emplace(name, documents.size()).second) {
      error.faults.push_back(
          {"name",
           label(texts[i], "") + ": the name `" + printable(name) + "` is another document's too",
           "give each document a name of its own"});
    }
    documents.push_back({std::move(*recipe), {}});
  }
  if (!error.faults.empty()) return fail(std::move(error));
  return documents;
}

}  // namespace

std::vector<DocumentText> split_documents(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<DocumentText> documents;
  DocumentText current;
  std::size_t line_number = 0;
  const auto finish = [&] {
    if (has_content(current.text)) documents.push_back(std::move(current));
    current = {};
  };
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end);
    ++line_number;
    const bool separator = starts_document(line.substr(0, line.find('\n')));
    if (separator) {
      finish();
      current.line = line_number;
      const std::size_t rest = line.find_first_not_of(" \t\r\n", 3);
      if (rest == std::string_view::npos) {  // nothing follows on the line
        ++current.line;
        continue;
      }
    }
    current.text += line;
  }
  finish();
  return documents;
}

Result<RecipeFile> read_recipe_file(std::string_view text) {
  if (text.size() > kMostBytes) return fail(ErrorCode::kInvalidArgument, "larger than 4 MiB");
  const std::vector<DocumentText> texts = split_documents(text);
  RecipeFile file;
  if (texts.size() < 2) {
    auto recipe = read_recipe(text);
    if (!recipe) return fail(std::move(recipe.error()));
    file.documents.push_back({std::move(*recipe), {}});
    return file;
  }
  if (texts.size() > kMostDocuments)
    return fail(ErrorCode::kInvalidArgument, "more than 256 documents in one file");
  std::map<std::string, std::size_t> names;
  auto documents = read_all(texts, names);
  if (!documents) return fail(std::move(documents.error()));
  for (DocumentRecipe& document : *documents) {
    for (const ModelReference& model : document.recipe.mentioned_models()) {
      if (names.contains(model.path)) document.needs.insert(model.path);
    }
  }
  Order order(*documents, names);
  for (std::size_t i = 0; i < documents->size(); ++i) {
    if (order.visit(i)) continue;
    return refuse("the documents need each other in a circle: " + order.circle(),
                  "break the circle");
  }
  const auto last = find_final(*documents);
  if (!last) return fail(last.error());
  for (const std::size_t number : order.sorted()) {
    if (number != *last) file.documents.push_back(std::move((*documents)[number]));
  }
  file.documents.push_back(std::move((*documents)[*last]));
  return file;
}

}  // namespace crucible::recipe
