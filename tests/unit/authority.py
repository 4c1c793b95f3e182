"""A private authority made on the spot, as a company has one, and the certificates that it signs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

OPENSSL = shutil.which("openssl")
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """`file` is its own certificate, for SSL_CERT_FILE."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "authority.pem"
        self._key = folder / "authority.key"
        ca = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        self._run("req", "-x509", *EC, "-subj", "/CN=Acme root", "-days", "2", *ca, **self._out(self._key, self.file))

    def signed(self, name: str, *hosts: str, days: int = 2) -> tuple[Path, Path]:
        """Certificate and key of a server; with negative `days` it has expired."""
        key, asked, made = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        self._run("req", "-new", *EC, "-subj", f"/CN={name}", **self._out(key, asked))
        extra = self.folder / f"{name}.ext"
        extra.write_text(f"subjectAltName={','.join(hosts)}\n")
        by = ("-CA", str(self.file), "-CAkey", str(self._key), "-CAcreateserial", "-extfile", str(extra))
        self._run("x509", "-req", "-in", str(asked), "-days", str(days), *by, "-out", str(made))
        return made, key

    def self_signed(self, name: str, *hosts: str) -> tuple[Path, Path]:
        key, made = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        san = ("-addext", f"subjectAltName={','.join(hosts)}")
        self._run("req", "-x509", *EC, "-subj", f"/CN={name}", "-days", "2", *san, **self._out(key, made))
        return made, key

    @staticmethod
    def _out(key: Path, made: Path) -> dict[str, Path]:
        return {"keyout": key, "out": made}

    @staticmethod
    def _run(*words: str, **files: Path) -> None:
        named = [word for option, path in files.items() for word in (f"-{option}", str(path))]
        subprocess.run([OPENSSL or "openssl", *words, *named], check=True, capture_output=True, timeout=30)
