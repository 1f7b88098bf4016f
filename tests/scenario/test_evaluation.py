"""Evaluations: going on after a kill, reports, intervals, comparisons, doubtful numbers."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from conftest import FAMILY, binary, wait_until

TIMES = ("date", "total_evaluation_time_seconds")


def eval_command(tmp_path, *arguments, cache="cache"):
    return [str(binary()), "eval", *map(str, arguments), "--cache", str(tmp_path / cache), "--threads", "1"]


def report_of(folder):
    """The results file without its times, and the texts of the samples files by task."""
    (results,) = folder.rglob("results_*.json")
    report = json.loads(results.read_text())
    for key in TIMES:
        del report[key]
    samples = {path.name.rsplit("_", 1)[0]: path.read_text() for path in folder.rglob("samples_*.jsonl")}
    return report, samples


def cache_bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*.answers")) if folder.exists() else 0


def test_an_evaluation_killed_at_any_point_goes_on(tmp_path, slow_suites):
    model, suite = FAMILY / "words", slow_suites / "slow.yaml"

    def run(out, cache):
        command = eval_command(tmp_path, model, "--suite", suite, "--out", tmp_path / out, cache=cache)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    run("whole", "unused")
    expected = report_of(tmp_path / "whole")
    whole = cache_bytes(tmp_path / "unused")
    kept = 0
    for _ in range(4):  # killed right after a segment was kept, each time a later one
        command = eval_command(tmp_path, model, "--suite", suite, "--out", tmp_path / "killed")
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: cache_bytes(tmp_path / "cache") > max(kept, 16) or process.poll() is not None,
                   "a segment is kept", 60)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        kept = cache_bytes(tmp_path / "cache")
        assert 0 < kept < whole
    assert not (tmp_path / "killed").exists()
    with open(next((tmp_path / "cache").glob("*.answers")), "ab") as torn:
        torn.write(b"\x31\x43\x52\x46 a frame that a kill cut short")
    shown = run("resumed", "cache")
    assert "were kept from before" in shown
    assert report_of(tmp_path / "resumed") == expected
    started = time.monotonic()
    again = run("again", "cache")
    assert "answers to 7680 items were kept" in again
    assert time.monotonic() - started < 10
    assert report_of(tmp_path / "again") == expected


def test_a_killed_worker_goes_on_from_its_last_segment(make_daemon, slow_suites):
    daemon = make_daemon("--retry-delay-ms", "50", suites=slow_suites).start()
    daemon.register("words")
    job = daemon.post("/evaluations", {"model": "words", "suites": ["slow"]})["items"][0]
    cache = daemon.state / "cache" / "evaluations"
    wait_until(lambda: cache_bytes(cache) > 1000, "a segment is kept", 60)
    os.kill(daemon.worker_pid(job["id"]), signal.SIGKILL)
    done = daemon.wait_job(job["id"])
    assert done["state"] == "succeeded" and done["attempt"] == 2
    log = daemon.call("GET", f"/jobs/{job['id']}/log").text
    assert "items were kept from before" in log
    evaluation = daemon.get("/evaluations?model=words&suite=slow")["items"][0]
    assert evaluation["items"] == 7680


def test_the_cache_can_be_done_without(tmp_path):
    command = [str(binary()), "eval", str(FAMILY / "sums"), "--suite", str(FAMILY / "suites" / "sums.yaml")]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    subprocess.run([*command, "--no-cache"], check=True, capture_output=True, env=environment)
    assert not (tmp_path / "xdg").exists()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    assert cache_bytes(tmp_path / "xdg" / "crucible" / "evaluations") > 0


def test_scores_have_intervals_everywhere(daemon):
    daemon.register("sums")
    job = daemon.post("/evaluations", {"model": "sums", "suites": ["sums"]})["items"][0]
    assert daemon.wait_job(job["id"])["state"] == "succeeded"
    evaluation = daemon.get("/evaluations?model=sums")["items"][0]
    assert evaluation["interval"]["kind"] == "wilson"
    assert evaluation["interval"]["low"] < evaluation["score"] < evaluation["interval"]["high"]
    metric = evaluation["tasks"][0]["metrics"][0]
    assert metric["filter"] == "none" and metric["interval"] == evaluation["interval"]
    assert evaluation["flags"] == []
    assert 0 < evaluation["prompt_tokens_computed"] < evaluation["prompt_tokens_asked"]
    row = daemon.get("/leaderboard?suites=sums")["rows"][0]
    assert row["scores"]["sums"]["interval"] == evaluation["interval"]
    assert row["mean"]["interval"]["kind"] == "propagated"


def test_two_models_are_compared_item_by_item(daemon, tmp_path):
    daemon.register("base", "sums")
    for model in ("base", "sums"):
        daemon.post("/evaluations", {"model": model, "suites": ["sums", "words"]})
    daemon.wait_all()
    compared = daemon.get("/comparisons?a=sums&b=base&suite=sums")
    (task,) = compared["tasks"]
    expected = json.loads((FAMILY / "accuracy.json").read_text())
    assert task["mean_a"] == pytest.approx(expected["sums"]["sums"])
    assert task["mean_b"] == pytest.approx(expected["base"]["sums"])
    assert task["wins"] + task["losses"] + task["ties"] == task["items"] == 39
    assert task["difference"] * 39 == pytest.approx(task["wins"] - task["losses"])
    assert task["told_apart"] and task["verdict"].startswith("sums is better than base")
    words = daemon.get("/comparisons?a=sums&b=base&suite=words")["overall"]
    assert not words["told_apart"] and "cannot be told apart" in words["verdict"]

    several = daemon.call("GET", "/comparisons?a=sums&b=base")
    assert several.status_code == 422 and "sums, words" in several.text
    assert daemon.call("GET", "/comparisons?a=sums").status_code == 422
    assert daemon.call("GET", "/comparisons?a=sums&b=none&suite=sums").status_code == 404
    assert daemon.call("GET", "/comparisons?a=sums&b=base&suite=feelings").status_code == 404

    command = [str(binary()), "compare", "sums", "base", "--suite", "sums", "--server", daemon.url]
    assert "sums is better than base" in subprocess.run(command, check=True, capture_output=True,
                                                        text=True).stdout
    for model in ("base", "sums"):
        subprocess.run(eval_command(tmp_path, FAMILY / model, "--suite", FAMILY / "suites" / "sums.yaml",
                                    "--out", tmp_path / model), check=True, capture_output=True)
    command = [str(binary()), "compare", str(tmp_path / "sums"), str(tmp_path / "base"), "--json"]
    offline = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    for key in ("wins", "losses", "ties", "p", "interval"):
        assert offline["tasks"][0][key] == task[key], key


def test_doubtful_numbers_are_flagged(make_daemon, tmp_path):
    suites = tmp_path / "suites"
    shutil.copytree(FAMILY / "suites", suites)
    item = {"query": "word " * 3000, "choices": ["good", "bad"], "gold": 0}
    (suites / "long.jsonl").write_text(json.dumps(item) + "\n" + json.dumps(item) + "\n")
    (suites / "long.yaml").write_text((suites / "words.yaml").read_text().replace("words", "long"))
    daemon = make_daemon(suites=suites).start()
    daemon.register("sums")
    job = daemon.post("/evaluations", {"model": "sums", "suites": ["long"]})["items"][0]
    assert daemon.wait_job(job["id"])["state"] == "succeeded"
    (evaluation,) = daemon.get("/evaluations?model=sums")["items"]
    assert any("was cut from the left" in flag for flag in evaluation["flags"])
    assert daemon.get("/leaderboard?suites=long")["rows"][0]["scores"]["long"]["flagged"]
    shown = subprocess.run(eval_command(tmp_path, FAMILY / "sums", "--suite", suites / "long.yaml"),
                           check=True, capture_output=True, text=True).stdout
    assert "DOUBTFUL" in shown


TASK = """task: plain_{name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {name}.jsonl}}}}
output_type: {type}
test_split: test
{rest}
metadata: {{version: 1.0}}
"""
CHOICE = "doc_to_text: query\ndoc_to_choice: choices\ndoc_to_target: gold"
GENERATE = """doc_to_text: query
doc_to_target: query
generation_kwargs: {until: ["."], max_gen_toks: 4, do_sample: false}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}"""


def test_task_files_of_the_harness_are_evaluated(tmp_path):
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    for name, kind, rest in (("words", "multiple_choice", CHOICE), ("sums", "generate_until", GENERATE),
                             ("feelings", "loglikelihood_rolling", "doc_to_text: ''\ndoc_to_target: query")):
        shutil.copy(FAMILY / "suites" / f"{name}.jsonl", tasks)
        (tasks / f"{name}.yaml").write_text(TASK.format(name=name, type=kind, rest=rest))
    (tasks / "group.yaml").write_text(
        "group: plain\ntask: [plain_words, plain_sums, plain_feelings]\naggregate_metric_list:\n"
        "  - {metric: acc, aggregation: mean, weight_by_size: true}\n")
    command = eval_command(tmp_path, FAMILY / "words", "--tasks", "plain", "--include-path", tasks,
                           "--out", tmp_path / "out", "--limit", "20")
    subprocess.run(command, check=True, capture_output=True)
    report, samples = report_of(tmp_path / "out")
    assert sorted(report["configs"]) == ["plain_feelings", "plain_sums", "plain_words"]
    assert report["group_subtasks"]["plain"] == ["plain_words", "plain_sums", "plain_feelings"]
    assert report["groups"]["plain"]["acc,none"] == report["results"]["plain_words"]["acc,none"]
    assert report["results"]["plain_feelings"]["word_perplexity,none"] > 1
    assert report["n-samples"]["plain_sums"] == {"original": 39, "effective": 20}
    assert report["config"]["limit"] == 20
    kinds = {key: value["kind"] for key, value in report["crucible"]["intervals"]["plain_feelings"].items()}
    assert set(kinds.values()) == {"bootstrap"}
    assert len(samples["samples_plain_words"].splitlines()) == 20


def test_what_cannot_be_evaluated_is_said(tmp_path):
    def fails(*arguments):
        done = subprocess.run(eval_command(tmp_path, *arguments), capture_output=True, text=True)
        assert done.returncode != 0
        return done.stderr

    suite = FAMILY / "suites" / "sums.yaml"
    assert "suite" in fails(FAMILY / "sums")
    assert "no suite" in fails(FAMILY / "sums", "--suite", "no-such-suite")
    assert "no-such-model" in fails(tmp_path / "no-such-model", "--suite", suite)
    assert "no-such-task" in fails(FAMILY / "sums", "--tasks", "no-such-task")
