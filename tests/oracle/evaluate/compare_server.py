"""Evaluates `crucible eval-server` with the unmodified lm-evaluation-harness and compares, item by item,
with the harness's own engine on the same weights.

    python compare_server.py CRUCIBLE [--model FOLDER] [--items SUITE.jsonl] [--limit N]

Needs lm-eval[api] 0.4.13 (aiohttp, tenacity), torch and transformers. Runs multiple choice, rolling log-likelihood and generation
through `hf` (float32) and through `local-completions`, with prompts as token ids and as text and with the
server's own tokenizer endpoints, and generation in conversations through `local-chat-completions`.
Log-likelihoods must agree within 1e-4, or within 1e-6 of their size: two float32 engines differ by about 1e-5 a
token, which adds up in texts of a thousand tokens. Texts must agree exactly. Exit status 1 on any difference.
"""

import argparse
import contextlib
import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import lm_eval  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
TOLERANCE = 1e-4
RELATIVE = 1e-6
CONTEXT = 256  # of the demo family
# local-completions keeps a token for the answer and, in rolling windows, one more.
HF_LENGTH = CONTEXT - 2

CHOICE = """
task: server_choice
dataset_path: json
dataset_kwargs: {{data_files: {{test: {items}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{query}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: gold
target_delimiter: ""
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""
ROLLING = """
task: server_rolling
dataset_path: json
dataset_kwargs: {{data_files: {{test: {texts}}}}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{{{text}}}}"
metric_list: [{{metric: word_perplexity, aggregation: weighted_perplexity, higher_is_better: false}}]
"""
GENERATION = """
task: server_generation
dataset_path: json
dataset_kwargs: {{data_files: {{test: {items}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{query}}}}"
doc_to_target: "{{{{choices[0]}}}}"
generation_kwargs: {{until: ["\\n", "."], max_gen_toks: 24, do_sample: false}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""
TASKS = ["server_choice", "server_rolling", "server_generation"]


def write_tasks(folder, items, limit):
    rows = [json.loads(line) for line in items.read_text().splitlines()][:limit]
    own = folder / "items.jsonl"
    own.write_text("".join(json.dumps(row) + "\n" for row in rows))
    queries = [row["query"] + row["choices"][row["gold"]] for row in rows]
    # Texts of one window, of several, and one that is empty but for a space.
    texts = queries[:3] + [" ".join(queries), " ".join(queries[:len(queries) // 2])]
    rolling = folder / "texts.jsonl"
    rolling.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    for name, text in (("choice", CHOICE), ("rolling", ROLLING), ("generation", GENERATION)):
        (folder / f"{name}.yaml").write_text(text.format(items=own, texts=rolling))


@contextlib.contextmanager
def served(binary, model):
    process = subprocess.Popen([binary, "eval-server", str(model), "--name", "served", "--port", "0", "--json"],
                               stdout=subprocess.PIPE, text=True)
    try:
        text = ""
        while not text.rstrip().endswith("}"):
            line = process.stdout.readline()
            if not line:
                raise SystemExit("the server did not start")
            text += line
        yield json.loads(text)["url"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def evaluate(model, args, tasks, manager, **more):
    result = lm_eval.simple_evaluate(model=model, model_args=args, tasks=tasks, task_manager=manager,
                                     log_samples=True, bootstrap_iters=0, **more)
    return {name: sorted(result["samples"][name], key=lambda sample: sample["doc_id"]) for name in tasks}


def flat(responses):
    """Numbers and texts of a sample's responses."""
    for item in responses:
        if isinstance(item, (list, tuple)):
            yield from flat(item)
        else:
            yield item


def compare(name, expected, actual):
    worst, differing, count = {}, 0, 0
    good = True
    for task, samples in expected.items():
        assert len(samples) == len(actual[task]), (task, len(samples), len(actual[task]))
        for one, other in zip(samples, actual[task]):
            for a, b in zip(flat(one["resps"]), flat(other["resps"]), strict=True):
                count += 1
                if isinstance(a, bool) or isinstance(a, str):
                    differing += a != b
                    if a != b:
                        print(f"  {task} {one['doc_id']}: {a!r} is not {b!r}")
                else:
                    gap = abs(float(a) - float(b))
                    worst[task] = max(worst.get(task, (0, 0)), (gap, float(a)))
                    good &= gap <= max(TOLERANCE, RELATIVE * abs(float(a)))
    good &= differing == 0
    shown = ", ".join(f"{gap:.1e} of {value:.1f} ({task})" for task, (gap, value) in worst.items())
    print(f"{'ok      ' if good else 'FAILED  '}{name}: {count} answers, {differing} texts or flags differ; largest gaps of "
          f"log-likelihoods: {shown or 'none'}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crucible")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "deploy/demo-family/sums")
    parser.add_argument("--items", type=pathlib.Path, default=ROOT / "deploy/demo-family/suites/sums.jsonl")
    parser.add_argument("--limit", type=int, default=30)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name, served(options.crucible, options.model) as url:
        write_tasks(pathlib.Path(name), options.items, options.limit)
        manager = TaskManager(include_path=name, include_defaults=False)
        reference = evaluate("hf", {"pretrained": str(options.model), "dtype": "float32", "device": "cpu",
                                    "max_length": HF_LENGTH}, TASKS, manager, batch_size=1)
        common = {"base_url": url + "/completions", "model": "served", "max_length": CONTEXT,
                  "tokenizer_backend": "huggingface", "tokenizer": str(options.model)}
        good = compare("token ids", reference, evaluate("local-completions", common, TASKS, manager))
        good &= compare("token ids, 8 a request, 4 at once", reference,
                        evaluate("local-completions", {**common, "num_concurrent": 4}, TASKS, manager,
                                 batch_size=8))
        good &= compare("text", reference,
                        evaluate("local-completions", {**common, "tokenized_requests": False}, TASKS, manager))
        remote = {key: value for key, value in common.items() if not key.startswith("tokenizer")}
        good &= compare("the server's tokenizer", reference,
                        evaluate("local-completions", {**remote, "tokenizer_backend": "remote"}, TASKS, manager))
        chat = evaluate("hf", {"pretrained": str(options.model), "dtype": "float32", "device": "cpu"},
                        ["server_generation"], manager, batch_size=1, apply_chat_template=True)
        good &= compare("conversations", chat,
                        evaluate("local-chat-completions",
                                 {"base_url": url + "/chat/completions", "model": "served", "eos_string": "<|endoftext|>"},
                                 ["server_generation"], manager, apply_chat_template=True))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
