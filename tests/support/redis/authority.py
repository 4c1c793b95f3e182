"""A private certificate authority, made for one test as a company has one, and its certificates."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

OPENSSL = shutil.which("openssl")
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
# RFC 5280 asks for these extensions, and Python 3.13 insists on them (VERIFY_X509_STRICT). The
# machine's own openssl.cnf is left out.
CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
subjectKeyIdentifier = hash
{signed}
subjectAltName = {hosts}
"""


class Authority:
    """`file` is its own certificate, for SSL_CERT_FILE."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file, _ = self._own("authority", "authority", "DNS:acme.example.com")

    def signed(self, name: str, *hosts: str, days: int = 2) -> tuple[Path, Path]:
        """Certificate and key of a server; with negative `days` it has expired."""
        config = self._config(name, ",".join(hosts), "authorityKeyIdentifier = keyid")
        made, key, asked = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
        _run("req", "-new", *EC, "-config", config, "-keyout", key, "-out", asked)
        by = ("-CA", self.file, "-CAkey", self.folder / "authority.key", "-CAcreateserial")
        extensions = ("-extfile", config, "-extensions", "server")
        _run("x509", "-req", "-in", asked, "-days", days, *by, *extensions, "-out", made)
        return made, key

    def self_signed(self, name: str, *hosts: str) -> tuple[Path, Path]:
        return self._own(name, "server", ",".join(hosts))

    def _own(self, name: str, kind: str, hosts: str) -> tuple[Path, Path]:
        config = self._config(name, hosts, "")
        made, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        extensions = ("-config", config, "-extensions", kind)
        _run("req", "-x509", *EC, *extensions, "-days", 2, "-keyout", key, "-out", made)
        return made, key

    def _config(self, name: str, hosts: str, signed: str) -> Path:
        file = self.folder / f"{name}.cnf"
        file.write_text(CONFIG.format(name=f"Acme {name}", hosts=hosts, signed=signed))
        return file


def _run(*words: object) -> None:
    subprocess.run(
        [OPENSSL or "openssl", *map(str, words)], check=True, capture_output=True, timeout=30
    )
