"""A certificate authority of the tests' own, for servers on loopback."""

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """A certificate authority of our own in *folder*: makes server contexts, and is trusted through
    its bundle.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        own = issued(
            "Test authority",
            self._key,
            "Test authority",
            self._key,
            1,
            [x509.BasicConstraints(ca=True, path_length=None), usage],
        )
        self.bundle = str(folder / "authority.pem")
        Path(self.bundle).write_bytes(own)

    def server(
        self, *, host: str = "127.0.0.1", days: int = 1, self_signed: bool = False
    ) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = (
            x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        )
        issuer = (host, key) if self_signed else ("Test authority", self._key)
        certificate = issued(host, key, *issuer, days, [x509.SubjectAlternativeName([name])])
        file = self._folder / "server.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file.write_bytes(private + certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def issued(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    days: int,
    more: list[x509.ExtensionType],
) -> bytes:
    """A certificate as PEM that ends *days* from now."""
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (subject, issuer)
    ]
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(
        names[1], names[0], key.public_key(), x509.random_serial_number()
    )
    builder = builder.not_valid_before(now - dt.timedelta(days=9)).not_valid_after(
        now + dt.timedelta(days=days)
    )
    more = [*more, x509.SubjectKeyIdentifier.from_public_key(key.public_key())]
    more.append(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()))
    for extension in more:
        builder = builder.add_extension(
            extension, critical=isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
        )
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
