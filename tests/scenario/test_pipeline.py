"""One way in: recipe → merge → evaluation → leaderboard."""

import json
import math

import pytest
import requests
from conftest import FAMILY, MODELS, SUITES, linear


def test_registered_models_score_as_computed_elsewhere(daemon):
    expected = json.loads((FAMILY / "accuracy.json").read_text())
    for name, model in daemon.register(*MODELS).items():
        daemon.post("/evaluations", {"model": name, "suites": list(SUITES)})
        assert model["name"] == name and model["origin"] == "registered"
    assert {job["state"] for job in daemon.wait_all()} == {"succeeded"}
    board = daemon.get("/leaderboard")
    assert board["suites"] == sorted(SUITES)
    assert len(board["rows"]) == len(MODELS)
    for row in board["rows"]:
        scores = expected[row["model"]["name"]]
        for suite in SUITES:
            assert row["scores"][suite]["value"] == pytest.approx(scores[suite], abs=1e-12)
            n, p = row["scores"][suite]["items"], scores[suite]
            assert row["scores"][suite]["standard_error"] == pytest.approx(
                math.sqrt(p * (1 - p) / (n - 1)), rel=1e-9)
        assert row["mean"]["value"] == pytest.approx(sum(scores.values()) / 3, abs=1e-12)
        errors = [row["scores"][suite]["standard_error"] for suite in SUITES]
        assert row["mean"]["standard_error"] == pytest.approx(
            math.sqrt(sum(error * error for error in errors)) / 3, rel=1e-9)
    means = [row["mean"]["value"] for row in board["rows"]]
    assert means == sorted(means, reverse=True)
    assert [row["rank"] for row in board["rows"]] == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["slerp", "ties", "dare_ties"])
def test_a_recipe_becomes_a_row(daemon, name):
    recipe = (FAMILY / f"{name}.yml").read_text()
    job = daemon.merge(recipe, SUITES, name=f"my-{name}", seed=7)
    assert job["state"] in ("queued", "leased", "running")
    merged = daemon.wait_job(job["id"])
    assert merged["state"] == "succeeded", merged["error"]
    assert len(merged["children"]) == len(SUITES)
    assert {job["state"] for job in daemon.wait_all()} == {"succeeded"}
    row = next(row for row in daemon.get("/leaderboard")["rows"] if row["model"]["name"] == f"my-{name}")
    assert set(row["scores"]) == set(SUITES)
    model = daemon.get(f"/models/my-{name}")
    assert {parent["name"] for parent in model["parents"]} >= {"sums", "words"}
    assert model["merge_method"] == name
    assert requests.get(daemon.url + f"/api/v1/models/{model['id']}/recipe", headers=daemon.with_token(), timeout=10).text == recipe
    assert daemon.folders("models") == [model["digest"]]
    assert daemon.folders("staging") == []
    log = requests.get(daemon.url + f"/api/v1/jobs/{job['id']}/log", headers=daemon.with_token(), timeout=10)
    assert log.status_code == 200 and "attempt 1" in log.text


def test_the_same_merge_is_not_done_twice(daemon):
    recipe = linear(("sums", 1), ("words", 1))
    first = daemon.wait_job(daemon.merge(recipe, ["sums"], name="first")["id"])
    daemon.wait_all()
    again = daemon.merge(recipe, ["sums", "words"], name="second")
    assert again["state"] == "succeeded" and again["attempt"] == 0
    assert again["model_id"] == first["model_id"]
    states = {job["id"]: job for job in daemon.wait_all()}
    known, new = (states[child] for child in sorted(again["children"]))
    assert known["suites"] == ["sums"] and known["attempt"] == 0
    assert new["suites"] == ["words"] and new["attempt"] == 1
    messages = [event["message"] for _, event in daemon.events(again["id"])]
    assert any("first" in message for message in messages)
    assert len(daemon.folders("models")) == 1
    # The seed is part of the work.
    assert daemon.merge(recipe, [], name="other", seed=1)["state"] != "succeeded"


def test_an_idempotency_key_makes_one_job(daemon):
    body = {"recipe": linear(("sums", 1), ("words", 2)), "suites": []}
    headers = {"Idempotency-Key": "abc"}
    first = daemon.post("/merges", body, headers=headers)
    assert daemon.post("/merges", body, headers=headers)["id"] == first["id"]
    other = daemon.call("POST", "/merges", {**body, "seed": 3}, headers)
    assert other.status_code == 409
    assert other.headers["Content-Type"].startswith("application/problem+json")


def test_faults_carry_their_paths(daemon):
    daemon.register("words", "sums")
    recipe = linear(("sums", 1), ("wrods", 1))
    answer = daemon.call("POST", "/merges", {"recipe": recipe, "suites": ["sums", "wordz"]})
    assert answer.status_code == 422
    errors = {error["path"]: error for error in answer.json()["errors"]}
    assert "words" in errors["models[1].model"]["suggestion"]
    assert "words" in errors["suites[1]"]["suggestion"]
    answer = daemon.call("POST", "/merges", {"recipe": "merge_method: slurp\nmodels: []\n"})
    assert answer.status_code == 422 and answer.json()["errors"]
    outside = daemon.call("POST", "/models", {"path": "/etc"})
    assert outside.status_code == 403
    assert daemon.call("POST", "/evaluations", {"model": "nobody", "suites": ["sums"]}).status_code == 404
    assert daemon.jobs() == []


def test_a_model_folder_outside_the_roots_is_refused(make_daemon, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(FAMILY / "sums")
    copied = root / "half"
    copied.mkdir()
    for file in (FAMILY / "sums").iterdir():
        (copied / file.name).symlink_to(file)
    daemon = make_daemon(models=root).start()
    for path in ("link", "half", "../root/../..", str(FAMILY / "sums")):
        answer = daemon.call("POST", "/models", {"path": path})
        assert answer.status_code in (403, 404), (path, answer.text)
    assert daemon.get("/models")["items"] == []


def test_registering_again_returns_the_same_model(daemon):
    first = daemon.register("sums")["sums"]
    again = daemon.call("POST", "/models", {"path": "sums"})
    assert again.json()["id"] == first["id"]
    taken = daemon.call("POST", "/models", {"path": "words", "name": "sums"})
    assert taken.status_code == 409


def test_samples_agree_with_the_score(daemon):
    daemon.register("sums")
    job = daemon.post("/evaluations", {"model": "sums", "suites": ["sums"]})["items"][0]
    assert daemon.wait_job(job["id"])["state"] == "succeeded"
    evaluation = daemon.get("/evaluations?model=sums&suite=sums")["items"][0]
    answer = requests.get(daemon.url + f"/api/v1/evaluations/{evaluation['id']}/samples", headers=daemon.with_token(), timeout=10)
    samples = [json.loads(line) for line in answer.text.splitlines()]
    assert len(samples) == evaluation["items"]
    right = sum(sample["value"] for sample in samples)
    assert right / len(samples) == pytest.approx(evaluation["score"], abs=1e-12)


def test_a_sweep_finds_its_best_value(daemon):
    recipe = (FAMILY / "sweep-slerp-t.yml").read_text()
    values = [0, 0.5, 1]
    sweep = daemon.post("/sweeps", {"recipe": recipe, "parameter": "t", "values": values,
                                    "suites": ["words", "feelings"], "name": "t"})
    assert [trial["value"] for trial in sweep["trials"]] == values
    daemon.wait_all()
    sweep = daemon.get(f"/sweeps/{sweep['id']}")
    assert sweep["state"] == "succeeded"
    means = [trial["mean"]["value"] for trial in sweep["trials"]]
    assert means[sweep["best_trial"]] == max(means)
    # At the ends of a slerp stand its inputs.
    expected = json.loads((FAMILY / "accuracy.json").read_text())
    assert sweep["trials"][0]["scores"]["words"]["value"] == pytest.approx(expected["words"]["words"])
    assert sweep["trials"][2]["scores"]["feelings"]["value"] == pytest.approx(
        expected["feelings"]["feelings"])
    twice = daemon.call("POST", "/sweeps", {"recipe": recipe, "parameter": "t", "values": [0.5, 0.5],
                                            "suites": ["words"]})
    assert twice.status_code == 422 and twice.json()["errors"][0]["path"] == "values[1]"
    missing = daemon.call("POST", "/sweeps", {"recipe": recipe, "parameter": "nothing", "values": [1],
                                              "suites": ["words"]})
    assert missing.status_code == 422


def test_metrics_count_jobs(daemon):
    daemon.wait_job(daemon.merge(linear(("sums", 1), ("words", 1)))["id"])
    text = requests.get(daemon.url + "/metrics", headers=daemon.with_token(), timeout=10).text
    assert 'crucible_jobs{kind="merge",state="succeeded"} 1' in text
    assert 'crucible_attempts_total{kind="merge",state="succeeded"} 1' in text
