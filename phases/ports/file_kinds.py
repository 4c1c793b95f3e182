"""The kinds of files in a repository, told by their names alone."""

import re
from enum import StrEnum
from functools import lru_cache


class FileKind(StrEnum):
    CODE = "code"
    DEPENDENCY = "dependency"
    TESTS = "tests"
    CI = "build and CI settings"
    DOCS = "documentation"
    MIGRATION = "migration"
    CONFIGURATION = "configuration"
    SCHEMA = "schema of messages"
    STYLE = "styles and fonts"


_KINDS = {
    FileKind.DEPENDENCY: re.compile(
        r"(?:^|/)(?:requirements[^/]*\.(?:txt|in)|constraints[^/]*\.txt|pyproject\.toml"
        r"|poetry\.lock|uv\.lock|pdm\.lock|pipfile(?:\.lock)?"
        r"|setup\.(?:py|cfg)|environment\.ya?ml|package\.json|package-lock\.json"
        r"|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?"
        r"|go\.(?:mod|sum)|cargo\.(?:toml|lock)|gemfile(?:\.lock)?|[^/]+\.gemspec"
        r"|composer\.(?:json|lock)|pom\.xml|build\.gradle(?:\.kts)?"
        r"|gradle\.lockfile|libs\.versions\.toml|[^/]+\.csproj|packages\.config"
        r"|packages\.lock\.json|directory\.packages\.props|mix\.(?:exs|lock)"
        r"|rebar\.(?:config|lock)|pubspec\.(?:yaml|lock)|package\.(?:swift|resolved)"
        r"|podfile(?:\.lock)?|deps\.edn|project\.clj|build\.sbt|conanfile\.(?:txt|py)"
        r"|vcpkg\.json|\.tool-versions|\.python-version|\.nvmrc|\.node-version|\.ruby-version"
        r"|runtime\.txt|flake\.lock)$"
        r"|(?:^|/)requirements/[^/]+\.txt$",
        re.IGNORECASE,
    ),
    FileKind.TESTS: re.compile(
        r"(?:^|/)(?:tests?|testing|specs?|__tests__|__mocks__|fixtures|testdata|e2e|cypress)/"
        r"|(?:^|/)(?:test_[^/]*|conftest\.py|[^/]*(?:_test|_spec|\.test|\.spec|-test"
        r"|-spec)\.[a-z]+)$"
        r"|(?:^|/)[^/]*(?-i:Tests?|Spec|IT)\.(?:java|kt|cs|scala|swift|php|groovy)$",
        re.IGNORECASE,
    ),
    FileKind.CI: re.compile(
        r"(?:^|/)(?:\.github|\.circleci|\.gitlab|\.buildkite|\.azure-pipelines|\.devcontainer"
        r"|\.vscode|\.idea)/"
        r"|(?:^|/)(?:\.gitlab-ci\.yml|\.travis\.yml|appveyor\.yml|jenkinsfile|azure-pipelines\.yml"
        r"|tox\.ini|noxfile\.py|\.coveragerc"
        r"|\.pre-commit-config\.yaml|\.flake8|\.pylintrc|\.rubocop\.yml|\.eslintrc[^/]*"
        r"|\.prettierrc[^/]*|mypy\.ini|pytest\.ini"
        r"|ruff\.toml|codecov\.yml|renovate\.json|dependabot\.yml)$",
        re.IGNORECASE,
    ),
    FileKind.DOCS: re.compile(
        r"\.(?:md|mdx|rst|adoc|txt|png|jpe?g|gif|svg|ico|pdf)$"
        r"|(?:^|/)docs?/|(?:^|/)(?:licen[cs]e|copying|notice|authors|contributors|changelog"
        r"|changes|news|codeowners|readme)(?:\.[a-z]+)?$"
        r"|(?:^|/)\.(?:gitignore|gitattributes|mailmap|editorconfig|all-contributorsrc)$",
        re.IGNORECASE,
    ),
    FileKind.MIGRATION: re.compile(
        r"(?:^|/)(?:migrations?|migrate|alembic|flyway|liquibase)/|\.sql$|(?:^|/)schema\.(?:rb"
        r"|prisma)$",
        re.IGNORECASE,
    ),
    FileKind.STYLE: re.compile(
        r"\.(?:css|scss|sass|less|styl|woff2?|ttf|otf|eot|webp|avif)$", re.IGNORECASE
    ),
    FileKind.SCHEMA: re.compile(
        r"\.(?:avsc|avdl|proto|graphqls?|gql|thrift|xsd|wsdl|fbs|capnp|raml)$"
        r"|(?:^|/)(?:openapi|swagger|asyncapi)[^/]*\.(?:ya?ml|json)$",
        re.IGNORECASE,
    ),
    FileKind.CONFIGURATION: re.compile(
        r"\.(?:ya?ml|toml|ini|cfg|conf|config|properties|env|hcl|tf|tfvars|plist)$"
        r"|\.env(?:\.[\w-]+)?$"
        r"|(?:^|/)(?:config|configs|conf|settings|deploy|deployment|k8s|kubernetes|helm|charts"
        r"|terraform|ansible|infra|flags|features?_flags?)/"
        r"|(?:^|/)(?:dockerfile[^/]*|docker-compose[^/]*|compose\.ya?ml|procfile|nginx[^/]*"
        r"|settings[^/]*\.py|config[^/]*\.(?:py|js|ts|rb|go|json|php|exs?)"
        r"|appsettings[^/]*\.json|application[^/]*\.(?:ya?ml|properties)|feature[-_]?flags?[^/]*"
        r"|flags\.[a-z]+|web\.config|\.htaccess)$",
        re.IGNORECASE,
    ),
}
"""The first that fits counts."""


@lru_cache(maxsize=20_000)
def kind_of(path: str) -> FileKind:
    """Say which kind of file this is, by its name alone.

    `requirements.txt` is no documentation, `tests/config.yml` is a test.
    """
    kinds = (kind for kind, pattern in _KINDS.items() if pattern.search(path))
    return next(kinds, FileKind.CODE)
