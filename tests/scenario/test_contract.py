"""The running server against its own description, /openapi.json."""

import jsonschema
import openapi_spec_validator
import pytest
import requests

SUITES = ["sums", "words"]
RECIPE = "merge_method: linear\nmodels:\n  - {model: %s, parameters: {weight: 1}}\n  - {model: %s, parameters: {weight: 1}}\n"


def resolve(document, node):
    if "$ref" not in node:
        return node
    for key in node["$ref"].removeprefix("#/").split("/"):
        document = document[key]
    return document


def check(document, operation, answer):
    """The status is documented, and the body is what the document says for it."""
    responses, status = operation["responses"], str(answer.status_code)
    described = responses.get(status, responses.get("default") if answer.status_code >= 400 else None)
    assert described, (answer.url, status, answer.text)
    content = resolve(document, described).get("content", {})
    if not content:
        return
    media = answer.headers["Content-Type"].partition(";")[0]
    assert media in content, (answer.url, media)
    if media in ("application/json", "application/problem+json") and "schema" in content[media]:
        schema = {**content[media]["schema"], "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json())
    if media == "application/problem+json":
        assert answer.json()["status"] == answer.status_code


@pytest.fixture
def busy_daemon(daemon):
    """With at least one of everything the API lists."""
    daemon.register("base", "words")
    daemon.merge(RECIPE % ("base", "words"), SUITES)
    daemon.post("/sweeps", {"recipe": RECIPE % ("base", "words"), "parameter": "models[1].parameters.weight",
                            "values": [0.5, 2], "suites": ["sums"]})
    daemon.wait_all()
    return daemon


EMPTY_BODY_IS_GOOD = ("/api/v1/queue/pause", "/api/v1/queue/resume", "/api/v1/storage/gc")


def test_the_document_is_valid_and_answers_match_it(busy_daemon):
    document = requests.get(busy_daemon.url + "/openapi.json", timeout=10).json()
    openapi_spec_validator.validate(document)
    checked = 0
    for path, operations in document["paths"].items():
        if "get" not in operations or path.endswith("events"):
            continue
        for identity in ["1", "3", "999999"] if "{" in path else [""]:
            url = busy_daemon.url + path.replace("{id}", identity)
            assert "{" not in url, path
            answer = requests.get(url, headers=busy_daemon.with_token(), timeout=30)
            check(document, operations["get"], answer)
            checked += 1
    assert checked > 20


def test_bad_bodies_are_documented_problems(busy_daemon):
    document = requests.get(busy_daemon.url + "/openapi.json", timeout=10).json()
    for path, operations in document["paths"].items():
        if "post" not in operations or path in EMPTY_BODY_IS_GOOD:
            continue
        for body in ("{", "[]", "{}", '{"recipe": 7}', '{"x": {"y": [1]}}'):
            url = busy_daemon.url + path.replace("{id}", "999999")
            headers = busy_daemon.with_token({"Content-Type": "application/json"})
            answer = requests.post(url, data=body, headers=headers, timeout=30)
            assert 400 <= answer.status_code < 500, (path, body, answer.text)
            check(document, operations["post"], answer)
