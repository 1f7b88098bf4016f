#pragma once

#include <array>
#include <string_view>
#include <utility>

// Recipes in the forms that people publish with their merged models.
namespace crucible::recipe {

inline constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kRealRecipes{{
    {"linear soup", R"(models:
  - model: psmathur/orca_mini_v3_13b
    parameters:
      weight: 1.0
  - model: WizardLM/WizardLM-13B-V1.2
    parameters:
      weight: 0.3
  - model: garage-bAInd/Platypus2-13B
    parameters:
      weight: 0.5
merge_method: linear
dtype: float16
)"},
    {"slerp by slices with filters", R"(slices:
  - sources:
      - model: psmathur/orca_mini_v3_13b
        layer_range: [0, 40]
      - model: garage-bAInd/Platypus2-13B
        layer_range: [0, 40]
merge_method: slerp
base_model: psmathur/orca_mini_v3_13b
parameters:
  t:
    - filter: self_attn
      value: [0, 0.5, 0.3, 0.7, 1]
    - filter: mlp
      value: [1, 0.5, 0.7, 0.3, 0]
    - value: 0.5 # fallback for rest of tensors
dtype: float16
)"},
    {"slerp of whole models", R"(models:
  - model: ./base
  - model: ./words
merge_method: slerp
base_model: ./base
parameters:
  t: 0.35
dtype: bfloat16
)"},
    {"ties with gradients", R"(models:
  - model: psmathur/orca_mini_v3_13b
    parameters:
      density: [1, 0.7, 0.1] # density gradient
      weight: 1.0
  - model: garage-bAInd/Platypus2-13B
    parameters:
      density: 0.5
      weight: [0, 0.3, 0.7, 1] # weight gradient
  - model: WizardLM/WizardMath-13B-V1.0
    parameters:
      density: 0.33
      weight:
        - filter: mlp
          value: 0.5
        - value: 0
merge_method: ties
base_model: TheBloke/Llama-2-13B-fp16
parameters:
  normalize: true
  int8_mask: true
dtype: float16
)"},
    {"ties listing its base", R"(models:
  - model: mistralai/Mistral-7B-v0.1
    # no parameters necessary for base model
  - model: OpenPipe/mistral-ft-optimized-1218
    parameters:
      density: 0.5
      weight: 0.5
  - model: mlabonne/NeuralHermes-2.5-Mistral-7B
    parameters:
      density: 0.5
      weight: 0.3
merge_method: ties
base_model: mistralai/Mistral-7B-v0.1
parameters:
  normalize: true
dtype: float16
)"},
    {"dare_ties", R"(models:
  - model: mistralai/Mistral-7B-v0.1
  - model: samir-fama/SamirGPT-v1
    parameters:
      density: 0.53
      weight: 0.4
  - model: abacusai/Slerp-CM-mist-dpo
    parameters:
      density: 0.53
      weight: 0.3
  - model: EmbeddedLLM/Mistral-7B-Merge-14-v0.2
    parameters:
      density: 0.53
      weight: 0.3
merge_method: dare_ties
base_model: mistralai/Mistral-7B-v0.1
parameters:
  int8_mask: true
dtype: bfloat16
)"},
    {"dare_linear with negative weight", R"(base_model: meta-llama/Meta-Llama-3-8B
merge_method: dare_linear
models:
  - model: meta-llama/Meta-Llama-3-8B-Instruct
    parameters: {weight: 1.0, density: 0.9}
  - model: someone/unwanted
    parameters: {weight: -0.25, density: 0.6}
parameters:
  lambda: 0.9
  rescale: false
dtype: bfloat16
out_dtype: float16
)"},
    {"frankenmerge", R"(slices:
  - sources:
    - model: OpenPipe/mistral-ft-optimized-1218
      layer_range: [0, 32]
  - sources:
    - model: mlabonne/NeuralHermes-2.5-Mistral-7B
      layer_range: [24, 32]
merge_method: passthrough
dtype: bfloat16
)"},
    {"interleaved 120b", R"(dtype: float16
merge_method: passthrough
slices:
- sources:
  - {model: alpindale/goliath, layer_range: [0, 16]}
- sources:
  - {model: lizpreciatior/lzlv_70b_fp16_hf, layer_range: [8, 24]}
- sources:
  - model: alpindale/goliath
    layer_range: [17, 32]
    parameters:
      scale:
        - filter: q_proj
          value: 0.7071067812
        - filter: k_proj
          value: 0.7071067812
        - value: 1.0
)"},
    {"task arithmetic with LoRA", R"(base_model: mistralai/Mistral-7B-v0.1@main
models:
  - model: mistralai/Mistral-7B-v0.1@main+some/adapter@v2
    parameters:
      weight: "5e-1"
  - model: HuggingFaceH4/zephyr-7b-beta
    parameters:
      weight: 1e-1
merge_method: task_arithmetic
dtype: torch.bfloat16
)"},
    {"model in map form", R"(models:
  - model:
      model:
        path: mistralai/Mistral-7B-v0.1
        revision: abc123
    parameters:
      weight: 0.6
  - model: {model: {path: other/model}, lora: null}
    parameters:
      weight: 0.4
merge_method: linear
)"},
    {"global weight", R"(models:
  - model: a/one
  - model: b/two
  - model: c/three
parameters:
  weight: 1
  normalize: yes
merge_method: linear
dtype: float32
)"},
    {"bare filter map", R"(models:
  - model: a/one
    parameters:
      weight: {filter: self_attn, value: [0.1, 0.9]}
  - model: b/two
parameters:
  weight: 0.5
merge_method: linear
)"},
    {"zero-length slice picks lm_head", R"(merge_method: linear
slices:
  - sources:
      - {model: a/one, layer_range: [0, 20], parameters: {weight: 1.0}}
      - {model: b/two, layer_range: [0, 20], parameters: {weight: 1.0}}
  - sources:
      - {model: b/two, layer_range: [32, 32], parameters: {weight: 1}}
tokenizer_source: null
)"},
    {"modules", R"(merge_method: slerp
base_model: a/vlm
modules:
  text_decoder:
    models:
      - model: a/vlm
      - model: b/vlm
    parameters:
      t: [0, 0.5, 1]
  vision_tower:
    models:
      - model: a/vlm
      - model: b/vlm
parameters:
  t: 0
)"},
    {"as JSON", R"({"merge_method": "ties", "base_model": "base", "dtype": "float32",
 "models": [{"model": "sums", "parameters": {"weight": 1, "density": 0.5}},
            {"model": "words", "parameters": {"weight": 0.5, "density": 1e0}}],
 "parameters": {"normalize": false}})"},
}};

}  // namespace crucible::recipe
