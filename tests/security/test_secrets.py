"""Endpoints are the operator's, and so are their keys: no client leads the daemon elsewhere, no key is told."""

import contextlib
import http.server
import json
import threading

import pytest
import yaml
from scenario_fixtures import linear

KEY = "sk-canary-0123456789abcdef"


@contextlib.contextmanager
def stub(answer):
    """An HTTP server whose answers are (status, headers, body) of `answer(path, headers)`; gives (url, requests)."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, dict(self.headers)))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = answer(self.path, self.headers)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def named(tmp_path, make_daemon):
    def start(endpoints, *flags):
        file = tmp_path / "endpoints.yaml"
        file.write_text(yaml.safe_dump({"endpoints": endpoints}))
        return make_daemon("--endpoints", str(file), "--log-level", "debug", *flags).start()

    return start


def told(daemon):
    """Everything that the daemon wrote or says."""
    for path in daemon.state.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()
    yield "log", daemon.log.read_bytes()
    for path in ("/models", "/jobs", "/suites", "/leaderboard"):
        yield path, daemon.call("GET", path).content


def test_a_key_goes_to_its_endpoint_and_nowhere_else(named, tmp_path):
    def repeat_the_key(path, headers):
        body = json.dumps({"error": {"message": f"invalid key: {headers.get('Authorization')}"}})
        return 401, {"Content-Type": "application/json", "X-Key": KEY}, body.encode()

    key_file = tmp_path / "key"
    key_file.write_text(KEY + "\n")
    with stub(repeat_the_key) as (url, seen):
        daemon = named({"far": {"url": url, "private": True, "api_key_file": str(key_file), "attempts": 1}})
        answer = daemon.call("POST", "/models", {"endpoint": "far"})
        assert answer.status_code >= 400 and KEY not in answer.text and KEY not in str(answer.headers)
        assert any(KEY in str(headers) for _, headers in seen)
        daemon.register("base", "sums")
        daemon.wait_job(daemon.merge(linear(("base", 0.5), ("sums", 0.5)))["id"])
        for name, content in told(daemon):
            assert KEY.encode() not in content, name


def test_clients_cannot_name_addresses(named):
    with stub(lambda *_: (200, {}, b"{}")) as (url, seen):
        daemon = named({"far": {"url": "http://127.0.0.1:1/v1", "private": True, "attempts": 1}})
        for body in ({"endpoint": url}, {"path": url}, {"endpoint": "far", "url": url}, {"endpoint": "../far"},
                     {"endpoint": {"url": url}}):
            assert 400 <= daemon.call("POST", "/models", body).status_code < 500, body
        recipe = linear((url, 0.5), ("base", 0.5))
        assert daemon.call("POST", "/merges", {"recipe": recipe}).status_code == 422
        assert seen == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "127.1"])
def test_private_addresses_need_the_operators_word(named, host):
    with stub(lambda *_: (200, {}, b"{}")) as (url, seen):
        port = url.split(":")[2].split("/")[0]
        daemon = named({"inside": {"url": f"http://{host}:{port}/v1", "attempts": 1}})
        answer = daemon.call("POST", "/models", {"endpoint": "inside"})
        assert answer.status_code in (403, 422) and "private" in answer.text, answer.text
        assert seen == []


def test_redirects_lead_nowhere(named):
    with stub(lambda *_: (200, {}, b'{"data": [{"id": "x"}]}')) as (target, visited):
        def redirect(path, _):
            return 307, {"Location": target + path.removeprefix("/v1")}, b""

        with stub(redirect) as (url, asked):
            daemon = named({"far": {"url": url, "private": True, "attempts": 1}})
            answer = daemon.call("POST", "/models", {"endpoint": "far"})
            assert answer.status_code >= 400, answer.text
            assert asked and visited == []
