#!/usr/bin/env python3
"""Makes what bench_eval.py evaluates: a model of 0.5 billion parameters and three tasks as task files.

    make_eval_inputs.py FOLDER DATA

FOLDER/model is a Llama-shaped checkpoint in bfloat16 with random weights and a byte-level BPE tokenizer of
32,000 tokens trained on the questions. FOLDER/tasks holds task files of lm-evaluation-harness with their data as
JSON lines: `bench_agieval` (six AGIEval tasks, options in full), `bench_mmlu` (5-shot, letters as options) and
`bench_gsm8k` (5-shot, generated). DATA has the folders agieval/v1, mmlu and gsm8k as their authors publish them:
ruixiangcui/AGIEval (MIT; AQuA Apache-2.0), hendrycks/test (MIT) as CSV with a header line, and
openai/grade-school-math (MIT). Needs torch, transformers and tokenizers. About two minutes.
"""
import argparse
import csv
import json
import pathlib

AGIEVAL = ("aqua-rat", "lsat-ar", "lsat-lr", "lsat-rc", "sat-en", "sat-math")
SUBJECTS = ("high_school_macroeconomics", "professional_medicine", "philosophy", "high_school_us_history")
SHAPE = dict(hidden_size=1536, intermediate_size=4096, num_hidden_layers=16, num_attention_heads=24,
             num_key_value_heads=8, max_position_embeddings=4096, rms_norm_eps=1e-5, tie_word_embeddings=False)
MULTIPLE_CHOICE = {"output_type": "multiple_choice", "test_split": "test",
                   "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}]}


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def agieval_items(data):
    """Items of the tasks by turns, so that any number of them is a mixture."""
    columns = []
    for name in AGIEVAL:
        items = []
        for row in read_lines(data / "agieval" / "v1" / f"{name}.jsonl"):
            last = chr(ord("A") + len(row["options"]) - 1)
            passage = (row.get("passage") or "").strip()
            query = (f"{passage} " if passage else "") + f"Q: {row['question']} Answer Choices: " + \
                " ".join(row["options"]) + f"\nA: Among A through {last}, the answer is"
            items.append({"query": query, "choices": row["options"], "gold": ord(row["label"]) - ord("A")})
        columns.append(items)
    return [items[i] for i in range(max(map(len, columns))) for items in columns if i < len(items)]


def mmlu_items(data, split):
    items = []
    for subject in SUBJECTS:
        (path,) = (data / "mmlu" / split).glob(f"{subject}*.csv")
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        items.append([{"subject": subject, "question": row["question"],
                       "choices": [row[f"choice{i}"] for i in range(4)], "answer": int(row["answer"])} for row in rows])
    return items


def write_lines(path, items):
    path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), encoding="utf-8")


def write_task(folder, name, splits, config):
    files = {}
    for split, items in splits.items():
        file = folder / f"{name}_{split}.jsonl"
        write_lines(file, items)
        files[split] = str(file)
    task = {"task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": files}, **config}
    (folder / f"{name}.yaml").write_text(json.dumps(task, indent=1) + "\n")  # JSON is YAML


def write_tasks(data, folder):
    folder.mkdir(parents=True, exist_ok=True)
    write_task(folder, "bench_agieval", {"test": agieval_items(data)}, {
        **MULTIPLE_CHOICE, "doc_to_text": "{{query}}", "doc_to_target": "gold", "doc_to_choice": "choices"})
    question = "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:"
    members = []
    for shots, items in zip(mmlu_items(data, "dev"), mmlu_items(data, "test")):
        subject = items[0]["subject"]
        members.append(f"bench_mmlu_{subject}")
        write_task(folder, members[-1], {"test": items, "dev": shots[:5]}, {
            **MULTIPLE_CHOICE, "fewshot_split": "dev", "fewshot_config": {"sampler": "first_n"}, "num_fewshot": 5,
            "description": "The following are multiple choice questions (with answers) about "
                           f"{subject.replace('_', ' ')}.\n\n",
            "doc_to_text": question, "doc_to_choice": ["A", "B", "C", "D"], "doc_to_target": "answer"})
    (folder / "bench_mmlu.yaml").write_text(json.dumps({"group": "bench_mmlu", "task": members}, indent=1) + "\n")
    gsm8k = data / "gsm8k"
    write_task(folder, "bench_gsm8k", {"test": read_lines(gsm8k / "test.jsonl"),
                                       "train": read_lines(gsm8k / "train.jsonl")[:5]}, {
        "output_type": "generate_until", "test_split": "test", "fewshot_split": "train",
        "fewshot_config": {"sampler": "first_n"}, "num_fewshot": 5,
        "doc_to_text": "Question: {{question}}\nAnswer:", "doc_to_target": "{{answer}}",
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True,
                         "ignore_case": True, "regexes_to_ignore": [",", "\\$", "(?s).*#### ", "\\.$"]}],
        "generation_kwargs": {"until": ["Question:", "</s>", "<|im_end|>"], "do_sample": False, "temperature": 0.0,
                              "max_gen_toks": 64}})


def make_tokenizer(data):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast
    texts = [item["query"] for item in agieval_items(data)]
    for path in sorted((data / "mmlu").glob("*/*.csv")):
        texts.append(path.read_text(encoding="utf-8"))
    for row in read_lines(data / "gsm8k" / "train.jsonl") + read_lines(data / "gsm8k" / "test.jsonl"):
        texts += [row["question"], row["answer"]]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=32000, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def make_model(data, folder):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    tokenizer = make_tokenizer(data)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(5)
    torch.set_default_dtype(torch.bfloat16)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=32000, bos_token_id=0, eos_token_id=1, **SHAPE))
    model.save_pretrained(folder)
    print(f"{len(tokenizer)} tokens, {sum(p.numel() for p in model.parameters()) / 1e6:.0f} million parameters")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    arguments = parser.parse_args()
    write_tasks(arguments.data, arguments.folder.resolve() / "tasks")
    if not (arguments.folder / "model" / "config.json").exists():
        make_model(arguments.data, arguments.folder / "model")


if __name__ == "__main__":
    main()
