#pragma once

#include <string>

namespace crucible::chat {

// One turn of a conversation; roles as chat templates name them: system, user, assistant.
struct ChatMessage {
  std::string role;
  std::string content;
};

}  // namespace crucible::chat
