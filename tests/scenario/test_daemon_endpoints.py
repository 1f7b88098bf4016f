"""Endpoints and judges that the daemon's operator named."""

import json
import os
import subprocess

import pytest
import yaml
from conftest import FAMILY, binary
from test_endpoints import chat_server, eval_server, small_bench


@pytest.fixture
def named(tmp_path, make_daemon):
    """Starts a daemon with a file of endpoints and judges."""

    def start(endpoints, judges=None, *flags):
        file = tmp_path / "endpoints.yaml"
        file.write_text(yaml.safe_dump({"endpoints": endpoints, "judges": judges or {}}))
        return make_daemon("--retry-delay-ms", "50", "--endpoints", str(file), *flags).start()

    return start


def evaluated(daemon, model, suite):
    (job,) = daemon.post("/evaluations", {"model": model, "suites": [suite]})["items"]
    done = daemon.wait_job(job["id"])
    assert done["state"] == "succeeded", done["error"]
    return next(row for row in daemon.get(f"/evaluations?model={model}")["items"] if row["suite"] == suite)


def test_an_endpoint_scores_as_the_model_behind_it(named, tmp_path):
    with eval_server(FAMILY / "sums") as url:
        daemon = named({"far": {"url": url, "private": True, "tokenizer": str(FAMILY / "sums")}})
        model = daemon.post("/models", {"endpoint": "far"}, 201)
        assert model["name"] == "far" and model["path"] == "endpoint:far"
        assert model["endpoint"] == {"name": "far", "prompt_logprobs": True, "generation": True, "chat": True}
        assert daemon.post("/models", {"endpoint": "far"}, 201)["id"] == model["id"]
        daemon.register("sums")
        far, near = evaluated(daemon, "far", "sums"), evaluated(daemon, "sums", "sums")
        assert far["score"] == near["score"]
        names = [row["model"]["name"] for row in daemon.get("/leaderboard?suites=sums")["rows"]]
        assert sorted(names) == ["far", "sums"]
        refused = daemon.call("POST", "/merges", {"recipe": "merge_method: linear\ndtype: float32\nmodels:\n"
                              "  - {model: far, parameters: {weight: 1}}\n"
                              "  - {model: sums, parameters: {weight: 1}}\n"})
        assert refused.status_code == 422
        assert "no weights to merge" in json.dumps(refused.json())


def test_registration_probes(named):
    with chat_server(lambda said: "[[5]]") as (url, _):
        daemon = named({"talker": {"url": url, "private": True},
                        "inside": {"url": url},
                        "nobody": {"url": "http://127.0.0.1:1/v1", "private": True, "attempts": 1}})
        model = daemon.post("/models", {"endpoint": "talker", "name": "talks"}, 201)
        assert model["endpoint"]["prompt_logprobs"] is False and model["endpoint"]["chat"] is True
        refused = daemon.call("POST", "/evaluations", {"model": "talks", "suites": ["sums"]})
        assert refused.status_code in (400, 422)
        assert "log-probabilities" in json.dumps(refused.json())
        unknown = daemon.call("POST", "/models", {"endpoint": "talkre"})
        assert unknown.status_code == 404 and "talker" in json.dumps(unknown.json())
        closed = daemon.call("POST", "/models", {"endpoint": "inside"})
        assert closed.status_code in (403, 422) and "private" in json.dumps(closed.json())
        gone = daemon.call("POST", "/models", {"endpoint": "nobody"})
        assert gone.status_code == 503
        assert [row["name"] for row in daemon.get("/models")["items"]] == ["talks"]
        both = daemon.call("POST", "/models", {"endpoint": "talker", "path": "x"})
        assert both.status_code in (400, 422)


def test_judges_have_columns_of_their_own(named, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    small_bench(data / "mt_bench")
    with chat_server(lambda said: "[[8]]") as (kind, kind_server), \
            chat_server(lambda said: "[[2]]") as (strict, _):
        endpoints = {"kind": {"url": kind, "private": True}, "strict": {"url": strict, "private": True}}
        judges = {"kind": {"endpoint": "kind"}, "strict": {"endpoint": "strict"}}
        daemon = named(endpoints, judges, "--datasets", str(data))
        listed = {suite["name"]: suite for suite in daemon.get("/suites")["items"]}
        assert listed["mt-bench@kind"]["error"] is None and listed["mt-bench@kind"]["judge"] == "kind"
        daemon.post("/models", {"endpoint": "kind", "name": "talker"}, 201)
        assert evaluated(daemon, "talker", "mt-bench@kind")["score"] == 8
        assert evaluated(daemon, "talker", "mt-bench@strict")["score"] == 2
        board = daemon.get("/leaderboard")
        assert set(board["suites"]) == {"mt-bench@kind", "mt-bench@strict"}
        (report,) = [path for path in (daemon.state / "evaluations").rglob("judgments.jsonl")
                     if "[[8]]" in path.read_text()]
        assert len(report.read_text().splitlines()) == 4
        asked = len(kind_server.bodies)
        daemon.stop()

        # The same name for another judge: what the first one gave is not shown as the second one's.
        judges["kind"] = {"endpoint": "strict"}
        daemon = named(endpoints, judges, "--datasets", str(data))
        rows = daemon.get("/leaderboard")["rows"]
        assert "mt-bench@kind" not in rows[0]["scores"] and "mt-bench@strict" in rows[0]["scores"]
        assert evaluated(daemon, "talker", "mt-bench@kind")["score"] == 2
        assert len(kind_server.bodies) - asked <= 6  # the probe; kept answers are not asked again


def test_faults_of_the_file_are_all_named(tmp_path):
    file = tmp_path / "endpoints.yaml"
    file.write_text("endpoints:\n  a: {url: ftp://x, concurency: 3}\n  b: {url: http://h/v1, timeout: 0}\n"
                    "judges:\n  j: {endpoint: c}\n  k: {}\nother: 1\n")
    command = [str(binary()), "serve", "--state", str(tmp_path / "state"), "--port", "0",
               "--endpoints", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=os.environ)
    assert done.returncode == 3
    for path in ("endpoints.a.url", "endpoints.a.concurency", "endpoints.b.timeout", "judges.j.endpoint",
                 "judges.k", "other"):
        assert path in done.stderr, done.stderr
    assert "concurrency" in done.stderr
