"""Suites: the schema and the reader agree, and built-in ones need nothing but the binary."""

import json
import re
import subprocess

import jsonschema
import pytest
import requests
import yaml

from conftest import FAMILY, ROOT, binary, linear

SCHEMA = json.loads((ROOT / "schemas" / "suite.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
TASKS = ROOT / "evaluator" / "task"
ITEM = {"name": "own", "format": "multiple_choice_jsonl", "data": "items.jsonl"}


def read(tmp_path, suite):
    """What the reader says of a suite: exit code and errors."""
    (tmp_path / "items.jsonl").write_text('{"query": "q", "choices": ["a", "b"], "gold": 0}\n')
    file = tmp_path / "suite.yaml"
    file.write_text(yaml.safe_dump(suite))
    done = subprocess.run([str(binary()), "suites", "show", str(file), "--datasets", str(tmp_path)],
                          capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


@pytest.mark.parametrize("file", sorted((TASKS / "suites").glob("*.yaml")) + sorted(
    (FAMILY / "suites").glob("*.yaml")), ids=lambda file: file.stem)
def test_suites_of_the_tree_fit_the_schema(file):
    VALIDATOR.validate(yaml.safe_load(file.read_text()))


def test_the_example_of_the_readme_fits_the_schema():
    (example,) = [text for text in re.findall(r"```yaml\n(.*?)```", (TASKS / "README.md").read_text(), re.S)
                  if text.startswith("name: my-suite")]
    VALIDATOR.validate(yaml.safe_load(example))


@pytest.mark.parametrize("suite", [
    {"name": "s", "tasks": [ITEM]},
    {"name": "s", "version": "3", "description": "d", "bos": "tokenizer", "tasks": [
        ITEM | {"delimiter": "", "fields": {"query": "query"}, "primary_metric": "acc_norm", "version": "2"},
        {"name": "fresh", "generator": "logic", "count": 3, "bos": "never"}],
     "score": {"decimals": 1, "of": ["own", {"task": "fresh", "metric": "acc", "baseline": 0.25, "scale": 100}]}},
    {"name": "s", "tasks": [{"name": "t", "format": "text", "data": ["items.jsonl"]}], "score": "t"},
])
def test_good_suites_pass_both(tmp_path, suite):
    VALIDATOR.validate(suite)
    code, errors = read(tmp_path, suite)
    assert code == 0, errors


@pytest.mark.parametrize("path, suite", [
    ("name", {"name": "two words", "tasks": [ITEM]}),
    ("tasks", {"name": "s", "tasks": []}),
    ("versin", {"name": "s", "versin": "1", "tasks": [ITEM]}),
    ("bos", {"name": "s", "bos": "maybe", "tasks": [ITEM]}),
    ("tasks[0].format", {"name": "s", "tasks": [ITEM | {"format": "csv"}]}),
    ("tasks[0].data", {"name": "s", "tasks": [{"name": "own", "format": "multiple_choice_jsonl"}]}),
    ("tasks[0].primary_metric", {"name": "s", "tasks": [ITEM | {"primary_metric": "bleu"}]}),
    ("tasks[0].generator", {"name": "s", "tasks": [{"name": "own", "generator": "poems"}]}),
    ("tasks[0].count", {"name": "s", "tasks": [{"name": "own", "generator": "logic", "count": 0}]}),
    ("score.of[0].baseline", {"name": "s", "tasks": [ITEM], "score": {"of": [
        {"task": "own", "metric": "acc", "baseline": 1}]}}),
])
def test_bad_suites_fail_both_with_the_path(tmp_path, path, suite):
    assert list(VALIDATOR.iter_errors(suite))
    code, errors = read(tmp_path, suite)
    assert code != 0
    assert f"\n  {path}" in errors, errors


def test_built_in_suites_need_no_folder(make_daemon, tmp_path):
    daemon = make_daemon("--datasets", str(tmp_path / "none"), suites=tmp_path / "empty").start()
    daemon.register("sums", "words")
    merge = daemon.merge(linear(("sums", 0.5), ("words", 0.5)), ["crucible-basics", "crucible-fresh-3"])
    jobs = daemon.wait_all()
    assert {job["state"] for job in jobs} == {"succeeded"}, jobs
    assert daemon.job(merge["id"])["suites"] == ["crucible-basics", "crucible-fresh-3"]
    (row,) = daemon.get("/leaderboard")["rows"]
    assert set(row["scores"]) == {"crucible-basics", "crucible-fresh-3"}
    listed = {suite["name"]: suite for suite in daemon.get("/suites")["items"]}
    assert listed["crucible-basics"]["built_in"] and listed["crucible-basics"]["items"] == 346
    assert "logiqa" in listed["nous"]["missing"]
    answer = requests.post(daemon.url + "/api/v1/evaluations", headers=daemon.with_token(), timeout=30,
                           json={"model": "sums", "suites": ["nous", "crucible-basix"]})
    assert answer.status_code == 422
    problem = answer.json()
    assert [error["path"] for error in problem["errors"]] == ["suites[0]", "suites[1]"]
    assert "crucible suites import" in problem["errors"][0]["message"]
    assert problem["errors"][1]["suggestion"] == "crucible-basics"
