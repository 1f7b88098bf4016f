#include "merger/moe/layout.hpp"

namespace crucible::moe {
namespace {

// Every MLP of transformers' phi becomes a router over several of them, as in Mixtral: softmax over
// all experts, the best few kept, their weights scaled to sum to one.
constexpr std::string_view kPhixtral =
    R"python("""Phi models as the experts of one mixture, written by Crucible.

Attention, embeddings and norms are one phi model's; in each layer a router sends a token to the MLPs
of `num_experts_per_tok` of `num_local_experts` phi models. Loads with trust_remote_code=True.
"""
import torch
from torch import nn
from transformers import PhiConfig, PhiForCausalLM
from transformers.models.phi.modeling_phi import PhiMLP


class PhixtralConfig(PhiConfig):
    model_type = "phixtral"
    num_local_experts: int = 2
    num_experts_per_tok: int = 2

    def __init__(self, num_local_experts=2, num_experts_per_tok=2, **kwargs):
        super().__init__(**kwargs)
        self.num_local_experts = num_local_experts
        self.num_experts_per_tok = num_experts_per_tok


class PhixtralMlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.experts_per_token = config.num_experts_per_tok
        self.gate = nn.Linear(config.hidden_size, config.num_local_experts, bias=False)
        self.experts = nn.ModuleList(PhiMLP(config) for _ in range(config.num_local_experts))

    def forward(self, hidden_states):
        tokens = hidden_states.reshape(-1, hidden_states.shape[-1])
        shares = torch.softmax(self.gate(tokens).float(), dim=-1)
        weights, chosen = torch.topk(shares, self.experts_per_token, dim=-1)
        weights = (weights / weights.sum(dim=-1, keepdim=True)).to(tokens.dtype)
        result = torch.zeros_like(tokens)
        for number, expert in enumerate(self.experts):
            rows, places = torch.where(chosen == number)
            if rows.numel() > 0:
                result.index_add_(0, rows, expert(tokens[rows]) * weights[rows, places, None])
        return result.reshape(hidden_states.shape)


class PhixtralForCausalLM(PhiForCausalLM):
    config_class = PhixtralConfig

    def __init__(self, config):
        super().__init__(config)
        for layer in self.model.layers:
            layer.mlp = PhixtralMlp(config)
        self.post_init()
)python";

}  // namespace

ModelCode model_code(Layout layout) {
  if (layout != Layout::kPhixtral) return {};
  return {"modeling_phixtral.py", kPhixtral};
}

}  // namespace crucible::moe
