"""What stands behind a service, known by its words or by the client that raised the error."""

from __future__ import annotations

import pytest

from phases.record.findings import Frame
from phases.triage.rollback.edge_errors import edge_of, is_exhaustion, raised_in_library
from phases.triage.rollback.edge_words import Edge
from tests.judgement.postmortems.stage import Story
from tests.judgement.postmortems.told import behind


def _frame(text: str, *, in_app: bool = False) -> Frame:
    place, _, function = text.partition(" ")
    file, _, line = place.rpartition(":")
    return Frame(file=file, function=function, line=int(line), in_app=in_app)


@pytest.mark.parametrize("story", [pytest.param(s, id=s.name) for s in behind()])
def test_what_clients_say_of_what_stands_behind_is_at_the_edge(story: Story) -> None:
    fire = story.fires[0]
    type, _, value = fire.error.partition(": ")
    frames = tuple(map(_frame, fire.stack))
    libraries = [frame.file for frame in frames[:1]]
    known = edge_of(type, value, libraries) or is_exhaustion(type, value, libraries)
    assert known or raised_in_library(type, value, frames)


PSYCOPG = "/usr/lib/python3/site-packages/psycopg2/extensions.py:12 execute"
REQUESTS = "/usr/lib/python3/site-packages/requests/models.py:1 raise_for_status"


@pytest.mark.parametrize(
    ("error", "frame"),
    [
        ("ProgrammingError: column orders.totl does not exist", PSYCOPG),
        ("IntegrityError: null value in column total violates not-null constraint", PSYCOPG),
        ("UndefinedTable: relation coupons does not exist", PSYCOPG),
        ("HTTPError: 422 Client Error: Unprocessable Entity for url: /v1/charges", REQUESTS),
        ("HTTPError: 404 Client Error: Not Found for url: /v1/charges", REQUESTS),
        ("KeyError: 'total'", PSYCOPG),
        ("TypeError: total() got an unexpected keyword argument 'timeout'", PSYCOPG),
    ],
)
def test_a_question_asked_wrongly_is_not_at_the_edge(error: str, frame: str) -> None:
    type, _, value = error.partition(": ")
    assert edge_of(type, value) is None
    assert not raised_in_library(type, value, (_frame(frame),))


def test_what_a_library_raised_is_at_the_edge_whatever_it_says() -> None:
    error = ("OddError", "it went wrong")
    assert raised_in_library(*error, (_frame("redis/connection.py:8 read"),))
    assert not raised_in_library(*error, (_frame("redis/connection.py:8 read", in_app=True),))
    assert raised_in_library(
        *error, (_frame("/app/node_modules/odd/index.js:8 read", in_app=True),)
    )
    assert not raised_in_library(*error, (_frame("shop/orders.py:8 create", in_app=True),))
    assert not raised_in_library(*error, ())


@pytest.mark.parametrize(
    ("frame", "library"),
    [
        ("org/odd/client/Query.java:8 run", True),
        ("com/acme/shop/Query.java:8 run", False),
        ("com/acme/stock/Query.kt:8 run", False),
        ("Query.java:8 run", False),
    ],
)
def test_on_the_jvm_a_library_is_of_another_organisation(frame: str, *, library: bool) -> None:
    """Each of its frames may be called the application's own."""
    error = ("OddException", "it went wrong")
    changed = ("pom.xml", "service/src/main/java/com/acme/shop/Order.java")
    assert raised_in_library(*error, (_frame(frame, in_app=True),), changed) is library
    assert not raised_in_library(*error, (_frame(frame, in_app=True),), ("pom.xml",))


def test_what_fetch_says_of_silence_is_no_error_of_code() -> None:
    assert edge_of("TypeError", "Failed to fetch") is Edge.BEHIND
    assert edge_of("SyntaxError", "Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON") is (
        Edge.BEHIND
    )
    assert edge_of("TypeError", "Cannot read properties of undefined (reading 'fetch')") is None


@pytest.mark.parametrize(
    ("error", "edge"),
    [
        ("ErrorException: Failed to read session data: redis (path: tcp://a.internal:6379)", True),
        ("Error: amqp://mq.internal:5672 closed the channel", True),
        ("Error: D1 DB is overloaded. Requests queued for too long.", True),
        ("TopicAuthorizationException: Not authorized to access topics: [orders]", True),
        ("Error: cannot parse the address tcp", False),
        ("URLError: https://shop.example.com/cart failed", False),
    ],
)
def test_an_address_of_a_server_that_failed_is_at_the_edge(error: str, edge: bool) -> None:
    type, _, value = error.partition(": ")
    assert (edge_of(type, value) is not None) is edge


def test_a_namespace_of_dotnet_that_no_folder_of_ours_has_is_a_library_s() -> None:
    changed = ("src/Shop.Web/Wish/WishPage.cs",)
    azure = Frame(
        file="Azure.Messaging.ServiceBus.Sender", module="Azure.Messaging.ServiceBus.Sender"
    )
    ours = Frame(file="Acme.Shop.Web.Cart", module="Acme.Shop.Web.Cart")
    assert raised_in_library("BusException", "odd", (azure, ours), changed)
    assert not raised_in_library("BusException", "odd", (ours,), changed)
    assert not raised_in_library("BusException", "odd", (azure, ours), ("deploy/values.yaml",))
    page = Frame(file="src/wish.ts", module="src/wish")
    assert not raised_in_library("BusException", "odd", (page,), changed)


def test_a_client_in_go_names_itself_in_its_words() -> None:
    own = Frame(file="internal/orders/store.go", function="Load", line=4)
    type = "*errors.errorString"
    assert raised_in_library(type, "load: pq: SSL is not enabled on the server", (own,))
    assert not raised_in_library(type, "pricing: no price", (own,))
    assert not raised_in_library(type, "pq: column total does not exist", (own,))


def test_a_library_that_was_used_wrongly_blames_its_caller() -> None:
    frame = Frame(
        file="androidx/fragment/app/Fragment.java", function="requireContext", in_app=False
    )
    assert not raised_in_library("IllegalStateException", "not attached to a context", (frame,))
