"""The catalogue as the contract writes it, and every fault of a bad one at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import catalogue, settings
from bot.config.catalogue import Catalogue
from bot.config.settings import Faults
from phases.ports import ports
from phases.record.service import DeployCommands, DeployWorkflow

CONTRACT = """
[services.checkout]
aliases      = ["cart", "payments"]
owners       = "@checkout-oncall"
sentry       = ["shop-web", "shop-api"]
environments = ["production"]
features     = { cart = "/cart*", payment = "/pay*" }
region_tag   = "region"
org_tag      = "customer"
not_users    = ["healthcheck*"]
release      = { sentry = "shop-web@{version}", tag = "v{version}", deploy = "{version}" }
depends_on   = ["payments"]
runbook      = "https://wiki.example.com/checkout"
one_way      = ["migrations/**"]
repository   = "acme/shop"
deployer     = "github"
deploy       = { workflow = "deploy.yml", hotfix_workflow = "hotfix.yml", environment = \
"production" }
checkout     = "/srv/shop"
bisect       = ["./reproduce.sh"]
endpoint     = "https://shop.example.com/checkout/health"
linear_team  = "ENG"
adr          = { directory = "/srv/shop/docs/adr" }

[services.search]
sentry   = ["search"]
owners   = ["@ann", "U0123"]
deployer = "command"
deploy   = { directory = "shop", run = ["./deploy.sh", "{release}"], current = ["./current.sh"], \
releases = ["git", "tag", "--sort=-creatordate"], hotfix = ["./deploy.sh", "--hotfix", "{commit}"] }
adr      = { repository = "acme/shop", path = "docs/adr/" }
depends_on = ["Cart"]

[services.search-api]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "services.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path: Path, text: str) -> str:
    with pytest.raises(Faults) as caught:
        catalogue.read(written(tmp_path, text))
    return "\n".join(caught.value.faults)


@pytest.fixture
def services(tmp_path: Path) -> Catalogue:
    return catalogue.read(written(tmp_path, CONTRACT), {"window_seconds": 60})


def test_the_contracts_file_is_read_whole(services: Catalogue, tmp_path: Path) -> None:
    as_port: ports.Catalogue = services
    assert [service.name for service in as_port.all()] == ["checkout", "search", "search-api"]
    checkout = services.get("checkout")
    assert checkout is not None
    assert checkout.owners == ("@checkout-oncall",)
    assert checkout.sentry == ("shop-web", "shop-api")
    assert checkout.features == {"cart": "/cart*", "payment": "/pay*"}
    assert checkout.release.tag == "v{version}"
    assert isinstance(checkout.deploy, DeployWorkflow)
    assert checkout.adr is not None
    assert checkout.adr.directory == "/srv/shop/docs/adr"
    assert checkout.window_seconds == 60
    assert checkout.depends_on == ()
    assert "depends_on names the service itself" in services.warnings[0]
    search = services.get("search")
    assert search is not None
    assert isinstance(search.deploy, DeployCommands)
    assert search.deploy.directory == str(tmp_path / "shop")
    assert search.deploy.hotfix == ("./deploy.sh", "--hotfix", "{commit}")
    assert search.owners == ("@ann", "U0123")
    assert search.depends_on == ("checkout",)
    assert search.adr is not None
    assert (search.adr.repository, search.adr.path) == ("acme/shop", "docs/adr")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Checkout is failing", "checkout"),
        ("the CART, again", "checkout"),
        ("payments and checkout are down", "checkout"),
        ("search is slow", "search"),
        ("search-api is slow", "search-api"),
        ("research is slow", None),
        ("cartography", None),
        ("search and checkout are down", None),
        ("see https://example.com/checkout/1 please", None),
        ("prod is down", None),
    ],
)
def test_a_service_is_named_by_a_whole_word(
    services: Catalogue, text: str, name: str | None
) -> None:
    service = services.named_in(text)
    assert (service.name if service else None) == name


def test_by_alias_and_by_sentry_project(services: Catalogue) -> None:
    assert services.get("Cart") == services.get("checkout")
    assert services.get("nothing") is None
    assert services.by_sentry_project("shop-api") == services.get("checkout")
    assert services.by_sentry_project("Shop-Api") is None


def test_the_only_service_is_meant_where_none_is_named(tmp_path: Path) -> None:
    only = catalogue.read(written(tmp_path, "[services.shop]\n"))
    assert only.named_in("prod is down") == only.get("shop")


def test_every_fault_at_once_with_service_and_key(tmp_path: Path) -> None:
    text = faults(
        tmp_path,
        """
[service.typo]
[services."bad:name"]
[services.one]
sentri = ["a"]
aliases = ["two", ""]
owners = 3
environments = []
features = { cart = 1 }
release = { sentry = "shop@version", tags = "x" }
[services.two]
sentry = ["shop", "web"]
runbook = "wiki.example.com"
endpoint = "ftp://x"
release = { tag = "v" }
repository = "shop"
depends_on = ["thre"]
deployer = "ssh"
[services.three]
aliases = ["TWO"]
sentry = ["web"]
deploy = { workflow = "x" }
adr = { directory = "a", repository = "a/b" }
[services.four]
deployer = "github"
deploy = { workflows = "x" }
adr = {}
[services.five]
deployer = "command"
[services.six]
deployer = "command"
deploy = { directory = "/srv", run = ["sh", "-c", "deploy {release}"], current = [], \
hotfix = ["x"] }
[services.seven]
deployer = "command"
deploy = { directory = "/srv", run = ["sh", "-c", "deploy {release}"], current = ["x"], \
releases = ["x"], hotfix = ["x"] }
""",
    )
    for part in (
        "unknown table [service]",
        "service 'bad:name'",
        "service one: unknown key sentri; did you mean sentry?",
        "service one: owners must be a text in quotes, or a list of them",
        "service one: environments must not be empty",
        "service one: features.cart must be a text in quotes",
        "service one: unknown key release.tags; did you mean tag?",
        "service two: deployer must be 'command' or 'github'",
        "service three: deploy needs deployer",
        "service three: adr needs either directory or repository",
        'service four: deployer = "github" needs repository',
        "service four, deploy: unknown key workflows; did you mean workflow?",
        "service four: adr needs either directory or repository",
        'service five: deployer = "command" needs deploy',
        "service six, deploy: current must not be empty",
        "service six, deploy: releases is missing",
        "service seven, deploy: run: {release} must be a whole argument of its own",
        "service seven, deploy: run never names what to deploy",
        "service seven, deploy: hotfix never names what to deploy",
    ):
        assert part in text, part


def test_words_and_projects_belong_to_one_service(tmp_path: Path) -> None:
    text = faults(
        tmp_path,
        """
[services.two]
sentry = ["shop", "web"]
runbook = "wiki.example.com"
endpoint = "ftp://x"
release = { tag = "v" }
repository = "shop"
depends_on = ["thre"]
[services.three]
aliases = ["TWO", " "]
sentry = ["web"]
""",
    )
    for part in (
        "service two: runbook must be an http or https URL",
        "service two: endpoint must be",
        "service two: release.tag must hold {version} once",
        "service two: repository must be owner/name",
        "service two: depends_on names 'thre', which is no service; did you mean three?",
        "service three: 'TWO' is a name or alias of service two already",
        "service three: aliases holds an empty word",
        "service three: Sentry project 'web' belongs to service two already",
    ):
        assert part in text, part


def test_no_toml(tmp_path: Path) -> None:
    assert "is no TOML" in faults(tmp_path, "[services.one\n")


def test_without_a_file_there_is_one_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    needed = {"slack_bot_token": "xoxb-1", "slack_app_token": "xapp-1", "data_dir": "/x"}
    services = catalogue.load(
        settings.load(**needed, recheck_after_seconds=20, recheck_until_seconds=40)
    )
    (only,) = services.all()
    assert (only.name, only.recheck_after_seconds, only.recheck_until_seconds) == (
        "default",
        20,
        40,
    )
    assert services.named_in("prod is down") == only
    assert catalogue.faults(tmp_path / "none.toml") == ()
    assert "there is no such file" in catalogue.faults(tmp_path / "none.toml", named=True)[0]
    with pytest.raises(Faults, match="there is no such file"):
        catalogue.load(settings.load(**needed, services_file="elsewhere.toml"))


ONE = (
    '[services.shop]\naliases = ["Café", "shop‑eu"]\nsentry = ["shop"]\n[services.shop-api]\n'
    'aliases = ["検索"]\n'
)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_any_editors_file_is_read(tmp_path: Path, mark: bytes, ending: str) -> None:
    path = tmp_path / "services.toml"
    path.write_bytes(mark + ONE.replace("\n", ending).encode())
    assert [service.name for service in catalogue.read(path).all()] == ["shop", "shop-api"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (ONE.encode("utf-16"), "saved as UTF-16 or UTF-32: save it as UTF-8"),
        (ONE.encode("utf-16-le"), "saved as UTF-16 or UTF-32: save it as UTF-8"),
        (ONE.encode("utf-32"), "saved as UTF-16 or UTF-32: save it as UTF-8"),
        (
            ONE.replace("‑", "-").replace("検索", "x").encode("latin-1"),
            "is not UTF-8 (line 2): save it as UTF-8",
        ),
        (
            "[services.shop]\nowners = “@oncall”\n".encode(),
            'that line has a left double quotation mark: write "',
        ),
        (
            "[services.shop]\nowners\u00a0= ['@oncall']\n".encode(),
            "that line has a no-break space: write a blank",
        ),
        (b"[services.shop]\n\x1a", "that line has the control character U+001A: take it out"),
        (b"\x1f\x8b\x08\x00\x00", "is not UTF-8 (line 1): save it as UTF-8"),
        (
            "[services.shop]\n\u200bowners = ['@oncall']\n".encode(),
            "that line has a zero width space: take it out",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_do(
    tmp_path: Path, raw: bytes, message: str
) -> None:
    path = tmp_path / "services.toml"
    path.write_bytes(raw)
    with pytest.raises(Faults, match=r"services\.toml") as caught:
        catalogue.read(path)
    assert message in caught.value.faults[0]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("shop–api is down", "shop-api"),
        ("shop\u2011api is down", "shop-api"),
        ("ｓｈｏｐ is down", "shop"),
        ("sh\u00adop\u00a0is down", "shop"),
        ("the shop-eu is down", "shop"),
        ("cafe\u0301 is down", "shop"),
        ("_shop_ is down", "shop"),
        ("shopが落ちた", "shop"),
        ("shop이 다운", "shop"),
        ("商品shop挂了", "shop"),
        ("検索が落ちています", "shop-api"),
    ],
)
def test_a_name_is_found_however_it_was_typed(tmp_path: Path, text: str, name: str) -> None:
    service = catalogue.read(written(tmp_path, ONE)).named_in(text)
    assert service is not None
    assert service.name == name


def test_a_blank_that_was_pasted_along_is_no_part_of_a_value(tmp_path: Path) -> None:
    text = (
        '[services.shop]\nsentry = [" shop", "web\u00a0"]\nenvironments = ["production "]\n'
        'owners = ["@ann "]\n'
    )
    shop = catalogue.read(written(tmp_path, text)).get("shop")
    assert shop is not None
    assert (shop.sentry, shop.environments, shop.owners) == (
        ("shop", "web"),
        ("production",),
        ("@ann",),
    )
    assert catalogue.read(written(tmp_path, ONE)).named_in("shop_front is down") is None


def test_what_turns_off_a_flag_runs_beside_the_deployer_the_clone_or_the_file(
    tmp_path: Path,
) -> None:
    command = 'turn_off = ["./flag.sh", "off", "{change}"]'
    deploy = '{ directory = "/srv/a", run = ["d", "{release}"], current = ["c"], releases = ["r"] }'
    text = f"""
[services.a]
{command}
deployer = "command"
deploy = {deploy}
[services.b]
{command}
checkout = "/srv/b"
[services.c]
{command}
"""
    services = catalogue.read(written(tmp_path, text))
    where = [service.turn_off_in for service in services.all()]
    assert where == ["/srv/a", "/srv/b", str(tmp_path)]
    assert all(service.turn_off == ("./flag.sh", "off", "{change}") for service in services.all())
    assert catalogue.read(written(tmp_path, "[services.d]\n")).all()[0].turn_off == ()


def test_the_faults_of_turn_off(tmp_path: Path) -> None:
    text = faults(
        tmp_path,
        """
[services.one]
turn_off = ["./flag.sh", "off"]
[services.two]
turn_off = ["./flag.sh", "--name={change}"]
[services.three]
turn_off = ["{change}"]
[services.four]
turn_off_in = "/srv"
""",
    )
    for part in (
        "service one: turn_off never names what to turn off",
        "service two: turn_off: {change} must be a whole argument of its own",
        "service three: turn_off must begin with the command that is run",
        "service four: unknown key turn_off_in",
    ):
        assert part in text, part
