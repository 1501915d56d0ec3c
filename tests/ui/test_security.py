"""What the web page refuses."""

import os

import pytest
from starlette.testclient import TestClient

from runnable import Stub, ui
from runnable.exceptions import ConfigurationError
from tests.ui import flow

TOKEN = "token-of-this-test"


@pytest.fixture
def client():
    flow.run(1, fail=True)
    application = ui.app(
        configuration_file="", allow_actions=True, token=TOKEN, hosts=["testserver"]
    )
    return TestClient(application, follow_redirects=False)


def act(client, action, token=TOKEN, **headers):
    data = {"token": token} if token else {}
    return client.post(f"/run/run-1/{action}", data=data, headers=headers)


def test_the_token_is_given_to_no_other_port(client):
    """A cookie would be sent to every server of the same host."""
    answer = client.get(f"/token/{TOKEN}")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert f'data-token="{TOKEN}"' in answer.text


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "", "testserver.evil.example"]
)
def test_another_name_is_refused_so_that_none_can_be_rebound(client, host):
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 403
    assert "run-1" not in answer.text


def test_the_case_of_a_name_does_not_matter():
    application = ui.app(configuration_file="", hosts=["MyHost.local"])
    client = TestClient(application)
    assert client.get("/", headers={"Host": "myhost.LOCAL:1"}).status_code == 200


def test_the_port_of_the_name_does_not_matter(client):
    assert client.get("/", headers={"Host": "testserver:8765"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
def test_requests_of_scripts_of_other_sites_are_refused(client, headers):
    assert client.get("/run/run-1", headers=headers).status_code == 403


def test_a_link_on_another_site_leads_here(client):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/run/run-1", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_forms_of_other_sites_are_refused_even_with_the_token(client, headers):
    assert act(client, "delete", **headers).status_code == 403
    assert client.get("/run/run-1").status_code == 200


@pytest.mark.parametrize("action", ["resume", "cancel", "delete"])
def test_actions_need_the_token(client, action):
    assert act(client, action, token="").status_code == 403
    assert act(client, action, token="wrong").status_code == 403
    assert act(client, action, token="x" * 100_000).status_code == 403
    assert client.get("/token/wrong").status_code == 403


def test_a_run_is_deleted_by_who_has_the_token(client):
    assert act(client, "delete", Origin="http://testserver").status_code == 303
    assert client.get("/run/run-1").status_code == 404


def test_without_actions_nobody_may_act():
    flow.run(1, fail=True)
    client = TestClient(ui.app(configuration_file=""))
    for token in ("", "x"):
        assert act(client, "delete", token=token).status_code == 403
    assert client.get("/token/x").status_code == 403
    assert "Delete" not in client.get("/run/run-1").text


def test_actions_without_a_token_are_a_mistake():
    with pytest.raises(ConfigurationError, match="token"):
        ui.app(allow_actions=True)


@pytest.mark.parametrize(
    "key",
    [
        "../../../../etc/passwd",
        "/etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "rows.csv/../../run-2/rows.csv",
        "",
        "rows.csv\0",
    ],
)
@pytest.mark.parametrize("page", ["artifact", "content"])
def test_only_what_the_run_lists_can_be_had(client, page, key):
    answer = client.get(f"/run/run-1/{page}", params={"key": key})
    assert answer.status_code == 404
    assert "root:" not in answer.text


def test_files_that_may_have_scripts_are_only_kept_not_shown(client):
    answer = client.get("/run/run-1/content", params={"key": "page.html"})
    assert answer.text == flow.HOSTILE[0]
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    picture = client.get("/run/run-1/content", params={"key": "picture.png"})
    assert picture.headers["content-type"] == "image/png"
    assert picture.content == flow.PIXEL


@pytest.mark.parametrize("name", ["../application.py", "nothing.js", "page.js.map"])
def test_only_files_of_the_package_are_static(client, name):
    assert client.get(f"/static/{name}").status_code == 404
    assert client.get("/static/page.js").headers["content-type"].startswith("text/jav")


def test_no_page_allows_scripts_but_those_of_the_package(client):
    for path in ("/", "/run/run-1", "/run/run-1/timeline", "/run/none", "/static/x"):
        policy = client.get(path).headers["content-security-policy"]
        scripts = [it for it in policy.split("; ") if it.startswith("script-src")]
        assert scripts in ([], ["script-src 'self'"])
        assert "default-src 'none'" in policy


def test_secrets_of_the_configuration_are_not_shown(monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2-hunter2")

    def use():
        print(os.environ["SECRET"])

    from runnable import PythonTask

    step = PythonTask(name="s", function=use, secrets=["SECRET"])
    step.as_pipeline().execute(run_id="r1")
    client = TestClient(ui.app(configuration_file=""))
    for tab in ("overview", "logs", "configuration", "parameters"):
        text = client.get(f"/run/r1?tab={tab}").text
        assert "hunter2" not in text
        assert tab != "logs" or "***" in text


def test_an_odd_run_id_is_one():
    Stub(name="s").as_pipeline().execute(run_id="a b?c#d&e=<i>'\"")
    client = TestClient(ui.app(configuration_file=""))
    page = client.get("/").text
    (address,) = [
        it.partition('"')[0] for it in page.split('href="')[1:] if "/run/" in it[:5]
    ]
    assert client.get(address).status_code == 200
    assert "<i>" not in page
