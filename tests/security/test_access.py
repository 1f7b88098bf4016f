"""Who gets in: every operation of the OpenAPI document against every kind of caller."""

import itertools
import pathlib
import sqlite3
import subprocess
import time

import pytest
import requests
from requests.adapters import HTTPAdapter
from scenario_fixtures import binary

ROLES = ("read", "submit", "admin")
FAILURES_OF_ONE_ADDRESS = 20  # below the limit from which an address gets 429 instead of 401


class FromAddress(HTTPAdapter):
    """Sends from another address of the loopback network: refusals are counted by address."""

    def __init__(self, address):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *arguments, **options):
        super().init_poolmanager(*arguments, source_address=(self.address, 0), **options)


class Callers:
    """Requests from ever new addresses."""

    def __init__(self, url):
        self.url = url
        self.addresses = (f"127.0.{i}.{j}" for i, j in itertools.product(range(1, 250), range(1, 250)))
        self.left = 0

    def call(self, method, path, token, body=None):
        if self.left == 0:
            self.session = requests.Session()
            self.session.mount("http://", FromAddress(next(self.addresses)))
            self.left = FAILURES_OF_ONE_ADDRESS
        self.left -= 1
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with self.session.request(method, self.url + path, json=body, headers=headers, timeout=30,
                                  stream=True) as answer:
            return answer.status_code, dict(answer.headers)


def operations(url):
    document = requests.get(url + "/openapi.json", timeout=10).json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in ("get", "post"):
                yield method.upper(), path.replace("{id}", "999999"), operation["x-crucible-role"]


@pytest.fixture
def guarded(make_daemon):
    """A daemon with a token of each kind: (daemon, kind -> text)."""
    daemon = make_daemon().start()
    tokens = {"admin": daemon.token}
    for name, role in (("read", "read"), ("submit", "submit"), ("revoked", "admin"), ("expired", "admin")):
        tokens[name] = daemon.post("/tokens", {"name": name, "role": role}, 201)["token"]
    daemon.post("/tokens/revoked/revoke", status=200)
    daemon.stop()
    with sqlite3.connect(daemon.state / "crucible.db") as database:
        database.execute("UPDATE tokens SET expires_at = created_at + 1 WHERE name = 'expired'")
    return daemon.start(), tokens


def test_every_operation_asks_for_its_role(guarded):
    daemon, tokens = guarded
    callers = Callers(daemon.url)
    garbage = "cru_00000000_" + "0" * 64
    tampered = tokens["admin"][:-1] + ("0" if tokens["admin"][-1] != "0" else "1")
    checked = 0
    for method, path, role in operations(daemon.url):
        body = {} if method == "POST" else None
        for token in ("", "x", garbage, tampered, tokens["revoked"], tokens["expired"]):
            status, headers = callers.call(method, path, token, body)
            if role == "public":
                assert status not in (401, 403, 429), (method, path, token)
            else:
                assert status == 401, (method, path, token, status)
                assert headers["WWW-Authenticate"].startswith("Bearer"), path
            checked += 1
        for held in ROLES:
            status, _ = callers.call(method, path, tokens[held], body)
            enough = role == "public" or ROLES.index(held) >= ROLES.index(role)
            assert (status == 403) != enough, (method, path, held, status)
            assert status not in (401, 429, 500), (method, path, held, status)
            checked += 1
    assert checked > 9 * 35
    assert callers.call("GET", "/api/v1/nothing", "")[0] == 401
    assert callers.call("GET", "/api/v1/nothing", tokens["read"])[0] == 404
    assert callers.call("DELETE", "/api/v1/jobs", "")[0] == 401
    assert callers.call("GET", "/nothing", "")[0] == 404


def test_guessing_is_slowed_and_locks_nobody_out(guarded):
    daemon, tokens = guarded
    wrong = {"Authorization": "Bearer cru_00000000_" + "1" * 64}
    statuses = [requests.get(daemon.url + "/api/v1/jobs", headers=wrong, timeout=10).status_code
                for _ in range(40)]
    assert statuses[0] == 401 and statuses[-1] == 429
    answer = requests.get(daemon.url + "/api/v1/jobs", headers=wrong, timeout=10)
    assert int(answer.headers["Retry-After"]) > 0
    good = {"Authorization": "Bearer " + tokens["read"]}
    assert requests.get(daemon.url + "/api/v1/jobs", headers=good, timeout=10).status_code == 200


def test_a_revoked_token_is_dead_at_once(daemon):
    made = daemon.post("/tokens", {"name": "short-lived", "role": "read"}, 201)
    headers = {"Authorization": "Bearer " + made["token"]}
    assert requests.get(daemon.url + "/api/v1/jobs", headers=headers, timeout=10).status_code == 200
    daemon.post(f"/tokens/{made['id']}/revoke", status=200)
    assert requests.get(daemon.url + "/api/v1/jobs", headers=headers, timeout=10).status_code == 401
    assert daemon.call("POST", "/tokens", {"name": "short-lived"}).status_code == 409  # names are not reused


def test_a_stream_ends_with_its_token(daemon):
    made = daemon.post("/tokens", {"name": "watcher", "role": "read"}, 201)
    headers = {"Authorization": "Bearer " + made["token"]}
    with requests.get(daemon.url + "/api/v1/events", headers=headers, stream=True, timeout=10) as stream:
        lines = stream.iter_lines(chunk_size=1)
        next(lines)
        daemon.post(f"/tokens/{made['id']}/revoke", status=200)
        began = time.monotonic()
        for _ in lines:
            pass
    assert time.monotonic() - began < 2


def test_jobs_belong_to_who_submitted_them(guarded):
    daemon, tokens = guarded
    daemon.register("base", "words")
    daemon.post("/queue/pause", {}, 200)
    recipe = "merge_method: linear\nmodels: [{model: base, parameters: {weight: 1}}]\n"
    mine = daemon.post("/merges", {"recipe": recipe}, headers={"Authorization": "Bearer " + tokens["submit"]})
    owners = daemon.post("/merges", {"recipe": recipe + "dtype: float32\n"})
    assert (mine["submitter"], owners["submitter"]) == ("submit", "owner")

    def act(job, what, token, body=None):
        return daemon.call("POST", f"/jobs/{job['id']}/{what}", body or {},
                           {"Authorization": "Bearer " + tokens[token]}).status_code

    assert act(owners, "cancel", "submit") == 403
    assert act(owners, "priority", "submit", {"priority": 1}) == 403
    assert act(mine, "priority", "submit", {"priority": 7}) == 200
    assert act(mine, "cancel", "submit") == 202
    assert act(mine, "retry", "submit") == 202
    assert act(mine, "cancel", "admin") == 202
    assert act(owners, "retry", "submit") == 403


def test_a_token_has_only_so_many_open_jobs(make_daemon):
    daemon = make_daemon("--max-open-jobs", "2").start()
    daemon.register("base")
    daemon.post("/queue/pause", {}, 200)
    token = {"Authorization": "Bearer " + daemon.post("/tokens", {"name": "ci", "role": "submit"}, 201)["token"]}

    def submit(number, headers):
        recipe = f"merge_method: linear\nmodels: [{{model: base, parameters: {{weight: {number}}}}}]\n"
        return daemon.call("POST", "/merges", {"recipe": recipe}, headers)

    assert [submit(n, token).status_code for n in (1, 2)] == [202, 202]
    refused = submit(3, token)
    assert refused.status_code == 429 and refused.headers["Retry-After"]
    assert submit(4, None).status_code == 202  # admins have no limit


def test_secrets_are_nowhere(guarded):
    daemon, tokens = guarded
    answers = [daemon.get("/tokens"), daemon.get("/jobs")]
    shown = subprocess.run([str(binary()), "token", "list", "--server", daemon.url, "--token-file",
                            str(daemon.state / "token")], capture_output=True, text=True, check=True).stdout
    daemon.stop()
    texts = {"answers": str(answers), "command": shown, "log": daemon.log.read_text()}
    for path in daemon.state.rglob("*"):
        if path.is_file() and path != daemon.state / "token":
            texts[str(path)] = path.read_bytes().decode("latin-1")
    for name, token in tokens.items():
        secret = token.split("_")[2]
        for place, text in texts.items():
            assert secret not in text, f"{name}'s secret is in {place}"
    assert (daemon.state / "token").stat().st_mode & 0o077 == 0
    assert daemon.state.stat().st_mode & 0o077 == 0


def test_a_token_in_the_address_is_refused(daemon):
    answer = requests.get(daemon.url + "/api/v1/jobs?token=" + daemon.token, timeout=10)
    assert answer.status_code == 400
    assert daemon.token not in answer.text


def test_open_access_is_for_loopback(make_daemon):
    daemon = make_daemon("--access", "open").start()
    assert requests.get(daemon.url + "/api/v1/jobs", timeout=10).status_code == 200
    assert "access is open" in daemon.log.read_text()
    command = [str(binary()), "serve", "--state", str(daemon.state) + "-2", "--port", "0", "--address", "0.0.0.0",
               "--access", "open"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert refused.returncode != 0 and "loopback" in refused.stderr + refused.stdout


def test_a_lost_token_file_is_made_again(daemon):
    old = daemon.token
    daemon.stop()
    (daemon.state / "token").unlink()
    daemon.start()
    assert daemon.token != old
    names = [token["name"] for token in daemon.get("/tokens")["items"]]
    assert names == ["owner", "owner-2"]


def test_commands_find_the_daemon_of_their_user(daemon):
    command = [str(binary()), "queue", "status", "--server", daemon.url]
    assert subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    page = subprocess.run([str(binary()), "page", "--server", daemon.url], capture_output=True, text=True)
    assert page.stdout.strip() == f"{daemon.url}/#token={daemon.token}"
    nobody = subprocess.run([*command, "--token-file", "/dev/null"], capture_output=True, text=True)
    assert nobody.returncode != 0


def test_scripts_of_the_page_are_its_own(daemon):
    page = requests.get(daemon.url + "/", timeout=10)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "*" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    dist = pathlib.Path(__file__).resolve().parents[2] / "server" / "web" / "dist" / "index.html"
    html = dist.read_text()
    assert "<style" not in html and "style=" not in html and " on" + "click" not in html
    assert all(" src=" in part for part in html.split("<script")[1:])
