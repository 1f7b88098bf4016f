#include "merger/recipe/yaml_tree.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <unordered_set>

#include "merger/recipe/text.hpp"

namespace crucible::recipe {
namespace {

// Stops the parser at once; never leaves this file.
struct Refused {
  std::string message;
  std::size_t line = 0;
  std::size_t column = 0;
};

struct Frame {
  YamlNode* node = nullptr;
  std::string path;
  std::optional<std::string> key;  // map: the key that waits for its value
  bool drop_value = false;         // map: the waiting key was a duplicate or not usable
  std::unordered_set<std::string> seen;
};

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(YamlDocument& document, const YamlLimits& limits)
      : document_(document), limits_(limits) {}

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    leaf(mark, YamlNode::Kind::kNull, "null", false);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    fault(mark, "aliases (`*name`) are not accepted", "write the value out");
    leaf(mark, YamlNode::Kind::kNull, "", false);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    leaf(mark, YamlNode::Kind::kScalar, value, tag == "!");
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, anchor, YamlNode::Kind::kSequence);
  }
  void OnSequenceEnd() override { frames_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { frames_.pop_back(); }

 private:
  [[noreturn]] static void refuse(const YAML::Mark& mark, std::string message) {
    throw Refused{std::move(message), static_cast<std::size_t>(mark.line + 1),
                  static_cast<std::size_t>(mark.column + 1)};
  }

  std::string here() const {
    if (frames_.empty()) return {};
    const Frame& top = frames_.back();
    if (top.node->is_sequence()) return child_path(top.path, top.node->items.size());
    return top.key ? child_path(top.path, *top.key) : top.path;
  }

  void fault(const YAML::Mark& mark, std::string message, std::string suggestion) {
    if (document_.faults.size() >= 100) return;
    document_.faults.push_back({here(),
                                "line " + std::to_string(mark.line + 1) + ": " + std::move(message),
                                std::move(suggestion)});
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) fault(mark, "anchors (`&name`) are not accepted", "write the value out");
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    fault(mark, "tags (`" + printable(tag, 40) + "`) are not accepted", "remove the tag");
  }
  void count(const YAML::Mark& mark) {
    if (++nodes_ > limits_.nodes)
      refuse(mark, "more than " + std::to_string(limits_.nodes) + " values");
  }

  // In a map with no waiting key, this scalar is the next key.
  bool takes_key(const YAML::Mark& mark, const std::string& value) {
    if (frames_.empty() || !frames_.back().node->is_map() || frames_.back().key) return false;
    Frame& top = frames_.back();
    top.key = value;
    top.drop_value = !top.seen.insert(value).second;
    if (top.drop_value) fault(mark, "the key stands here a second time", "keep one of the two");
    return true;
  }

  // Where the next value goes; the returned node is fresh.
  YamlNode& place(const YAML::Mark& mark) {
    YamlNode* node = &document_.root;
    if (!frames_.empty()) {
      Frame& top = frames_.back();
      if (top.node->is_sequence()) {
        node = &top.node->items.emplace_back();
      } else if (top.drop_value) {
        dropped_.push_back(std::make_unique<YamlNode>());
        node = dropped_.back().get();
        top.key.reset();
      } else {
        node = &top.node->entries.emplace_back(std::move(*top.key), YamlNode{}).value;
        top.key.reset();
      }
    }
    node->line = static_cast<std::size_t>(mark.line + 1);
    node->column = static_cast<std::size_t>(mark.column + 1);
    return *node;
  }

  void leaf(const YAML::Mark& mark, YamlNode::Kind kind, const std::string& value, bool quoted) {
    count(mark);
    if (takes_key(mark, value)) return;
    YamlNode& node = place(mark);
    node.kind = kind;
    node.quoted = quoted;
    if (kind == YamlNode::Kind::kScalar) node.scalar = value;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    count(mark);
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (frames_.size() >= limits_.depth) {
      refuse(mark, "nested deeper than " + std::to_string(limits_.depth) + " levels");
    }
    if (!frames_.empty() && frames_.back().node->is_map() && !frames_.back().key) {
      refuse(mark, "a list or a map stands where a key is expected");
    }
    std::string path = here();
    YamlNode& node = place(mark);
    node.kind = kind;
    frames_.push_back(Frame{&node, std::move(path), std::nullopt, false, {}});
  }

  YamlDocument& document_;
  const YamlLimits& limits_;
  std::vector<Frame> frames_;
  std::vector<std::unique_ptr<YamlNode>> dropped_;  // values of duplicate keys
  std::size_t nodes_ = 0;
};

// A second document shows by any event after the first one's end.
class AnyContent final : public YAML::EventHandler {
 public:
  bool seen = false;
  void OnDocumentStart(const YAML::Mark& /*mark*/) override { seen = true; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnAlias(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override { throw Refused{}; }
  void OnScalar(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& /*value*/) override {
    throw Refused{};
  }
  void OnSequenceStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/,
                       YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {
    throw Refused{};
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    throw Refused{};
  }
  void OnMapEnd() override {}
};

tl::unexpected<Error> refused(const std::string& message, std::size_t line, std::size_t column) {
  const std::string where =
      line == 0 ? std::string()
                : "line " + std::to_string(line) + ", column " + std::to_string(column) + ": ";
  return fail(Error{ErrorCode::kInvalidArgument,
                    "not a readable YAML document: " + where + message,
                    {Fault{"", where + message, ""}}});
}

tl::unexpected<Error> refused_at(std::string_view text, std::size_t offset,
                                 const std::string& message) {
  const std::string_view before = text.substr(0, offset);
  const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const std::size_t start = before.rfind('\n');
  return refused(message, line, start == std::string_view::npos ? offset + 1 : offset - start);
}

// yaml-cpp reads some control bytes as the end of the text, so they are refused before it sees
// them.
std::size_t find_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F) return i;
  }
  return std::string_view::npos;
}

// Flow nesting is recursion in the parser and in its scanner; counting brackets outside quotes
// would be a second parser, so the bound here is only against absurd text. The exact bound is in
// open().
Result<YamlDocument> run_parser(std::string_view text, const YamlLimits& limits) {
  YamlDocument document;
  std::istringstream in{std::string(text)};
  try {
    YAML::Parser parser(in);
    TreeBuilder builder(document, limits);
    if (!parser.HandleNextDocument(builder)) return refused("the text is empty", 0, 0);
    AnyContent rest;
    if (parser.HandleNextDocument(rest) && rest.seen) {
      return refused("more than one document (a second `---`)", 0, 0);
    }
  } catch (const Refused& refusal) {
    if (refusal.message.empty()) return refused("more than one document (a second `---`)", 0, 0);
    return refused(refusal.message, refusal.line, refusal.column);
  } catch (const YAML::Exception& exception) {
    return refused(printable(exception.msg, 200),
                   static_cast<std::size_t>(std::max(exception.mark.line, -1) + 1),
                   static_cast<std::size_t>(std::max(exception.mark.column, -1) + 1));
  } catch (const std::exception& exception) {
    return refused(std::string("the parser failed: ") + exception.what(), 0, 0);
  }
  return document;
}

bool is_plain_key(std::string_view key) {
  if (key.empty()) return false;
  return std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

bool is_word(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-+./").find(c) != std::string_view::npos;
  });
}

// Whether an item can stand in `[a, b]`. The emitter leaves some text without quotes there that the
// parser takes apart, such as `a:"`.
bool fits_in_flow(const YamlNode& item) {
  return item.is_null() || (item.is_scalar() && (item.quoted || is_word(item.scalar)));
}

// The emitter leaves a carriage return bare, and at the end of a line it would be lost.
void emit_text(YAML::Emitter& out, const std::string& text, bool quoted) {
  if (quoted || text.find('\r') != std::string::npos) out << YAML::DoubleQuoted;
  out << text;
}

void emit(YAML::Emitter& out, const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      out << YAML::Null;
      return;
    case YamlNode::Kind::kScalar:
      emit_text(out, node.scalar, node.quoted);
      return;
    case YamlNode::Kind::kSequence: {
      if (std::all_of(node.items.begin(), node.items.end(), fits_in_flow)) out << YAML::Flow;
      out << YAML::BeginSeq;
      for (const YamlNode& item : node.items) emit(out, item);
      out << YAML::EndSeq;
      return;
    }
    case YamlNode::Kind::kMap:
      out << YAML::BeginMap;
      for (const auto& [key, value] : node.entries) {
        out << YAML::Key;
        emit_text(out, key, false);
        out << YAML::Value;
        emit(out, value);
      }
      out << YAML::EndMap;
      return;
  }
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

YamlNode* YamlNode::find(std::string_view key) {
  return const_cast<YamlNode*>(static_cast<const YamlNode*>(this)->find(key));
}

Result<YamlDocument> parse_yaml(std::string_view text, const YamlLimits& limits) {
  if (text.size() > limits.bytes) {
    return refused("larger than " + std::to_string(limits.bytes) + " bytes", 0, 0);
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (const std::size_t at = find_control(text); at != std::string_view::npos) {
    return refused_at(text, at, "a control character");
  }
  if (const std::size_t at = find_invalid_utf8(text); at != std::string_view::npos) {
    return refused_at(text, at, "a byte that is not UTF-8");
  }
  return run_parser(text, limits);
}

std::string emit_yaml(const YamlNode& node) {
  YAML::Emitter out;
  emit(out, node);
  return std::string(out.c_str()) + "\n";
}

std::string child_path(std::string_view parent, std::string_view key) {
  std::string out(parent);
  if (!is_plain_key(key)) return out + "[\"" + printable(key) + "\"]";
  if (!out.empty()) out += '.';
  return out += key;
}

std::string child_path(std::string_view parent, std::size_t index) {
  return std::string(parent) + "[" + std::to_string(index) + "]";
}

Result<std::vector<std::pair<std::string, bool>>> split_path(std::string_view path) {
  std::vector<std::pair<std::string, bool>> parts;
  const auto malformed = [&] {
    return fail(ErrorCode::kInvalidArgument,
                "`" + printable(path) + "` is not a path such as `models[1].parameters.weight`");
  };
  std::size_t at = 0;
  while (at < path.size()) {
    if (path.substr(at).starts_with("[\"")) {
      const std::size_t end = path.find("\"]", at + 2);
      if (end == std::string_view::npos) return malformed();
      parts.emplace_back(path.substr(at + 2, end - at - 2), false);
      at = end + 2;
    } else if (path[at] == '[') {
      const std::size_t end = path.find(']', at);
      if (end == std::string_view::npos || end == at + 1 || end - at > 10) return malformed();
      const std::string_view digits = path.substr(at + 1, end - at - 1);
      if (digits.find_first_not_of("0123456789") != std::string_view::npos) return malformed();
      parts.emplace_back(digits, true);
      at = end + 1;
    } else {
      if (path[at] == '.' && at > 0) ++at;
      const std::size_t end = std::min(path.find_first_of(".[", at), path.size());
      if (end == at) return malformed();
      parts.emplace_back(path.substr(at, end - at), false);
      at = end;
    }
  }
  if (parts.empty()) return malformed();
  return parts;
}

}  // namespace crucible::recipe
