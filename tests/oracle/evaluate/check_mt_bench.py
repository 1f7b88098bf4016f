"""Checks judging against published MT-Bench runs: their prompts, verdicts, means and win rates.

    python check_mt_bench.py CRUCIBLE MT_BENCH

MT_BENCH is a folder with FastChat's question.jsonl, judge_prompts.jsonl and reference_answer/ (Apache-2.0),
and two forks' published runs: runs_llama3/ (dreaming-panda/MTBench at f4bb6e404342) and runs_phi3_dpo/
(Stefanstud/FastChat at 1f5a7b81d3b2). Needs no packages.

1. `crucible judge scores` on the published judgment files gives the published verdict of every line, means
   and win counts.
2. A server that knows the published judgments by their prompts plays the judge: `crucible judge single` and
   `pair` must ask for exactly those prompts, and come to the same means. A prompt that was never published
   gets an answer without a verdict and shows up as one.
Exit status 1 on any difference.
"""

import argparse
import collections
import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading

# Means of all rows that have a verdict; of the published files' own scores.
LLAMA3 = {"Meta-Llama-3-8B-Instruct-Griffin": (3.1375, 2.2625, 2.7, 0, 0),
          "Meta-Llama-3-8B-Instruct-Normal": (721 / 86, 7.2625, 1302 / 166, 4, 10)}
PHI3_DPO = (8.3625, 8.0375, 8.2)
PHI3_PAIR = {"wins_1": 18, "wins_2": 20, "ties": 35, "no_verdict": 2}

failed = 0


def check(name, actual, expected):
    global failed
    close = (abs(actual - expected) < 1e-9 if isinstance(expected, float) and actual is not None
             else actual == expected)
    failed += not close
    print(f"{'ok      ' if close else 'FAILED  '}{name}: {actual}" + ("" if close else f", not {expected}"))


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def crucible(binary, *arguments):
    done = subprocess.run([binary, "judge", *map(str, arguments), "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def check_published(binary, data):
    llama = crucible(binary, "scores", data / "runs_llama3/model_judgment/gpt-4_single-origin.jsonl",
                     "--data", data)["items"]
    check("llama3: one judge", len(llama), 1)
    check("llama3: lines read otherwise", llama[0]["disagreements"], 0)
    for model in llama[0]["models"]:
        first, second, mean, dropped, duplicates = LLAMA3[model["model"]]
        check(f"{model['model']} turn 1", model["turns"]["1"], first)
        check(f"{model['model']} turn 2", model["turns"]["2"], second)
        check(f"{model['model']} all", model["rating"], mean)
        check(f"{model['model']} without a verdict", model["no_verdict"], dropped)
        check(f"{model['model']} duplicates", model["duplicates"], duplicates)
        check(f"{model['model']} categories", len(model["categories"]), 8)
    single = data / "runs_phi3_dpo/model_judgment/gpt-4_single.jsonl"
    phi = crucible(binary, "scores", single)["items"][0]
    check("phi-3-dpo: lines read otherwise", phi["disagreements"], 0)
    check("phi-3-dpo means", [phi["models"][0]["turns"][turn] for turn in "12"], list(PHI3_DPO[:2]))
    pair = crucible(binary, "scores", data / "runs_phi3_dpo/model_judgment/gpt-4_pair.jsonl")["items"][0]
    check("pair: lines read otherwise", pair["disagreements"], 0)
    check("pair", {key: pair["pairs"][0][key] for key in PHI3_PAIR}, PHI3_PAIR)


class Judge(http.server.BaseHTTPRequestHandler):
    """Gives the published judgment of a prompt. Prompts published more than once are answered in turn."""

    protocol_version = "HTTP/1.1"
    known = {}
    unknown = []
    lock = threading.Lock()

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.answer(200 if self.path == "/v1/models" else 404,
                    {"data": [{"id": "gpt-4", "max_model_len": 8192}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions":
            return self.answer(404, {"error": {"message": "conversations only"}})
        prompt = body["messages"][-1]["content"]
        with self.lock:
            text = self.known.get(prompt)
            if text is None:
                self.unknown.append(prompt)
        self.answer(200, {"choices": [{"index": 0, "message": {"role": "assistant", "content": text or "unknown"},
                                       "finish_reason": "stop"}],
                          "usage": {"prompt_tokens": 1, "completion_tokens": 1}})


def check_prompts(binary, data):
    single = read(data / "runs_phi3_dpo/model_judgment/gpt-4_single.jsonl")
    pairs = read(data / "runs_phi3_dpo/model_judgment/gpt-4_pair.jsonl")
    for row in single:
        Judge.known[row["user_prompt"]] = row["judgment"]
    for row in pairs:
        Judge.known[row["g1_user_prompt"]] = row["g1_judgment"]
        Judge.known[row["g2_user_prompt"]] = row["g2_judgment"]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Judge)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    answers = data / "runs_phi3_dpo/model_answer"
    with tempfile.TemporaryDirectory() as folder:
        common = ["--data", data, "--judge", url, "--judge-name", "gpt-4", "--judge-protocol", "chat"]
        out = pathlib.Path(folder, "single.jsonl")
        result = crucible(binary, "single", answers / "phi-3-dpo.jsonl", *common, "--out", out)["models"][0]
        unknown = [prompt for prompt in Judge.unknown if prompt != "Say yes."]
        check("single: prompts that were never published", len(unknown), 0)
        check("single: means", [result["turns"]["1"], result["turns"]["2"], result["rating"]], list(PHI3_DPO))
        check("single: judgments kept", len(read(out)), 160)
        Judge.unknown.clear()
        out = pathlib.Path(folder, "pair.jsonl")
        crucible(binary, "pair", answers / "phi-3.jsonl", answers / "phi-3-dpo.jsonl", *common, "--out", out)
        made = {(row["question_id"], row["turn"]): row for row in read(out)}
        check("pair: judgments kept", len(made), 160)
        found = collections.Counter(
            made[row["question_id"], row["turn"]]["g1_user_prompt"] == row["g1_user_prompt"]
            and made[row["question_id"], row["turn"]]["g2_user_prompt"] == row["g2_user_prompt"]
            and made[row["question_id"], row["turn"]]["g1_winner"] == row["g1_winner"]
            and made[row["question_id"], row["turn"]]["g2_winner"] == row["g2_winner"] for row in pairs)
        check("pair: published prompts and verdicts met", found, collections.Counter({True: len(pairs)}))
    server.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crucible")
    parser.add_argument("mt_bench", type=pathlib.Path)
    options = parser.parse_args()
    check_published(options.crucible, options.mt_bench)
    check_prompts(options.crucible, options.mt_bench)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
