"""Writes first inputs for every fuzz target, made of the tests' data: make_seeds.py FOLDER

FOLDER/<target>/ gets one file for each; the form of an input is said in the target's source. Texts
longer than MOST_BYTES are left out: mutations of them would not reach deep.
"""

import json
import pathlib
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MOST_BYTES = 16384


class Corpus:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def add(self, target, name, *parts):
        data = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
        if len(data) > MOST_BYTES:
            return
        (self.folder / target).mkdir(parents=True, exist_ok=True)
        (self.folder / target / ("seed-" + name)).write_bytes(data)

    def add_all(self, target, prefix, texts):
        for number, text in enumerate(texts):
            self.add(target, "%s-%d" % (abs(hash_of(prefix)), number), prefix, text)


def hash_of(text):
    return sum((i + 1) * byte for i, byte in enumerate(str(text).encode()))


def read(path, most=None):
    data = (ROOT / path).read_bytes()
    return data[:most] if most else data


def load(path):
    return json.loads(read(path))


def safetensors(header, data):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def models(corpus):
    index = json.dumps({"metadata": {"total_size": 16}, "weight_map": {
        "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}})
    for folder in sorted((ROOT / "tests/oracle/merge/models").iterdir()):
        # A header with little data is what the fuzzer can work with; the data is not looked at.
        corpus.add("safetensors_header", folder.name, read(folder / "model.safetensors", 8192))
        corpus.add("checkpoint_index", folder.name, read(folder / "config.json"), b"\0", index)
    corpus.add("safetensors_header", "small", safetensors(
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
         "__metadata__": {"format": "pt"},
         "b": {"dtype": "U8", "shape": [], "data_offsets": [8, 9]}}, bytes(9)))
    for folder in sorted((ROOT / "tests/oracle/evaluate/goldens").iterdir()):
        if (folder / "config.json").exists():
            corpus.add("model_shape", folder.name, read(folder / "config.json"))
    for folder in sorted((ROOT / "tests/oracle/merge/tokenizers/models").iterdir()):
        tokenizer = read(folder / "tokenizer.json")
        config = read(folder / "tokenizer_config.json")
        special = json.dumps({"bos_token": "<s>", "eos_token": {"content": "</s>"}})
        corpus.add("model_tokenizer", folder.name, tokenizer, b"\0", config, b"\0", special, b"\0",
                   json.dumps({"<new>": 40}))
        corpus.add("tokenizer", folder.name, tokenizer, b"\0", config, b"\0", "the cat </s> \u00e9")
    adapter = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"],
               "rank_pattern": {"q_proj": 2}, "alpha_pattern": {}, "bias": "none"}
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_%s.weight"
    corpus.add("adapter", "small", json.dumps(adapter), b"\0", safetensors(
        {name % "A": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
         name % "B": {"dtype": "F32", "shape": [2, 2], "data_offsets": [16, 32]}}, bytes(32)))


def recipes(corpus):
    texts = [read(path) for path in sorted((ROOT / "tests/oracle/merge/cases").glob("*/recipe.yml"))]
    texts += [read(path) for path in sorted((ROOT / "tests/oracle/merge/recipes").glob("*.yml"))]
    texts += [read(path) for path in sorted((ROOT / "deploy/demo-family").glob("*.yml"))]
    corpus.add_all("recipe", "", texts)
    corpus.add_all("yaml_tree", "", texts)
    corpus.add_all("recipe_file", "0", texts)
    mixture = ("base_model: a\ngate_mode: random\ndtype: float32\nexperts:\n"
               "- source_model: b\n  positive_prompts: [x]\n- source_model: c\n"
               "  positive_prompts: [y]\n  negative_prompts: [z]\n")
    corpus.add("recipe_file", "mixture", "1", mixture)
    corpus.add_all("recipe_file", b"2parameters.t\0", texts[:20])
    corpus.add_all("recipe_file", b"2models[1].parameters.weight\0", texts[:20])
    corpus.add_all("recipe_file", "3", ("org/name@main+lora@v1", "slices[0].sources[1].layer_range",
                                        'parameters["a.b"]', "1.5 GiB", "5GB", "2b"))


def gguf_text(text):
    return struct.pack("<Q", len(text.encode())) + text.encode()


def gguf(corpus):
    """A vocabulary and the metadata of a small llama, without tensors."""
    tokens = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)] + ["\u2581", "a", "aa"]
    pairs = [("general.architecture", 8, gguf_text("llama"))]
    for key, value in (("context_length", 64), ("embedding_length", 8), ("block_count", 1),
                       ("feed_forward_length", 16), ("attention.head_count", 2)):
        pairs.append(("llama." + key, 4, struct.pack("<I", value)))
    pairs.append(("llama.attention.layer_norm_rms_epsilon", 6, struct.pack("<f", 1e-5)))
    pairs.append(("tokenizer.ggml.model", 8, gguf_text("llama")))
    pairs.append(("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, len(tokens)) +
                  b"".join(gguf_text(token) for token in tokens)))
    pairs.append(("tokenizer.ggml.scores", 9, struct.pack("<IQ", 6, len(tokens)) +
                  b"".join(struct.pack("<f", -i) for i in range(len(tokens)))))
    types = [2, 3, 3] + [6] * 256 + [1, 1, 1]
    pairs.append(("tokenizer.ggml.token_type", 9, struct.pack("<IQ", 5, len(types)) +
                  b"".join(struct.pack("<i", kind) for kind in types)))
    for key, value in (("bos", 1), ("eos", 2), ("unknown", 0)):
        pairs.append(("tokenizer.ggml.%s_token_id" % key, 4, struct.pack("<I", value)))
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs))
    body = b"".join(gguf_text(key) + struct.pack("<I", kind) + value for key, kind, value in pairs)
    corpus.add("gguf", "llama", head + body)
    corpus.add("gguf", "no-vocabulary", b"GGUF" + struct.pack("<IQQ", 3, 0, 7) + b"".join(
        gguf_text(key) + struct.pack("<I", kind) + value for key, kind, value in pairs[:7]))


def templates(corpus):
    for path in sorted((ROOT / "tests/oracle/evaluate/chat_goldens").glob("*.jinja")):
        corpus.add("chat_template", path.stem, "1", read(path))
        corpus.add("chat_template", path.stem + "-file", "3", json.dumps(
            {"chat_template": read(path).decode(), "bos_token": "<s>"}), b"\0", "{}")
    corpus.add_all("chat_template", "0", (
        "Question: {{question}}\nAnswer:", "{{choices[answer]}}", "{{nested.a|round|int}}",
        "{% for c in choices %}{{loop.index}}. {{c}}\n{% endfor %}",
        "{{question|regex_replace('a','b')}}{{choices|join(', ')}}{{question.split(' ')[0]}}"))
    corpus.add_all("chat_template", "2", (
        "['a', 'b']", "{'x': 1.5, 'y': (1,)}", "True", "None", "'it''s'", r'"\x41\n"', "{1, 2}",
        "-1e5", "b'x'", "1_000", "'''a'''"))


def tasks(corpus):
    files = sorted((ROOT / "tests/oracle/evaluate/tasks").glob("*.yaml"))
    files += sorted((ROOT / "evaluator/task/data").glob("*/*.yaml"))[::4]
    corpus.add_all("task_yaml", "", (read(path) for path in files))
    rows = load("tests/unit/evaluator/data/parquet/rows.json")
    rows = rows[:3] if isinstance(rows, list) else [rows]
    corpus.add("rows", "jsonl", "0", "\n".join(json.dumps(row) for row in rows))
    corpus.add("rows", "json", "1", json.dumps({"data": rows}))
    corpus.add("rows", "csv", "2", 'a,b,c\n1,2.5,"x, ""y""\nz"\n,NA,True\n')
    corpus.add("rows", "tsv", "3", "a\tb\n1\tx\n2\t\n")
    corpus.add("rows", "txt", "4", "one\ntwo\r\nthree")
    for path in sorted((ROOT / "tests/unit/evaluator/data/parquet").glob("*.parquet")):
        corpus.add("parquet", path.stem, read(path))


def answers(corpus):
    texts = load("tests/oracle/evaluate/goldens/regex.json")
    for number, pattern in enumerate(texts["patterns"]):
        for subject in pattern["subjects"][:2]:
            corpus.add("regex", "%d-%d" % (number, subject["text"]), "0", pattern["pattern"], b"\0",
                       pattern["replacement"], b"\0", texts["texts"][subject["text"]])
    for step in "0123456789":
        corpus.add("answers", "filter-" + step, "0", step, "The answer is (B). #### 12\n#### 13",
                   b"\0", "two hundred and five, yes: b a")
    for number, case in enumerate(load("tests/oracle/evaluate/goldens/ifeval.json")[:60]):
        corpus.add("answers", "follow-%d" % number, "1", bytes([200 + number % 25]), case["text"])
    texts = ["Dr. Smith went to Washington, D.C. He said \u201chello\u201d... Didn't he?",
             "It's 5 p.m. now; can't we go? (Yes!) [1] --- 3.14", "\u0130stanbul \u00dfTRASSE \ufb01"]
    corpus.add_all("answers", "2", texts)
    corpus.add_all("answers", "3", texts + ["1_000.5e-3", " inf ", "0x1"])
    math = load("tests/oracle/evaluate/goldens/math.json")
    corpus.add_all("math_answers", "0", {case["answer"] for case in math["normal_forms"][:200]})
    corpus.add_all("math_answers", "1", ["Final Answer: The final answer is $\\frac{1}{2}$. I hope "
                                         "it is correct.", "so \\boxed{\\frac{1}{2}} \\fbox{3}"])
    for number, case in enumerate(math["verify"][:150]):
        pair = [value for value in (case.values() if isinstance(case, dict) else case)
                if isinstance(value, str)]
        corpus.add("math_answers", "verify-%d" % number, "2", pair[0], b"\0", *pair[1:2])
    corpus.add_all("math_answers", "3", (
        "First pass scores:\nA: 1\nB: 2\nC: 3\nD: 4\nCritique: x\nRevised scores:\nA: 2\nB: 2\n"
        "C: 3\nD: 9", "two thousand and five hundred", "minus twenty-one million"))


def judges(corpus):
    corpus.add_all("judge_words", "0", ("Rating: [[7.5]]", "[[A]]", "[3]", "<think>[[B]]</think>[[C]]",
                                        "My final verdict is: [[B]] or [10/10]"))
    corpus.add("judge_words", "fill", "1", "[Question]\n{question}\n{{x}} {answer}")
    rubric = ("name: own\nscale: [1, 5]\nprompts:\n  single:\n    system: Judge.\n"
              "    text: 'Q {question} A {answer}'\n")
    corpus.add("judge_words", "rubric", "2", rubric)
    prompt = {"name": "single-v1", "type": "single", "system_prompt": "Judge.",
              "prompt_template": "{question} {answer}", "output_format": "[[rating]]"}
    corpus.add("judge_words", "prompts", "3", json.dumps(prompt))
    corpus.add("judge_words", "questions", "4", json.dumps(
        {"question_id": 81, "category": "writing", "turns": ["one", "two"]}))
    corpus.add("judge_words", "answers", "5", json.dumps(
        {"question_id": 81, "choices": [{"index": 0, "turns": ["one", "two"]}]}))
    for kind, name in (("6", "single"), ("7", "pair")):
        lines = read("tests/unit/evaluator/data/mt_bench/gpt-4_%s.jsonl" % name).splitlines()
        corpus.add_all("judge_words", kind, lines[:4])


def endpoints(corpus):
    choice = {"index": 0, "text": " x", "finish_reason": "stop", "logprobs": {
        "tokens": ["a", " x"], "token_logprobs": [None, -0.5], "top_logprobs": [None, {" x": -0.5}]}}
    chat = {"index": 0, "message": {"content": "x"}, "finish_reason": "stop", "logprobs": {
        "content": [{"token": "x", "logprob": -1, "top_logprobs": [{"token": "x", "logprob": -1}]}]}}
    usage = {"prompt_tokens": 2, "completion_tokens": 1}
    corpus.add("endpoint_answer", "completion", "0", json.dumps({"choices": [choice], "usage": usage}))
    corpus.add("endpoint_answer", "chat", "0", json.dumps({"choices": [chat], "usage": usage}))
    corpus.add("endpoint_answer", "two", "1", json.dumps({"choices": [dict(choice, index=1), choice]}))
    corpus.add_all("endpoint_answer", "2", (
        "https://models.example.org/v1", "http://127.0.0.1:8000", "http://[::1]:80/v1/", "10.0.0.1",
        "fe80::1", "::ffff:127.0.0.1", "100.64.0.1", "https://u:p@h/"))
    corpus.add_all("endpoint_answer", "3", ("12", "Wed, 21 Oct 2015 07:28:00 GMT", "-1", "1e3",
                                            "Sunday, 06-Nov-94 08:49:37 GMT"))


def kept(corpus):
    head = struct.pack("<QQQI", 5, 6, 7, 1)
    likelihood = struct.pack("<I", 1) + struct.pack("<dBIBB", -1.5, 1, 3, 0, 0)
    rolling = struct.pack("<I", 0)
    generation = struct.pack("<I", 1) + struct.pack("<I", 2) + b"ab" + struct.pack(
        "<BIIBI", 1, 4, 1, 0, 1) + struct.pack("<i", 9)
    corpus.add("kept_results", "answers", "0", head, likelihood, rolling, generation)
    corpus.add("kept_results", "cache", "2", bytes(64))
    corpus.add("kept_results", "responses", "3", json.dumps({"key": "ab" * 32, "body": "{}"}), "\n",
               b"\0", json.dumps({"endpoint": "http://127.0.0.1/v1", "model": "m",
                                  "logprobs": [-1.0, -2.0]}))
    corpus.add("kept_results", "journal", "4", json.dumps(
        {"digest": "ab" * 32, "not_finite": 0, "draws": 7}), "\n")


def frames(corpus):
    corpus.add("worker_frame", "progress", "0", json.dumps(
        {"type": "progress", "stage": "merging", "done": 1, "total": 2, "unit": "tensors"}))
    corpus.add("worker_frame", "error", "0", json.dumps(
        {"type": "error", "code": "corrupt", "message": "x",
         "faults": [{"path": "a", "message": "b", "suggestion": "c"}]}))
    corpus.add("worker_frame", "result", "0", json.dumps({"type": "result", "result": {"a": 1}}))
    corpus.add("worker_frame", "merge", "1", json.dumps(
        {"kind": "merge", "recipe": "x", "folders": {"a": "/b"}, "seed": 1, "compatibility": "none",
         "allow_nonfinite": False, "threads": 2, "memory_bytes": 3, "shard_bytes": 4, "out": "/o"}))
    corpus.add("worker_frame", "evaluation", "2", json.dumps(
        {"kind": "evaluation", "model_folder": "/m", "model_name": "m", "model_digest": "d",
         "endpoint": None, "judge": None, "suite_file": "s", "datasets": ["/d"], "cache": "",
         "threads": 1, "out": "/o"}))
    corpus.add("worker_frame", "merged", "3", json.dumps(
        {"digest": "d", "architecture": "A", "dtype": "bf16", "parameters": 1, "weight_bytes": 2,
         "seconds": 0.5, "warnings": ["w"]}))
    interval = {"low": 0.1, "high": 0.9, "method": "wilson"}
    task = {"task": "t", "alias": "t", "items": 1, "metrics": [
        {"metric": "acc", "filter": "none", "value": 1.0, "standard_error": None,
         "interval": interval, "higher_is_better": True}]}
    corpus.add("worker_frame", "evaluated", "4", json.dumps(
        {"suite": "s", "suite_digest": "d", "engine": "e", "dtype": "f32", "score": 0.5,
         "standard_error": 0.1, "interval": interval, "items": 4, "seconds": 1.5, "tasks": [task],
         "columns": [], "groups": [], "flags": [], "prompt_tokens_asked": 1,
         "prompt_tokens_computed": 1}))


def http(corpus):
    heads = ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
             "POST /api/v1/merges?name=a%20b&suites=x,y HTTP/1.1\r\nHost: localhost:7345\r\n"
             "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
             "POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
             "GET /a HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
             "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
             "GET / HTTP/1.1\r\nHost : localhost\r\nA: b\r\n c\r\n\r\n")
    corpus.add_all("http_request", "0", heads)
    corpus.add_all("http_request", "1", ("/", "/a/b?c=d&e=%41", "/%2e%2e/%00", "//a//b/", "/a?c&c=1",
                                         "http://h/", "*"))
    corpus.add_all("http_request", "2", ("localhost:80", "[::1]:7345", "127.0.0.1", "A.B.",
                                         "application/JSON; charset=utf-8", "slices[2].sources[0]"))
    corpus.add_all("http_request", "3", ("cru_0123abcd_" + "0123456789abcdef" * 4,
                                         "Bearer cru_0123abcd_" + "0123456789abcdef" * 4, "Basic x"))
    corpus.add_all("http_request", "4", ("id: 1\nevent: job\ndata: {}\n\n", ": beat\r\n\r\ndata: a\r\n"
                                         "data: b\r\n\r\n", "data\rdata: x\r\r", "\ufeffdata: x\n\n"))
    merge = json.dumps({"recipe": "models: []", "suites": ["a"], "name": "n", "seed": 1,
                        "priority": 5, "compatibility": "mergekit", "allow_nonfinite": True})
    corpus.add("api_body", "json", b"0application/json\0/api/v1/merges\0", merge)
    corpus.add("api_body", "object", b"0application/json\0/\0", json.dumps(
        {"recipe": {"merge_method": "linear", "models": [{"model": "a"}]}}))
    corpus.add("api_body", "yaml", b"0application/yaml\0/m?name=a&seed=3&suites=x,y&priority=-1\0",
               "merge_method: linear\n")
    corpus.add("api_body", "fields", b"1/\0", merge)
    corpus.add("api_body", "query", b"2/j?limit=5&state=queued&suites=a,b&name=x\0")
    corpus.add("api_body", "completion", "3", json.dumps(
        {"model": "m", "prompt": ["a", "b"], "max_tokens": 5, "temperature": 0, "stop": ["\n"],
         "logprobs": 1, "echo": True, "n": 1, "seed": 3}))
    corpus.add("api_body", "chat", "3", json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": "x"}], "top_logprobs": 2,
         "logprobs": True, "max_completion_tokens": 4, "top_p": 0.5}))


def settings(corpus):
    corpus.add("settings", "all", "state: /tmp/x\nport: 7345\nallowed-host: [a, b]\nmemory: 2GiB\n"
               "shard-size: 5GB\nmax-merges: 2\nsandbox: off\naccess: open\nlog-level: warn\n")
    corpus.add("settings", "json", '{"port": 80, "threads": 4, "disk-floor": "0"}')


def main():
    corpus = Corpus(sys.argv[1])
    for fill in (models, recipes, gguf, templates, tasks, answers, judges, endpoints, kept, frames,
                 http, settings):
        fill(corpus)


if __name__ == "__main__":
    main()
