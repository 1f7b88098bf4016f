"""Models behind endpoints: our own server, servers that cannot be trusted, judges."""

import contextlib
import http.server
import json
import os
import signal
import subprocess
import threading

from conftest import FAMILY, binary

SECRET = "sk-scenario-secret-4711"


@contextlib.contextmanager
def eval_server(model, *flags, env=None):
    process = subprocess.Popen([str(binary()), "eval-server", str(model), "--port", "0", "--json", *flags],
                               stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
    try:
        text = ""
        while not text.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, "the server did not start"
            text += line
        yield json.loads(text)["url"]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


class Chat(http.server.BaseHTTPRequestHandler):
    """An endpoint of conversations. Its completions accept echo but give log-probabilities of the generated
    token only, as llama-server was seen to do."""

    protocol_version = "HTTP/1.1"

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
        found = self.path == "/v1/models"
        self.answer(200 if found else 404, {"data": [{"id": "talker", "max_model_len": 4096}]} if found else {})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        if self.path == "/v1/completions":
            logprobs = {"content": [{"token": " a", "logprob": -0.5, "top_logprobs": []}]}
            return self.answer(200, {"choices": [{"index": 0, "text": " a", "logprobs": logprobs}]})
        if self.path != "/v1/chat/completions":
            return self.answer(404, {"error": {"message": "no such path"}})
        said = body["messages"][-1]["content"]
        text = self.server.judgment(said) if said.startswith("RATE") else f"my answer to: {said}"
        self.answer(200, {"choices": [{"index": 0, "message": {"role": "assistant", "content": text},
                                       "finish_reason": "stop"}],
                          "usage": {"prompt_tokens": 9, "completion_tokens": 3}})


@contextlib.contextmanager
def chat_server(judgment):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    server.bodies = []
    server.judgment = judgment
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def evaluate(tmp_path, *arguments, env=None, check=True):
    command = [str(binary()), "eval", *map(str, arguments), "--cache", str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})})
    assert not check or done.returncode == 0, done.stderr
    return done


def samples(folder):
    (path,) = folder.rglob("samples_*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_our_client_on_our_server_gives_the_engines_numbers(tmp_path):
    model, suite = FAMILY / "sums", FAMILY / "suites" / "sums.yaml"
    evaluate(tmp_path, model, "--suite", suite, "--out", tmp_path / "here")
    key = {"SCENARIO_KEY": SECRET}
    with eval_server(model, "--key-env", "SCENARIO_KEY", env=key) as url:
        refused = evaluate(tmp_path, url, "--suite", suite, check=False)
        assert refused.returncode != 0 and "API key" in refused.stderr
        there = evaluate(tmp_path, url, "--suite", suite, "--out", tmp_path / "there", "--api-key-env",
                         "SCENARIO_KEY", "--batch-size", "4", env=key)
        assert SECRET not in there.stdout + there.stderr
    for path in (tmp_path / "there").rglob("*"):
        assert path.is_dir() or SECRET not in path.read_text()
    here, there = samples(tmp_path / "here"), samples(tmp_path / "there")
    assert len(here) == len(there) == 39
    for one, other in zip(here, there):
        for ours, theirs in zip(one["resps"], other["resps"]):
            assert abs(float(ours[0][0]) - float(theirs[0][0])) < 1e-4
        assert one["acc"] == other["acc"]


def test_nothing_is_paid_twice(tmp_path):
    """What was answered before is not asked again, the probe aside."""
    suite = FAMILY / "suites" / "sums.yaml"
    with eval_server(FAMILY / "sums", "--name", "one") as url:
        first = evaluate(tmp_path, url, "--suite", suite, "--json").stdout
        again = evaluate(tmp_path, url, "--suite", suite, "--json", "--max-tokens-budget", "600").stdout
        assert json.loads(first)["items"][0]["score"] == json.loads(again)["items"][0]["score"]
        fresh = evaluate(tmp_path, url, "--suite", suite, "--no-cache", "--max-tokens-budget", "600", check=False)
        assert fresh.returncode == 5 and "the budget is spent" in fresh.stderr


def test_servers_without_prompt_logprobs_are_refused(tmp_path):
    with chat_server(lambda said: "[[5]]") as (url, _):
        done = evaluate(tmp_path, url, "--suite", FAMILY / "suites" / "sums.yaml", check=False)
    assert done.returncode == 3
    assert "chance" in done.stderr


PROMPTS = ("single-v1", "single-v1-multi-turn", "single-math-v1", "single-math-v1-multi-turn",
           "pair-v2", "pair-v2-multi-turn", "pair-math-v1", "pair-math-v1-multi-turn")


def small_bench(folder):
    """Two questions and prompts of our own in MT-Bench's form."""
    folder.mkdir()
    questions = [{"question_id": 1, "category": "writing", "turns": ["Write a line.", "Another."]},
                 {"question_id": 2, "category": "math", "turns": ["One and one?", "And one more?"]}]
    (folder / "question.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    lines = []
    for name in PROMPTS:
        turns = "{question_1} {question_2} " if "multi" in name else "{question} "
        answers = {(False, False): "{answer}", (False, True): "{answer_1} | {answer_2}",
                   (True, False): "{answer_a} | {answer_b}",
                   (True, True): "{answer_a_1} {answer_a_2} | {answer_b_1} {answer_b_2}"}
        text = "RATE " + name + " " + turns + answers["pair" in name, "multi" in name]
        if "math" in name:
            text += " REFERENCE {ref_answer_1}"
        lines.append(json.dumps({"name": name, "system_prompt": "Judge.", "prompt_template": text}))
    (folder / "judge_prompts.jsonl").write_text("\n".join(lines))
    (folder / "reference_answer").mkdir()
    reference = {"question_id": 2, "choices": [{"index": 0, "turns": ["two", "three"]}]}
    (folder / "reference_answer" / "gpt-4.jsonl").write_text(json.dumps(reference))
    return folder


def test_a_judge_grades_conversations(tmp_path):
    small_bench(tmp_path / "mt_bench")
    verdicts = {"single-v1 ": "Fine. [[8]]", "single-v1-multi": "I cannot say.", "single-math-v1 ": "[[4]]",
                "single-math-v1-multi": "[[12]]"}

    def judgment(said):
        return next(text for name, text in verdicts.items() if said.startswith("RATE " + name))

    with chat_server(judgment) as (url, server):
        done = evaluate(tmp_path, url, "--suite", "mt-bench", "--datasets", tmp_path, "--judge", url,
                        "--judge-name", "referee", "--out", tmp_path / "out", "--json")
    (item,) = json.loads(done.stdout)["items"]
    assert item["score"] == 6  # (8 + 4) / 2: what is no verdict is no score
    kept = [json.loads(line) for line in (tmp_path / "out" / "judgments.jsonl").read_text().splitlines()]
    assert [(row["question_id"], row["turn"], row["score"]) for row in kept] == [
        (1, 1, 8), (1, 2, -1), (2, 1, 4), (2, 2, -1)]
    assert kept[3]["note"] and kept[3]["judgment"] == "[[12]]"
    assert "REFERENCE two" in kept[2]["user_prompt"]
    (results,) = (tmp_path / "out").rglob("results_*.json")
    metrics = json.loads(results.read_text())["results"]["mt_bench"]
    (column,) = [key for key in metrics if key.startswith("rating,")]
    assert column.startswith("rating,referee@")
    second = [body for body in server.bodies if body.get("messages", [{}])[-1].get("content") == "Another."]
    assert second and second[0]["messages"][1]["content"] == "my answer to: Write a line."


def test_judging_step_by_step(tmp_path):
    data = small_bench(tmp_path / "mt_bench")

    def judge(*arguments):
        done = subprocess.run([str(binary()), "judge", *map(str, arguments), "--json"], cwd=tmp_path,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    # Prefers whatever is shown first: no win may come of it.
    with chat_server(lambda said: "[[7]]" if "single" in said else "[[A]]") as (url, _):
        for name in ("one", "two"):
            judge("answer", url, "--data", data, "--name", name, "--out", f"{name}.jsonl")
        rated = judge("single", "one.jsonl", "two.jsonl", "--judge", url, "--data", data)
        paired = judge("pair", "one.jsonl", "two.jsonl", "--judge", url, "--data", data, "--out", "pairs.jsonl")
    assert {row["model"]: row["rating"] for row in rated["models"]} == {"one": 7, "two": 7}
    assert (paired["pairs"][0]["ties"], paired["pairs"][0]["wins_1"]) == (4, 0)
    again = judge("scores", "judgments.jsonl", "pairs.jsonl")["items"]
    assert again[0]["models"] == [{**row, "categories": {}} for row in rated["models"]]
    assert again[1]["pairs"] == paired["pairs"]
    assert again[0]["judge"] == rated["judge"]
