"""REDIS_URL is read as it was meant, or refused with the right form.

The message holds no part of a secret.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import quote, unquote

import certifi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import SSLConnection
from redis.asyncio.sentinel import SentinelManagedSSLConnection

from bot.config.redis_url import Address, faults, parsed
from bot.config.settings import Faults, load, where_it_is_kept
from bot.connection.client import connect
from tests.support.redis.authority import OPENSSL, Authority

SECRET = "hunter2hunter2"


def fault_of(url: str) -> str:
    return "\n".join(faults(url))


@pytest.mark.parametrize(
    ("url", "host", "port", "db", "username", "password"),
    [
        ("redis://h", "h", 6379, 0, None, None),
        (" redis://h\n", "h", 6379, 0, None, None),
        ("redis://h/", "h", 6379, 0, None, None),
        ("REDIS://h:7/3", "h", 7, 3, None, None),
        ("redis://h?db=2", "h", 6379, 2, None, None),
        ("redis://h/2?db=2", "h", 6379, 2, None, None),
        ("redis://:pw@h", "h", 6379, 0, None, "pw"),
        ("redis://me@h", "h", 6379, 0, "me", None),
        ("redis://me:@h", "h", 6379, 0, "me", None),
        ("redis://me:p:w@h", "h", 6379, 0, "me", "p:w"),
        ("redis://me:p@w@h", "h", 6379, 0, "me", "p@w"),
        ("redis://me:p[w]@h", "h", 6379, 0, "me", "p[w]"),
        ("redis://me:p+w@h", "h", 6379, 0, "me", "p+w"),
        ("redis://me:p%w@h", "h", 6379, 0, "me", "p%w"),
        ("redis://me:p%2Fw%23%3F%25@h", "h", 6379, 0, "me", "p/w#?%"),
        ("redis://me:pä%C3%A4@h", "h", 6379, 0, "me", "pää"),
        ("redis://[::1]", "::1", 6379, 0, None, None),
        ("rediss://:p@[2001:db8::1]:6380/1", "2001:db8::1", 6380, 1, None, "p"),
        ("redis://h?username=me&password=p+w", "h", 6379, 0, "me", "p+w"),
        (
            "redis://my_redis.default.svc.cluster.local:6379",
            "my_redis.default.svc.cluster.local",
            6379,
            0,
            None,
            None,
        ),
    ],
)
def test_it_is_read_as_it_was_meant(
    url: str, host: str, port: int, db: int, username: str | None, password: str | None
) -> None:
    at = parsed(url)
    assert (at.hosts, at.db, at.username, at.password) == (((host, port),), db, username, password)
    made = connect(url).connection_pool.connection_kwargs
    assert (made["host"], made["port"], made["db"]) == (host, port, db)
    assert (made["username"], made["password"]) == (username, password)


@pytest.mark.parametrize(
    ("url", "path", "db", "password"),
    [
        ("unix:///run/redis.sock", "/run/redis.sock", 0, None),
        ("unix:///run/a@b.sock?db=3", "/run/a@b.sock", 3, None),
        ("unix://:p%40w@/run/redis.sock", "/run/redis.sock", 0, "p@w"),
        ("unix:///run/redis.sock?db=1&password=p%26w", "/run/redis.sock", 1, "p&w"),
        ("unix:///run/two%20words.sock", "/run/two words.sock", 0, None),
    ],
)
def test_a_socket(url: str, path: str, db: int, password: str | None) -> None:
    at = parsed(url)
    assert (at.path, at.db, at.password) == (path, db, password)
    made = connect(url).connection_pool.connection_kwargs
    assert (made["path"], made["db"], made["password"]) == (path, db, password)


def test_user_password_and_database_are_for_the_servers_and_the_sentinels_have_their_own() -> None:
    url = (
        "sentinel://me:p%40ss@h1,[::1]:7/main?db=3&sentinel_username=watch&sentinel_"
        "password=s%2Fp+w"
    )
    pool = connect(url).connection_pool
    made = pool.connection_kwargs
    assert (made["username"], made["password"], made["db"]) == ("me", "p@ss", 3)
    hosts = [
        sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels
    ]
    assert [(host["host"], host["port"]) for host in hosts] == [("h1", 26379), ("::1", 7)]
    assert {(host["username"], host["password"]) for host in hosts} == {("watch", "s/p+w")}
    without = connect("sentinel://me:pw@h1/main").connection_pool.sentinel_manager.sentinels
    assert without[0].connection_pool.connection_kwargs["password"] is None


def test_nodes_of_a_cluster() -> None:
    at = parsed("redis+cluster://me:p%40ss@h1,h2:7,[::1]:8/0")
    assert at == Address(
        "redis+cluster",
        (("h1", 6379), ("h2", 7), ("::1", 8)),
        username="me",
        password="p@ss",
    )
    assert (at.kind, at.secure) == ("cluster", False)
    at = parsed("rediss+cluster://shop.example.com?ssl_check_hostname=no")
    assert (at.kind, at.secure, at.tls) == ("cluster", True, {"ssl_check_hostname": False})


@pytest.mark.parametrize("scheme", ["sentinels", "rediss+sentinel"])
def test_sentinels_over_tls_and_the_servers_behind_them(scheme: str) -> None:
    url = f"{scheme}://:pw@h1,h2:7/main?sentinel_password=s&ssl_ca_certs={certifi.where()}"
    at = parsed(url)
    assert (at.scheme, at.kind, at.secure, at.master) == ("sentinels", "sentinel", True, "main")
    pool = connect(url).connection_pool
    assert pool.connection_class is SentinelManagedSSLConnection
    assert pool.connection_kwargs["ssl_ca_certs"] == certifi.where()
    for sentinel in pool.sentinel_manager.sentinels:
        assert sentinel.connection_pool.connection_class is SSLConnection
        assert sentinel.connection_pool.connection_kwargs["ssl_ca_certs"] == certifi.where()
    assert parsed("redis+sentinel://h1/main").scheme == "sentinel"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("h:6379", "must begin with redis://"),
        ("redis:h", "must begin with redis://"),
        ("http://h", "must begin with redis://"),
        ("redis://", "names no host"),
        ("redis://:6379", "names no host"),
        ("redis://me:pw@", "names no host"),
        ("redis://:pw@/0", "names no host"),
        ("redis://h/name", "no number"),
        ("redis://h/0/1", "no number"),
        ("redis://h/-1", "no number"),
        ("redis://h\n:6379", "a blank"),
        ("redis://h?db=x", "db that is no number"),
        ("redis://h?db=", "db that is no number"),
        ("redis://h/1?db=2", "two databases"),
        ("redis://h?db=1&db=1", "db twice"),
        ("redis://h:0", "1 to 65535"),
        ("redis://h:65536", "1 to 65535"),
        ("redis://h:99999999999999", "1 to 65535"),
        ("redis://h:port", "1 to 65535"),
        ("redis://::1", "stands in [ ]"),
        ("redis://[::1", "no IPv6 address"),
        ("redis://[h]:6379", "no IPv6 address"),
        ("redis://h,h2", "several hosts: those of a cluster are written redis+cluster://"),
        ("redis+cluster://", "names no host"),
        ("redis+cluster://h1,,h2", "names no host"),
        ("redis+cluster://h1:1,h2:x", "1 to 65535"),
        ("redis+cluster://h1,h2/1", "a cluster's database 0"),
        ("rediss+cluster://h1?db=3", "a cluster's database 0"),
        ("redis+cluster://h1/main", "no number"),
        ("redis+cluster://h1?ssl_ca_certs=x", "does not know (ssl_ca_certs)"),
        ("rediss+cluster://h1?ssl_ca_certs=/nowhere/ca.pem", "ssl_ca_certs that is not there"),
        ("sentinels://h1:26379", "name of the master"),
        ("sentinel://h1/m?ssl_check_hostname=no", "does not know (ssl_check_hostname)"),
        ("redis://h ost", "a blank"),
        ("redis://h#0", "#"),
        ("redis://h?ssl=true", "does not know (ssl)"),
        ("redis://h?socket_timeout=30", "does not know (socket_timeout)"),
        ("redis://h?protocol=3", "does not know (protocol)"),
        ("redis://h?ssl_cert_reqs=none", "does not know (ssl_cert_reqs)"),
        ("rediss://h?ssl_cert_reqs=maybe", "not required, optional or none"),
        ("rediss://h?ssl_check_hostname=maybe", "not true or false"),
        ("rediss://h?ssl_ca_certs=/nowhere/ca.pem", "ssl_ca_certs that is not there"),
        ("redis://me:pw@h?password=pw", "password twice"),
        ("unix://", "names no socket"),
        ("unix://run/redis.sock", "three slashes"),
        ("sentinel://h1:26379,h2:26379/", "name of the master"),
        ("sentinel://h1/m/0", "name of the master"),
        ("sentinel:///m", "names no sentinel"),
        ("sentinel://h1,,h2/m", "names no sentinel"),
        ("sentinel://h1:x/m", "no number"),
        ("sentinel://h1/m?db=a", "db that is no number"),
    ],
)
def test_what_is_wrong_is_named_at_the_start(url: str, says: str) -> None:
    assert says in fault_of(url)
    with pytest.raises(Faults) as refused:
        load(slack_bot_token="xoxb-1", slack_signing_secret="s", redis_url=url)
    assert f"REDIS_URL {fault_of(url)}".splitlines()[0] in str(refused.value)


def test_everything_that_is_wrong_is_named_at_once() -> None:
    text = fault_of("redis://h:x/name?protocol=3")
    assert "1 to 65535" in text
    assert "no number" in text
    assert "protocol" in text


@pytest.mark.parametrize("sign", ["/", "#", "?"])
@pytest.mark.parametrize(
    "form",
    [
        "redis://:{}@h:6379/0",
        "rediss://me:{}@h",
        "sentinel://me:{}@h1,h2/main",
        "rediss+cluster://me:{}@h1:6379,h2:6379",
    ],
)
def test_a_password_that_ends_the_host_is_refused_with_how_to_write_it(
    form: str, sign: str
) -> None:
    password = f"{SECRET}{sign}{SECRET}"
    assert "%2F" in fault_of(form.format(password))
    assert SECRET not in fault_of(form.format(password))
    assert parsed(form.format(quote(password, safe=""))).password == password


@pytest.mark.parametrize("url", [f"redis://me:{SECRET}%41%@h", f"redis://me:%{SECRET}%2F@h"])
def test_a_password_that_is_half_encoded_is_refused(url: str) -> None:
    assert "%25" in fault_of(url)
    assert SECRET not in fault_of(url)


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{SECRET}",
        f"redis://h:{SECRET}/0",
        f"redis://h/{SECRET}",
        f"redis://{SECRET}@h:x",
        f"redis://[{SECRET}@h:x",
        f"redis://h?{SECRET}",
        f"redis://h?password=a&{SECRET}=1",
        f"redis://h?password=a&hunterhunter=1&{SECRET}",
        f"redis://me:{SECRET}",
        f"{SECRET}://h",
        f"redis://[{SECRET}]",
        f"sentinel://h1/m?sentinel_password=a&{SECRET}",
        f"sentinel://h1/{SECRET}/{SECRET}",
        f"unix://{SECRET}/run/x.sock",
    ],
)
def test_no_part_of_what_may_be_a_secret_is_repeated(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "hunter" not in fault_of(url)
    monkeypatch.setenv("REDIS_URL", url)
    for read in (
        lambda: load(slack_bot_token="xoxb-1", slack_signing_secret="s"),
        where_it_is_kept,
    ):
        with pytest.raises(Faults) as refused:
            read()
        assert "hunter" not in str(refused.value)
        assert "hunter" not in str(refused.value.__cause__)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30))
def test_every_password_can_be_written(password: str) -> None:
    assert parsed(f"redis://me:{quote(password, safe='')}@h:1/2") == Address(
        "redis", (("h", 1),), db=2, username="me", password=password
    )


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=30))
def test_a_password_as_it_is_is_read_right_or_refused_and_never_said(password: str) -> None:
    marked = f"Qx7{password}Qx7"
    url = f"redis://me:{marked}@host:1/2"
    if wrong := fault_of(url):
        assert "Qx7" not in wrong
        return
    at = parsed(url)
    assert at.hosts == (("host", 1),)
    assert at.password in (marked, unquote(marked))


def test_an_address_shows_no_secret_of_its_own() -> None:
    at = parsed(f"sentinel://me:{SECRET}@h1/main?sentinel_password={SECRET}")
    assert SECRET not in repr(at)


def test_a_certificate_that_is_there_is_taken() -> None:
    ca = certifi.where()
    made = connect(
        f"rediss://h?ssl_ca_certs={ca}&ssl_cert_reqs=CERT_NONE&ssl_check_hostname=no"
    ).connection_pool
    kwargs = made.connection_kwargs
    assert (kwargs["ssl_ca_certs"], kwargs["ssl_cert_reqs"], kwargs["ssl_check_hostname"]) == (
        str(ca),
        "none",
        False,
    )


@pytest.mark.skipif(OPENSSL is None, reason="certificates are made with the program openssl")
def test_files_that_cannot_be_used_are_named_before_the_first_connection(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.signed("bot", "DNS:bot.example.com")
    _, other = authority.signed("other", "DNS:other.example.com")
    locked = tmp_path / "locked.key"
    command = [
        "openssl",
        "pkey",
        "-aes128",
        "-passout",
        f"pass:{SECRET}",
        "-in",
        str(key),
        "-out",
        str(locked),
    ]
    subprocess.run(command, check=True, capture_output=True)
    whole = f"rediss://h?ssl_ca_certs={authority.file}&ssl_certfile={certificate}&ssl_keyfile={key}"
    assert fault_of(whole) == ""
    for tls, words in (
        (f"ssl_ca_certs={key}", "ssl_ca_certs that holds no certificate"),
        (f"ssl_ca_certs={tmp_path}", "ssl_ca_certs that holds no certificate"),
        (f"ssl_keyfile={key}", "ssl_keyfile without ssl_certfile"),
        (f"ssl_certfile={certificate}", "a key that is not in it is named in ssl_keyfile"),
        (f"ssl_certfile={certificate}&ssl_keyfile={other}", "does not belong to the certificate"),
        (f"ssl_certfile={certificate}&ssl_keyfile={locked}", "a key with a passphrase"),
        (
            f"ssl_certfile={__file__}&ssl_keyfile={__file__}",
            "cannot be used as certificate and key",
        ),
    ):
        assert words in fault_of(f"rediss://h?{tls}")
