"""Mixtures of experts through the API: the recipe of mergekit-moe, posted as any other."""

import json
import subprocess

import yaml

from conftest import FAMILY, binary

RECIPE = {
    "base_model": "base",
    "gate_mode": "hidden",
    "experts": [
        {"source_model": "sums", "positive_prompts": ["2 + 3 ="]},
        {"source_model": "words", "positive_prompts": ["the word"], "negative_prompts": ["1 + 1"]},
    ],
}


def test_a_mixture_becomes_a_model(daemon, tmp_path):
    text = yaml.safe_dump(RECIPE)
    preflight = daemon.call("POST", "/merges/preflight", {"recipe": text})
    assert preflight.status_code == 200, preflight.text
    assert preflight.json()["architecture"] == "mixtral"
    job = daemon.merge(text, [], name="mixture", seed=3)
    done = daemon.wait_job(job["id"])
    assert done["state"] == "succeeded", done["error"]
    assert done["merge_method"] == "moe"
    model = daemon.get("/models/mixture")
    assert model["architecture"] == "mixtral"
    assert {parent["name"] for parent in model["parents"]} == {"base", "sums", "words"}
    # The same as without a daemon.
    (tmp_path / "moe.yml").write_text(
        text.replace("base_model: base", f"base_model: {FAMILY}/base")
        .replace("source_model: ", f"source_model: {FAMILY}/"))
    here = subprocess.run([binary(), "moe", tmp_path / "moe.yml", tmp_path / "out", "--seed", "3", "--json"],
                          capture_output=True, text=True, timeout=120, check=False)
    assert here.returncode == 0, here.stderr
    assert json.loads(here.stdout)["digest"] == model["digest"]
    # The same recipe in another form is not built twice.
    again = daemon.merge(json.dumps(RECIPE), [], name="again", seed=3)
    assert again["state"] == "succeeded" and again["model_id"] == model["id"]


def test_faults_of_a_mixture_are_all_told(daemon):
    wrong = {**RECIPE, "gate_mode": "hiden", "experts": [{"source_model": "sums"}, {"source_mode": "words"}]}
    answer = daemon.call("POST", "/merges", {"recipe": yaml.safe_dump(wrong)})
    assert answer.status_code in (400, 422), answer.text
    paths = {fault["path"] for fault in answer.json()["errors"]}
    assert "gate_mode" in paths and any(path.startswith("experts[1]") for path in paths), paths
    missing = {**RECIPE, "base_model": "nowhere"}
    answer = daemon.call("POST", "/merges", {"recipe": yaml.safe_dump(missing)})
    assert answer.json()["errors"][0]["path"] == "base_model"
