#pragma once

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "merger/base/progress.hpp"
#include "merger/checkpoint/documents.hpp"
#include "merger/checkpoint/tensor_source.hpp"

// A model on its way into an engine's memory, whether its weights lie in files or are being merged:
// what it is made of is known up front, the elements are handed over tensor by tensor.
namespace crucible::checkpoint {

struct TensorHeader {
  tensor::DType dtype = tensor::DType::kF32;
  tensor::Shape shape;
};
using TensorHeaders = std::map<std::string, TensorHeader, std::less<>>;

// Takes a tensor's elements as they are computed, from several threads, in any order.
class ElementSink {
 public:
  virtual ~ElementSink() = default;
  // `data` are elements from number `first` on, in the tensor's type.
  virtual Status write(std::uint64_t first, std::span<const std::byte> data) = 0;
};

// Who takes the tensors. Called from the thread that visits, one tensor after the other.
class TensorVisitor {
 public:
  virtual ~TensorVisitor() = default;
  // True where the visitor has these elements from an earlier visit: the tensor is then neither
  // computed nor handed over. `identity` stands for everything that the elements depend on.
  virtual bool has(const std::string& /*name*/, const Digest& /*identity*/) { return false; }
  // Where the tensor's elements can go piece by piece, until finish; nullptr: it is wanted whole.
  // The visitor then has the tensor for later visits.
  virtual std::unique_ptr<ElementSink> begin(const std::string& /*name*/,
                                             const TensorHeader& /*header*/) {
    return nullptr;
  }
  // All elements of the tensor that was begun last are written.
  virtual Status finish(const std::string& /*name*/, const Digest& /*identity*/) { return {}; }
  // `tensor` may be read from several threads until the call returns. `identity` is absent where
  // the source does not know one.
  virtual Status take(const std::string& name, const TensorSource& tensor,
                      const std::optional<Digest>& identity) = 0;
};

// One caller at a time.
class ModelSource {
 public:
  virtual ~ModelSource() = default;
  virtual std::string label() const = 0;             // for messages: the folder
  virtual const nlohmann::json& config() const = 0;  // config.json
  virtual const Documents& documents() const = 0;    // the other small files
  virtual const TensorHeaders& tensors() const = 0;  // all that a visit hands over
  // Hands every tensor over once, in an order of its own. Ends with the visitor's first error, or
  // those of reading and computing.
  virtual Status visit(TensorVisitor& visitor, const ProgressSink& progress,
                       std::stop_token stop) = 0;

  std::uint64_t parameter_count() const;
};

// A checkpoint folder.
class StoredModel final : public ModelSource {
 public:
  explicit StoredModel(std::shared_ptr<const Checkpoint> checkpoint);
  // As Checkpoint::open.
  static Result<StoredModel> open(const std::filesystem::path& folder);

  std::string label() const override { return checkpoint_->folder().string(); }
  const nlohmann::json& config() const override { return checkpoint_->config(); }
  const Documents& documents() const override { return documents_; }
  const TensorHeaders& tensors() const override { return tensors_; }
  Status visit(TensorVisitor& visitor, const ProgressSink& progress, std::stop_token stop) override;
  const Checkpoint& checkpoint() const { return *checkpoint_; }

 private:
  std::shared_ptr<const Checkpoint> checkpoint_;
  FolderDocuments documents_;
  TensorHeaders tensors_;
};

}  // namespace crucible::checkpoint
