"""What the HTTP edge must refuse although its parser would take it: a request must mean the same to us as to
any proxy in front of us (RFC 9112), and costs at most what it is worth."""

import json
import socket
import time
import urllib.parse

import pytest
import requests


@pytest.fixture
def edge(daemon):
    place = urllib.parse.urlsplit(daemon.url)
    return place.hostname, place.port, daemon.token


def exchange(edge, text, seconds=10):
    """Sends bytes, reads until the server closes or is silent. Returns (first status or None, everything)."""
    host, port, _ = edge
    with socket.create_connection((host, port), timeout=seconds) as connection:
        connection.sendall(text if isinstance(text, bytes) else text.encode())
        received = b""
        connection.settimeout(2)
        try:
            while chunk := connection.recv(65536):
                received += chunk
            closed = True
        except (TimeoutError, ConnectionResetError) as error:
            closed = isinstance(error, ConnectionResetError)
    status = int(received.split(b" ", 2)[1]) if received.startswith(b"HTTP/") else None
    return status, received, closed


# With a good token: what is refused here is refused for its form.
HEAD = "POST /api/v1/merges HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\n"
REFUSED = {
    "length and chunked": HEAD + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": HEAD + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "the same length twice": HEAD + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a length with a sign": HEAD + "Content-Length: +3\r\n\r\nabc",
    "bare line feeds": HEAD.replace("\r\n", "\n") + "\n",
    "a NUL": HEAD + "X: a\0b\r\n\r\n",
    "a space before the colon": HEAD + "Content-Length : 3\r\n\r\nabc",
    "gzip as transfer encoding": HEAD + "Transfer-Encoding: gzip\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an unknown transfer encoding": HEAD + "Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\nabc",
    "two transfer encodings": HEAD + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a list of transfer encodings": HEAD + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": HEAD.replace("1.1", "1.0") + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two tokens": HEAD + "Authorization: Bearer x\r\nContent-Length: 0\r\n\r\n",
    "no Host": "GET /healthz HTTP/1.1\r\n\r\n",
    "two Hosts": "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "a folded header": "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
    "trailers announced": HEAD + "Trailer: X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\n",
    "another Host": "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a foreign absolute target": "GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "1,500 fields": "GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + "a:b\r\n" * 1500 + "\r\n",
    "a header of 20 KB": "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + "a" * 20_000 + "\r\n\r\n",
    "an expectation": HEAD + "Expect: something\r\nContent-Length: 1\r\n\r\na",
    "HTTP/2's preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n",
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_and_closed(edge, what):
    text = REFUSED[what]
    status, received, closed = exchange(edge, text if isinstance(text, bytes) else text.replace("TOKEN", edge[2]))
    assert status not in (401, 403, 415), "refused for something else"
    assert status is not None and 400 <= status < 500 or status in (501, 505), (status, received[:300])
    assert received.count(b"HTTP/1.1 ") == 1, "what follows was taken for another request"
    assert closed, "the connection stays open"


def chunked(edge, body):
    return exchange(edge, HEAD.replace("TOKEN", edge[2]) + "Content-Type: application/json\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n" + body)


@pytest.mark.parametrize("body", ["0\r\n" + "X: y\r\n" * 60_000 + "\r\n", "1;" + "e" * 400_000 + "\r\na\r\n0\r\n\r\n",
                                  "1\r\na\r\n" * 700_000 + "0\r\n\r\n", "fffffffffffffff0\r\na",
                                  "-1\r\na\r\n0\r\n\r\n", "0x1\r\na\r\n0\r\n\r\n"])
def test_chunks_cost_what_they_are_worth(edge, body):
    status, received, _ = chunked(edge, body)
    assert status is None or 400 <= status < 500, received[:300]
    assert exchange(edge, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")[0] == 200


def test_pipelined_requests_are_answered_in_order(edge):
    pipeline = "".join(f"GET /nothing-{i} HTTP/1.1\r\nHost: localhost\r\n\r\n" for i in range(40))
    last = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    _, received, closed = exchange(edge, pipeline + last)
    assert received.count(b"HTTP/1.1 404") == 40 and received.count(b"HTTP/1.1 200") == 1 and closed
    assert received.rindex(b"HTTP/1.1 404") < received.index(b"HTTP/1.1 200")


def test_a_slow_header_is_cut(edge):
    host, port, _ = edge
    with socket.create_connection((host, port), timeout=20) as connection:
        began = time.monotonic()
        try:
            for character in "GET /healthz HTTP/1.1\r\nX: " + "a" * 100:
                connection.sendall(character.encode())
                time.sleep(0.2)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert time.monotonic() - began < 8


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"},
                                     {"Origin": "null"}])
def test_other_sites_change_nothing(daemon, headers):
    answer = daemon.call("POST", "/queue/pause", {}, headers)
    assert answer.status_code == 403
    assert daemon.get("/queue")["pauses"] == []


def test_other_sites_read_nothing(daemon):
    assert daemon.call("GET", "/jobs", None, {"Sec-Fetch-Site": "cross-site"}).status_code == 403
    answer = daemon.call("GET", "/jobs", None, {"Origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_forms_are_no_requests(daemon, kind):
    """What a page of another site can send without asking first."""
    headers = daemon.with_token({"Content-Type": kind} if kind else {})
    answer = requests.post(daemon.url + "/api/v1/queue/pause", data=json.dumps({}), headers=headers, timeout=10)
    assert answer.status_code == 415


@pytest.mark.parametrize("body", ["[" * 200_000, '{"a":' * 200_000, '{"recipe": "a", "recipe": "b"}',
                                  '{"recipe": ' + "9" * 500_000 + "}"])
def test_deep_and_double_json_is_refused_fast(daemon, body):
    began = time.monotonic()
    answer = requests.post(daemon.url + "/api/v1/merges", data=body, timeout=10,
                           headers=daemon.with_token({"Content-Type": "application/json"}))
    assert 400 <= answer.status_code < 500
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("recipe", ["a: &a [*a]", "a: &a [x]\nb: [*a,*a]", "{" * 1000,
                                    "\n".join(f"k{i}: 1" for i in range(9000))])
def test_yaml_bombs_are_refused_fast(daemon, recipe):
    began = time.monotonic()
    answer = daemon.call("POST", "/merges", {"recipe": recipe})
    assert answer.status_code == 422
    assert time.monotonic() - began < 1.5
