"""LoRA adapters: taken out of a fine-tuned model, folded back by a recipe, here and in the daemon."""

import json
import pathlib
import shutil
import subprocess

import pytest
import requests
from conftest import FAMILY, binary

RECIPE = "merge_method: passthrough\nmodels:\n- model: base+{adapter}\n"


def run(*arguments, code=0, folder=None):
    done = subprocess.run([binary(), *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    return done


def extract(folder, out, *flags):
    return json.loads(run("extract-lora", "--base", folder / "base", folder / "words", out, "--json", *flags).stdout)


@pytest.fixture
def models(tmp_path):
    """The demo family's base and a fine-tuned model, with two adapters between them."""
    folder = tmp_path / "models"
    for name in ("base", "words"):
        shutil.copytree(FAMILY / name, folder / name)
    extract(folder, folder / "adapter", "--rank", "8", "--energy", "1")
    extract(folder, folder / "small", "--rank", "2")
    return folder


def merged_here(models, adapter, out):
    (models / "recipe.yml").write_text(RECIPE.format(adapter=adapter))
    return json.loads(run("merge", models / "recipe.yml", out, "--json").stdout)["digest"]


def test_extraction_says_what_it_wrote(models, tmp_path):
    report = extract(models, tmp_path / "whole", "--rank", "4", "--save-modules", "--exclude", "mlp")
    assert report["modules"] and all(module["rank"] <= 4 for module in report["modules"])
    assert 0 < report["relative_error"] < 1
    assert all("mlp" in tensor["name"] for tensor in report["skipped"])
    config = json.loads((tmp_path / "whole" / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA"
    assert config["base_model_name_or_path"] == str(models / "base")
    assert sorted(path.name for path in (tmp_path / "whole").iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors"]
    text = run("extract-lora", "--base", models / "base", models / "words", tmp_path / "text").stdout
    assert "RANK" in text and "relative error" in text


def test_extraction_refuses_what_it_cannot_do(models, tmp_path):
    run("extract-lora", "--base", models / "base", models / "base", tmp_path / "none", code=3)
    run("extract-lora", "--base", models / "missing", models / "words", tmp_path / "none", code=4)
    run("extract-lora", "--base", models / "base", models / "words", tmp_path / "none", "--include", "(", code=3)
    run("extract-lora", "--base", models / "base", models / "words", models / "adapter", code=3)
    assert not (tmp_path / "none").exists()


def test_names_of_the_hub_come_from_the_local_cache(models, tmp_path, monkeypatch):
    commit = "c" * 40
    repository = tmp_path / "hub" / "models--org--base"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(models / "base", repository / "snapshots" / commit)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "recipe.yml").write_text("merge_method: passthrough\nmodels: [{model: org/base@main}]\n")
    run("merge", tmp_path / "recipe.yml", tmp_path / "out")
    (tmp_path / "recipe.yml").write_text("merge_method: passthrough\nmodels: [{model: org/other}]\n")
    message = run("merge", tmp_path / "recipe.yml", tmp_path / "other", code=3).stderr
    assert "not in the local Hugging Face cache" in message and "hf download org/other" in message


def test_the_daemon_folds_adapters_below_its_roots(make_daemon, models, tmp_path):
    daemon = make_daemon(models=models).start()
    job = daemon.wait_job(daemon.merge(RECIPE.format(adapter="adapter"), name="folded")["id"])
    assert job["state"] == "succeeded", job["error"]
    folded = daemon.get("/models/folded")
    assert folded["digest"] == merged_here(models, "adapter", tmp_path / "out")
    assert [parent["name"] for parent in folded["parents"]] == ["base"]

    # Another adapter in the same place is other work.
    shutil.rmtree(models / "adapter")
    shutil.copytree(models / "small", models / "adapter")
    job = daemon.wait_job(daemon.merge(RECIPE.format(adapter="adapter"), name="again")["id"])
    assert job["state"] == "succeeded", job["error"]
    assert daemon.get("/models/again")["digest"] != folded["digest"]
    job = daemon.wait_job(daemon.merge(RECIPE.format(adapter="adapter"), name="known")["id"])
    assert "was done before" in json.dumps(daemon.events(job["id"]))


def test_the_daemon_reads_no_adapter_elsewhere(make_daemon, models, tmp_path):
    shutil.move(models / "small", tmp_path / "small")
    daemon = make_daemon(models=models).start()
    for adapter in (tmp_path / "small", pathlib.Path("../small"), pathlib.Path("nowhere")):
        answer = requests.post(daemon.url + "/api/v1/merges", headers=daemon.with_token(), json={"recipe": RECIPE.format(adapter=adapter)},
                               timeout=30)
        assert answer.status_code == 422, answer.text
        fault = answer.json()["errors"][0]
        assert fault["message"].startswith("adapter: ") and str(models) in json.dumps(fault)
