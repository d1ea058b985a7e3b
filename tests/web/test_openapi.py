"""`/api/openapi.json` says what the API does: every route, every error, every field."""

import copy
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from werkzeug.serving import make_server

from quota_web.core import event_visibility
from quota_web.core.display_order import Group
from quota_web.core.errors import DatabaseBusy, DatabaseDamaged
from quota_web.core.quota import Status
from quota_web.foresight import ForecastState, How, Reason
from quota_web.reports.history import RANGES
from quota_web.web.errors import ANSWERS
from tests.browser import make_app, make_token
from tests.fakes import NOW, FakeCodex, FakeResponse, usage_body
from tests.installation import open_installation
from tests.pages import visiting

#: What an API token does not get.
OF_A_SESSION = "/api/sign-in/{id}"
V1 = "/api/v1/"


@pytest.fixture(scope="module")
def served(tmp_path_factory, made_instance) -> Iterator[tuple[str, dict[str, str], Any]]:
    """A running app with accounts: its address, a token's header, and a client of the same app."""
    folder = tmp_path_factory.mktemp("openapi")
    with FakeCodex() as codex, open_installation(folder, codex, template=made_instance) as place:
        credits = {"has_credits": True, "unlimited": False, "balance": "12.5"}
        codex.answers("acct-bob", FakeResponse(body=usage_body(100, 40, credits=credits)))
        codex.answers("acct-carol", FakeResponse(status=503, body={}))
        for name in ("alice", "bob", "carol"):
            place.file(name)
        place.refresh()
        columns = (
            "window_id, number, started_at, ended_at, how, used_at_reset, peak, zero_s, readings, "
            "gap_s, is_lower_bound, rule"
        )
        place.execute(
            f"INSERT INTO cycle ({columns}) SELECT id, 1, {NOW - 9_000}, {NOW - 60}, 'scheduled', "
            "40, 41, 0, 3, 0, false, 1 FROM limit_window"
        )
        place.execute(
            "INSERT INTO event (at, kind, actor, account_id, window_id, data) SELECT "
            f"{NOW - 60}, 'reset_scheduled', 'judge', account_id, id, '{{}}' FROM limit_window"
        )
        with visiting(place) as browser:
            app = browser.client.application
            token = make_token(app)
            server = make_server("127.0.0.1", 0, app, threaded=True)
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}", token, app.test_client()
            finally:
                server.shutdown()
                thread.join(10)
                server.server_close()


@pytest.fixture(scope="module")
def written(served) -> dict[str, Any]:
    _, token, client = served
    return client.get("/api/openapi.json", headers=token).get_json()


@pytest.fixture(scope="module")
def api(served) -> Any:
    address, token, _ = served
    found = schemathesis.openapi.from_url(f"{address}/api/openapi.json", headers=token)
    found.config.update(base_url=address, headers=token)
    return found


def test_it_is_openapi_31(written):
    OpenAPIV31SpecValidator(written).validate()
    assert written["openapi"].startswith("3.1")


def test_it_has_every_route_and_method_and_no_other(written, served):
    _, _, client = served
    there = {
        (rule.rule.replace(V1, "/api/").replace("<int:sign_in_id>", "{id}"), method.lower())
        for rule in client.application.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert {(path, method) for path, item in written["paths"].items() for method in item} == there


def test_its_lists_of_words_are_those_of_the_code(written):
    schemas = written["components"]["schemas"]
    result = schemas["Result"]["properties"]

    assert result["status"]["enum"] == [str(status) for status in Status]
    assert result["group"]["enum"] == [str(group) for group in Group]
    assert schemas["Forecast"]["properties"]["state"]["enum"] == [str(s) for s in ForecastState]
    assert schemas["Event"]["properties"]["kind"]["enum"] == sorted(event_visibility.ALL)
    kind = written["components"]["parameters"]["kind"]["schema"]["items"]
    assert kind["enum"] == sorted(event_visibility.OPEN)
    assert schemas["Cycle"]["properties"]["how"]["enum"] == [str(how) for how in How]
    assert schemas["Reason"]["properties"]["code"]["enum"] == [str(r) for r in Reason]
    assert written["components"]["parameters"]["range"]["schema"]["enum"] == [*RANGES, ""]


def test_every_path_answers_under_v1_too(served, written):
    _, token, client = served

    assert "/api/v1/" in written["info"]["description"]
    for path in set(written["paths"]) - {OF_A_SESSION}:
        address = path.replace("/api/", "/api/v1/")
        answer = client.get(address, headers=token, buffered=True)
        assert answer.status_code == 200, path


def test_under_a_prefix_it_names_the_prefix(instance_dir):
    app = make_app(instance_dir, QUOTA_URL_PREFIX="/quota")
    answer = app.test_client().get("/quota/api/openapi.json", headers=make_token(app))

    assert answer.get_json()["servers"] == [{"url": "/quota"}]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_whatever_is_sent_is_answered_as_it_says(api, mode):
    for found in api.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=25,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            # Words that are well formed one by one may make no sense together.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        if mode is GenerationMode.POSITIVE or operation.query:
            send()


def closed(written: dict[str, Any]) -> dict[str, Any]:
    """The same description, in which no object has a field that is not described."""

    def close(node: Any) -> None:
        if isinstance(node, dict):
            if "properties" in node:
                node["additionalProperties"] = False
            for value in node.values():
                close(value)
        elif isinstance(node, list):
            for value in node:
                close(value)

    strict = copy.deepcopy(written)
    close(strict["components"]["schemas"])
    return strict


def check(written: dict[str, Any], path: str, answer: Any) -> None:
    """Raise where *answer* is none that is described for *path*, or has a field too many."""
    place = written["paths"][path]["get"]["responses"][str(answer.status_code)]
    if "$ref" in place:
        place = written["components"]["responses"][place["$ref"].rpartition("/")[2]]
    wanted = place["content"]["application/json"]["schema"]
    resource = DRAFT202012.create_resource(closed(written))
    registry: Any = Registry().with_resource("urn:api", resource)
    ref = {"$ref": "urn:api" + wanted["$ref"]} if "$ref" in wanted else wanted
    OAS31Validator(ref, registry=registry).validate(answer.get_json())


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/results", ""),
        ("/api/history", "?range=24h&window=weekly&account=alice"),
        ("/api/forecast", ""),
        ("/api/next", ""),
        ("/api/events", ""),
        ("/api/cycles", ""),
    ],
)
def test_every_field_that_is_answered_is_described(served, written, path, query):
    _, token, client = served

    answer = client.get(path + query, headers=token)

    assert answer.status_code == 200
    assert "alice" in answer.text or path == "/api/forecast"
    check(written, path, answer)


def paths_of(written: dict[str, Any]) -> list[str]:
    return [p for p in written["paths"] if p not in ("/api/openapi.json", OF_A_SESSION)]


def test_what_a_session_alone_may_see_refuses_tokens(served, written):
    _, token, client = served
    answer = client.get(OF_A_SESSION.replace("{id}", "1"), headers=token)

    assert answer.status_code == 403
    check(written, OF_A_SESSION, answer)
    assert written["paths"][OF_A_SESSION]["get"]["security"] == [{"session": []}]


def test_every_error_is_described_wherever_it_can_come(served, written, monkeypatch):
    _, token, client = served
    seen = set()
    client.application.config["PROPAGATE_EXCEPTIONS"] = False

    def ask(path: str, status: int, **headers: str) -> None:
        answer = client.get(path, headers=headers)
        assert answer.status_code == status, path
        check(written, path.partition("?")[0], answer)
        seen.add(answer.get_json()["error"]["code"])

    for path in paths_of(written):
        ask(path, 401)
        ask(path, 400, **token, Host="not a host")
    ask("/api/history?range=2d", 400, **token)
    ask("/api/history?account=nobody", 404, **token)
    for error, status in ((DatabaseBusy("x"), 503), (DatabaseDamaged("x"), 503), (KeyError(), 500)):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr("quota_web.reports.overview.load_overview", fail)
            patch.setattr("quota_web.reports.history.chart", fail)
            patch.setattr("quota_web.reports.event_log.parse_log", fail)
            patch.setattr("quota_web.reports.event_log.cycle_query", fail)
            patch.setattr("quota_web.web.api.current_results", fail)
            for path in paths_of(written):
                ask(path, status, **token)
    words = written["components"]["schemas"]["Error"]["properties"]["error"]["properties"]
    for path, method, code in (("/api/x", "GET", "not_found"), ("/api/next", "PUT", "")):
        answer = client.open(path, method=method, headers=token)
        seen.add(answer.get_json()["error"]["code"])
        assert code in ("", answer.get_json()["error"]["code"])
    assert seen | {"forbidden"} == set(words["code"]["enum"])
    assert {code for _, code in ANSWERS.values()} >= {"busy", "unavailable", "unknown_account"}
