"""The docs page in a real browser: it renders, it scores, and pages of other origins get no data."""

import contextlib
import http.server
import json
import threading

import pytest

from support.places import ROOT

SWAGGER = ROOT / "swagger" / "bank.swagger2.json"
OPENAPI = ROOT / "swagger" / "bank.openapi3.json"


class Watch:
    """The requests and the error messages of a page."""

    def __init__(self, page):
        self.problems, self.requests, self.answers = [], [], []
        page.on("console", lambda message: self.problems.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.requests.append(request))
        page.on("response", lambda answer: self.answers.append(answer))


@pytest.fixture
def watch(page):
    return Watch(page)


def execute(page, operation="/score"):
    """Choose the operation, `Try it out`, `Execute`; return the displayed reply."""
    block = page.locator(".opblock-post", has=page.locator(f'[data-path="{operation}"]'))
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    reply = block.locator(".live-responses-table")
    reply.wait_for()
    return reply


def contract(tmp_path, version):
    """Write the bank's contract in a version of the standard; return the file."""
    if version == "2.0":
        return SWAGGER
    document = json.loads(OPENAPI.read_text()) | {"openapi": version}
    path = tmp_path / f"{version}.json"
    path.write_text(json.dumps(document))
    return path


def test_a_new_user_sees_the_models_and_gets_the_prediction(page, watch, docs, artefacts):
    url = docs()

    page.goto(url)
    page.locator("section.models").get_by_role("button", name="ServiceInput").click()
    model = page.locator("#model-ServiceInput")
    model.locator("[aria-expanded=false]").first.click()  # data
    model.locator("[aria-expanded=false]").first.click()  # a row of it
    model.locator("[aria-expanded=false]").first.click()  # its first column
    column = model.locator(".property-row", has_text="age").last.inner_text()
    assert "age*\tinteger($int64)" == column
    reply = execute(page)

    assert "200" == reply.locator(".response .response-col_status").inner_text().split()[0]
    said = reply.locator(".response-col_description .highlight-code").first.inner_text()
    assert "yes" in said
    assert "no" in said
    assert [] == watch.problems
    assert {url.rstrip("/")} == {
        "/".join(request.url.split("/")[:3]) for request in watch.requests if not request.url.startswith("data:")
    }
    assert 200 == next(answer.status for answer in watch.answers if answer.url.endswith("/_target/score"))
    page.screenshot(path=artefacts / "docs.png", full_page=True)


@pytest.mark.parametrize("version", ["2.0", "3.0.3", "3.1.0"])
def test_every_version_of_the_standard_renders_and_scores(page, watch, docs, bank, tmp_path, version):
    page.goto(docs(contract(tmp_path, version), "--target", bank.uri, key=bank.key.reveal()))

    said = execute(page).locator(".response-col_description .highlight-code").first.inner_text()

    assert "yes" in said
    assert "no" in said
    assert [] == watch.problems
    assert 0 == page.get_by_role("button", name="Authorize").count()


def test_the_key_never_enters_the_browser(page, watch, docs, fault_server, canary):
    """The target replies with everything it received, including cookies and credentials."""
    page.goto(docs(SWAGGER, "--target", fault_server.url("echo"), key=canary))

    reply = execute(page)

    assert f"Bearer {canary}" == fault_server.seen[-1].header("Authorization")
    assert "Authorization: ***" in reply.inner_text()
    assert canary not in page.content()
    for answer in watch.answers:
        assert canary not in answer.text()
        assert canary not in str(answer.all_headers())
        assert "set-cookie" not in answer.all_headers()
    for request in watch.requests:
        assert canary not in str(request.all_headers())
    assert [] == page.context.cookies()


def test_a_refusal_says_what_to_do(page, docs, fault_server):
    page.goto(docs(SWAGGER, "--target", fault_server.url("401")))

    said = execute(page).inner_text()

    # Swagger UI treats a header with commas as a list, and shows it without the spaces after them.
    assert "the endpoint requires a key,and none was sent: give it with --key-file" in said


def test_a_dead_target_says_what_to_do(page, docs):
    page.goto(docs(SWAGGER, "--target", "http://127.0.0.1:9/score"))

    said = execute(page).inner_text()

    assert "nothing listens there: check that the server runs, and the port" in said


def test_without_a_target_there_is_nothing_to_try_and_the_page_says_so(page, watch, docs):
    page.goto(docs(SWAGGER))

    page.locator('[data-path="/score"]').click()
    page.locator(".opblock-body").wait_for()
    assert 0 == page.get_by_role("button", name="Try it out").count()
    assert (
        "No target is named, so nothing can be tried out: start epkit docs with --target URL"
        in page.locator("header.epkit").inner_text()
    )
    assert [] == watch.problems


def test_a_hostile_contract_reaches_no_other_host(page, watch, docs, tmp_path, fault_server):
    """Its pictures and references point to other hosts; the page requests none of them."""
    elsewhere = f"http://127.0.0.1:{fault_server.port}"
    document = json.loads(SWAGGER.read_text())
    document["info"]["description"] = (
        f'<img src="{elsewhere}/fault/ok"> ![x]({elsewhere}/fault/ok) <script>alert(1)</script>'
    )
    document["definitions"]["ServiceInput"]["properties"]["more"] = {"$ref": f"{elsewhere}/fault/swagger.json#/x"}
    (tmp_path / "hostile.json").write_text(json.dumps(document))

    page.goto(docs("hostile.json"))
    page.locator('[data-path="/score"]').click()
    page.locator(".opblock-body").wait_for()
    page.wait_for_timeout(500)

    assert [] == fault_server.seen


ATTACK = """
const url = "http://127.0.0.1:%d";
const got = [];
const body = JSON.stringify({data: []});
const attempt = async (name, path, options) => {
  try {
    const reply = await fetch(url + path, options);
    got.push(name + ": " + reply.type + " " + (await reply.text()));
  } catch (error) { got.push(name + ": nothing"); }
};
await attempt("read", "/contract.json", {});
await attempt("read the reply", "/_target/score", {method: "POST", body, headers: {"Content-Type": "application/json"}});
await attempt("simple post", "/_target/score", {method: "POST", body, mode: "no-cors", headers: {"Content-Type": "text/plain"}});
await attempt("blind post", "/_target/score", {method: "POST", body, mode: "no-cors"});
await attempt("blind read", "/_target/", {mode: "no-cors"});
const framed = document.createElement("iframe");
framed.src = url + "/";
document.body.append(framed);
await new Promise(done => { framed.onload = done; setTimeout(done, 1000); });
const form = document.createElement("form");
form.method = "post"; form.enctype = "text/plain"; form.action = url + "/_target/score"; form.target = "hidden";
const hidden = document.createElement("iframe"); hidden.name = "hidden";
document.body.append(hidden, form);
form.submit();
await new Promise(done => { hidden.onload = done; setTimeout(done, 1000); });
return got;
"""


@contextlib.contextmanager
def attacker():
    """Serve an empty page from another origin."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>attacker</title><body></body>")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "evil.example"])
def test_a_page_of_another_origin_gets_nothing(page, docs, fault_server, host):
    port = int(docs(SWAGGER, "--target", fault_server.url("ok")).rstrip("/").rpartition(":")[2])

    with attacker() as theirs:
        page.goto(f"http://{host}:{theirs}/")
        got = page.evaluate(f"async () => {{ {ATTACK % port} }}")

    assert [] == fault_server.seen
    assert ["read: nothing", "read the reply: nothing"] == got[:2]
    assert all(line.endswith((": opaque ", ": nothing")) for line in got[2:])


def test_a_name_that_was_rebound_gets_nothing(page, docs, fault_server):
    port = int(docs(SWAGGER, "--target", fault_server.url("ok")).rstrip("/").rpartition(":")[2])

    answer = page.goto(f"http://evil.example:{port}/")

    assert 421 == answer.status
    assert "this server answers only under the address that epkit docs printed" in page.content()
    assert 421 == page.evaluate("async () => (await fetch('/contract.json')).status")
    assert 421 == page.evaluate(
        """async () => (await fetch('/_target/score',
        {method: 'POST', body: '{}', headers: {'Content-Type': 'application/json'}})).status"""
    )
    assert [] == fault_server.seen
