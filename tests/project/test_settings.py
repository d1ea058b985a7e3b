"""The environment becomes typed settings, or one line that names the variable and shows no
secret.
"""

from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from quota_web import config
from quota_web.config import load
from quota_web.core.alert_targets import AlertTargets
from quota_web.core.checkout import PROJECT
from quota_web.core.errors import BadSetting
from quota_web.version import __version__

SECRET = "CANARY-9f1c2b"

#: variable → (field, default)
DEFAULTS = {
    "QUOTA_INSTANCE_DIR": ("instance_dir", PROJECT / "instance"),
    "QUOTA_DATABASE_URL": ("database_url", f"sqlite:///{PROJECT}/instance/quota.sqlite"),
    "QUOTA_USAGE_URL": ("usage_url", "https://chatgpt.com/backend-api/wham/usage"),
    "QUOTA_USER_AGENT": ("user_agent", f"codex-quota/{__version__}"),
    "QUOTA_HTTPS_PROXY": ("https_proxy", None),
    "QUOTA_CA_BUNDLE": ("ca_bundle", None),
    "QUOTA_ACCOUNT_DIR": ("account_dir", PROJECT / "account"),
    "QUOTA_REFRESH_INTERVAL": ("refresh_interval", 3600),
    "QUOTA_ACTIVE_INTERVAL": ("active_interval", 300),
    "QUOTA_RETRIES": ("retries", 3),
    "QUOTA_RETRY_DELAY": ("retry_delay", 2.0),
    "QUOTA_TIMEOUT": ("timeout", 30.0),
    "QUOTA_CACHE_SECONDS": ("cache_seconds", 900),
    "QUOTA_CONCURRENCY": ("concurrency", 16),
    "QUOTA_AUTH_URL": ("auth_url", "https://auth.openai.com"),
    "QUOTA_RENEW": ("renew", "own"),
    "QUOTA_OAUTH_CLIENT_ID": ("oauth_client_id", "app_EMoamEEZ73f0CkXaXp7hrann"),
    "QUOTA_EXTRAS": ("extras", ()),
    "QUOTA_PASSWORD": ("password", None),
    "QUOTA_SECRET_KEY": ("secret_key", None),
    "QUOTA_SECRET_KEY_OLD": ("secret_key_old", None),
    "QUOTA_AUTH": ("auth", "password"),
    "QUOTA_PROXY_USER_HEADER": ("proxy_user_header", "Remote-User"),
    "QUOTA_TRUSTED_PROXIES": ("trusted_proxies", ()),
    "QUOTA_TRUSTED_HOSTS": ("trusted_hosts", ()),
    "QUOTA_URL_PREFIX": ("url_prefix", ""),
    "QUOTA_STATE_FILE": ("state_file", None),
    "QUOTA_ALERT_TARGETS": ("alert_targets", AlertTargets()),
    "QUOTA_PUBLIC_URL": ("public_url", None),
    "QUOTA_RETENTION_DAYS": ("retention_days", None),
    "QUOTA_BACKUP_DIR": ("backup_dir", None),
    "QUOTA_BACKUP_KEEP": ("backup_keep", 14),
    "QUOTA_TIMEZONE": ("timezone", None),
    "QUOTA_LOG_FORMAT": ("log_format", "text"),
    "QUOTA_LANGUAGE": ("language", None),
}

GOOD = [
    ("QUOTA_INSTANCE_DIR", "/srv/../srv/quota", Path("/srv/quota")),
    ("QUOTA_INSTANCE_DIR", "here", Path.cwd() / "here"),
    ("QUOTA_INSTANCE_DIR", "~/quota", Path.home() / "quota"),
    ("QUOTA_DATABASE_URL", "sqlite:////srv/q.sqlite", "sqlite:////srv/q.sqlite"),
    ("QUOTA_DATABASE_URL", "postgresql://u:p@db/quota", "postgresql+psycopg://u:p@db/quota"),
    ("QUOTA_DATABASE_URL", "postgres:///quota", "postgresql+psycopg:///quota"),
    ("QUOTA_USAGE_URL", "http://127.0.0.1:8000/x?y=1", "http://127.0.0.1:8000/x?y=1"),
    ("QUOTA_USAGE_URL", "http://localhost/x", "http://localhost/x"),
    ("QUOTA_USAGE_URL", "http://[::1]:8000/", "http://[::1]:8000/"),
    ("QUOTA_USAGE_URL", "http://192.168.7.7/x", "http://192.168.7.7/x"),
    ("QUOTA_USAGE_URL", "https://example.org/x", "https://example.org/x"),
    ("QUOTA_USER_AGENT", "Mozilla/5.0 (X11)", "Mozilla/5.0 (X11)"),
    ("QUOTA_HTTPS_PROXY", "http://u:p@proxy:3128", "http://u:p@proxy:3128"),
    ("QUOTA_HTTPS_PROXY", "proxy:3128", "http://proxy:3128"),
    ("QUOTA_HTTPS_PROXY", "socks5h://proxy:1080", "socks5h://proxy:1080"),
    ("QUOTA_CA_BUNDLE", __file__, __file__),
    ("QUOTA_REFRESH_INTERVAL", " 60 ", 60),
    ("QUOTA_ACTIVE_INTERVAL", "30", 30),
    ("QUOTA_RETRIES", "0", 0),
    ("QUOTA_RETRY_DELAY", "0", 0.0),
    ("QUOTA_RETRY_DELAY", ".5", 0.5),
    ("QUOTA_TIMEOUT", "12.5", 12.5),
    ("QUOTA_CACHE_SECONDS", "0", 0),
    ("QUOTA_CONCURRENCY", "64", 64),
    ("QUOTA_AUTH_URL", "https://auth.example.org/x/", "https://auth.example.org/x"),
    ("QUOTA_AUTH_URL", "http://127.0.0.1:9/", "http://127.0.0.1:9"),
    ("QUOTA_RENEW", "Off", "off"),
    ("QUOTA_OAUTH_CLIENT_ID", "app_x.y-1", "app_x.y-1"),
    ("QUOTA_EXTRAS", "Workspace, subscription", ("workspace", "subscription")),
    ("QUOTA_AUTH", "OFF", "off"),
    ("QUOTA_PROXY_USER_HEADER", "X-Auth-User", "X-Auth-User"),
    (
        "QUOTA_TRUSTED_PROXIES",
        "127.0.0.1, 10.1.2.3/8 ::1",
        (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("::1")),
    ),
    ("QUOTA_TRUSTED_HOSTS", "Quota.Example.org., intra", ("quota.example.org", "intra")),
    ("QUOTA_URL_PREFIX", "quota/", "/quota"),
    ("QUOTA_URL_PREFIX", "/", ""),
    ("QUOTA_URL_PREFIX", "/a/b", "/a/b"),
    ("QUOTA_STATE_FILE", "/tmp/../tmp/results.json", Path("/tmp/results.json")),
    (
        "QUOTA_ALERT_TARGETS",
        "Ntfy.LAN, 10.1.2.3/8 [::1]",
        AlertTargets(frozenset({"ntfy.lan"}), (ip_network("10.0.0.0/8"), ip_network("::1"))),
    ),
    ("QUOTA_PUBLIC_URL", "https://quota.example.org/q/", "https://quota.example.org/q"),
    ("QUOTA_PUBLIC_URL", "http://localhost:8081", "http://localhost:8081"),
    ("QUOTA_RETENTION_DAYS", "90", 90),
    ("QUOTA_BACKUP_DIR", "/var/backups/quota", Path("/var/backups/quota")),
    ("QUOTA_BACKUP_KEEP", "30", 30),
    ("QUOTA_TIMEZONE", "Europe/Berlin", ZoneInfo("Europe/Berlin")),
    ("QUOTA_LOG_FORMAT", "json", "json"),
    ("QUOTA_LANGUAGE", "ZH", "zh"),
]

BAD = [
    ("QUOTA_DATABASE_URL", "mysql://x/y"),
    ("QUOTA_DATABASE_URL", "sqlite:///:memory:"),
    ("QUOTA_DATABASE_URL", "sqlite://"),
    ("QUOTA_DATABASE_URL", "/srv/q.sqlite"),
    ("QUOTA_USAGE_URL", "http://example.org/x"),
    ("QUOTA_USAGE_URL", "http://[::ffff:8.8.8.8]/x"),
    ("QUOTA_USAGE_URL", "http://169.254.169.254/x"),
    ("QUOTA_USAGE_URL", "http://0.0.0.0/x"),
    ("QUOTA_USAGE_URL", "ftp://127.0.0.1/x"),
    ("QUOTA_USAGE_URL", "https://"),
    ("QUOTA_USAGE_URL", "https://example.org:99999/"),
    ("QUOTA_USAGE_URL", "https://[::1"),
    ("QUOTA_USAGE_URL", "https://example.org/#x"),
    ("QUOTA_USAGE_URL", "https://exa mple.org/"),
    ("QUOTA_USER_AGENT", "é"),
    ("QUOTA_USER_AGENT", "x" * 201),
    ("QUOTA_HTTPS_PROXY", "ftp://proxy:1"),
    ("QUOTA_HTTPS_PROXY", "http://:3128"),
    ("QUOTA_CA_BUNDLE", "/nonexistent/ca.pem"),
    ("QUOTA_REFRESH_INTERVAL", "0"),
    ("QUOTA_REFRESH_INTERVAL", "1e3"),
    ("QUOTA_REFRESH_INTERVAL", "1_000"),
    ("QUOTA_REFRESH_INTERVAL", "٣٦٠٠"),
    ("QUOTA_ACTIVE_INTERVAL", "-1"),
    ("QUOTA_RETRIES", "three"),
    ("QUOTA_RETRIES", "21"),
    ("QUOTA_RETRIES", "9" * 5000),
    ("QUOTA_RETRY_DELAY", "nan"),
    ("QUOTA_RETRY_DELAY", "-0.1"),
    ("QUOTA_TIMEOUT", "0"),
    ("QUOTA_TIMEOUT", "inf"),
    ("QUOTA_CACHE_SECONDS", "-1"),
    ("QUOTA_CONCURRENCY", "0"),
    ("QUOTA_CONCURRENCY", "1.5"),
    ("QUOTA_SECRET_KEY", "x" * 15),
    ("QUOTA_AUTH_URL", "http://auth.example.org"),
    ("QUOTA_AUTH_URL", "http://169.254.169.254"),
    ("QUOTA_AUTH_URL", "https://auth.example.org/?a=b"),
    ("QUOTA_RENEW", "copies"),
    ("QUOTA_OAUTH_CLIENT_ID", "app x"),
    ("QUOTA_EXTRAS", "consume"),
    ("QUOTA_AUTH", "none"),
    ("QUOTA_PROXY_USER_HEADER", "X User"),
    ("QUOTA_TRUSTED_PROXIES", "10.0.0.0/99"),
    ("QUOTA_TRUSTED_PROXIES", ","),
    ("QUOTA_TRUSTED_HOSTS", "https://example.org"),
    ("QUOTA_URL_PREFIX", "/a/../b"),
    ("QUOTA_URL_PREFIX", "/a b"),
    ("QUOTA_STATE_FILE", "/nonexistent/results.json"),
    ("QUOTA_STATE_FILE", "/tmp"),
    ("QUOTA_ALERT_TARGETS", "https://ntfy.lan"),
    ("QUOTA_ALERT_TARGETS", ".lan"),
    ("QUOTA_ALERT_TARGETS", "10.0.0.0/99"),
    ("QUOTA_ALERT_TARGETS", "*"),
    ("QUOTA_PUBLIC_URL", "quota.example.org"),
    ("QUOTA_PUBLIC_URL", "https://me:pw@quota.example.org"),
    ("QUOTA_PUBLIC_URL", "https://quota.example.org/?a=b"),
    ("QUOTA_RETENTION_DAYS", "0"),
    ("QUOTA_BACKUP_KEEP", "0"),
    ("QUOTA_TIMEZONE", "Mars/Olympus"),
    ("QUOTA_TIMEZONE", "../../etc/passwd"),
    ("QUOTA_TIMEZONE", "/etc/localtime"),
    ("QUOTA_LOG_FORMAT", "xml"),
    ("QUOTA_LANGUAGE", "fr"),
]


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(BadSetting) as refused:
        load(environ)
    return str(refused.value)


@pytest.mark.parametrize("variable", DEFAULTS)
def test_every_setting_has_its_default(variable):
    field, default = DEFAULTS[variable]

    assert getattr(load({}), field) == default


def test_the_table_of_defaults_is_whole():
    beside = {"account_dir_named", "no_proxy", "only_account", "skip_cache"}

    assert {field for field, _ in DEFAULTS.values()} | beside == set(config.Settings.__slots__)


@pytest.mark.parametrize(("variable", "value", "read"), GOOD)
def test_a_good_value_is_read(variable, value, read):
    assert getattr(load({variable: value}), DEFAULTS[variable][0]) == read


@pytest.mark.parametrize(("variable", "value"), BAD)
def test_a_bad_value_is_one_line_that_names_the_variable(variable, value):
    line = refusal({variable: value})

    assert line.startswith(f"{variable}: ")
    assert "\n" not in line
    assert len(line) < 300


@pytest.mark.parametrize("variable", DEFAULTS)
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_value_counts_as_not_set(variable, empty):
    field, default = DEFAULTS[variable]

    assert getattr(load({variable: empty}), field) == default


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("QUOTA_DATABASE_URL", f"oracle://u:{SECRET}@db/x"),
        ("QUOTA_USAGE_URL", f"https://u:{SECRET}@example.org/"),
        ("QUOTA_USAGE_URL", f"https://{SECRET}@example.org/"),
        ("QUOTA_HTTPS_PROXY", f"ftp://u:{SECRET}@proxy:1"),
        ("HTTPS_PROXY", f"ftp://u:{SECRET}@proxy:1"),
        ("QUOTA_SECRET_KEY", SECRET),
    ],
)
def test_a_refusal_shows_no_secret(variable, value):
    assert SECRET not in refusal({variable: value})


def test_settings_show_no_secret_when_printed():
    settings = load(
        {
            "QUOTA_PASSWORD": SECRET,
            "QUOTA_SECRET_KEY": SECRET * 2,
            "QUOTA_HTTPS_PROXY": f"http://u:{SECRET}@proxy:1",
            "QUOTA_DATABASE_URL": f"postgresql://u:{SECRET}@db/x",
        }
    )

    assert SECRET not in repr(settings)
    assert settings.password is not None
    assert settings.password.reveal() == SECRET


SECRETS = [
    "QUOTA_PASSWORD",
    "QUOTA_SECRET_KEY",
    "QUOTA_SECRET_KEY_OLD",
    "QUOTA_DATABASE_URL",
    "QUOTA_HTTPS_PROXY",
]
VALUES = dict.fromkeys(SECRETS, SECRET * 2) | {
    "QUOTA_DATABASE_URL": "postgresql+psycopg://u:p@db/x",
    "QUOTA_HTTPS_PROXY": "http://u:p@proxy:1",
}


@pytest.mark.parametrize("variable", SECRETS)
def test_secrets_can_stand_in_a_file(variable, tmp_path):
    file = tmp_path / "secret"
    file.write_text(VALUES[variable] + "\n")

    found = getattr(load({f"{variable}_FILE": str(file)}), DEFAULTS[variable][0])

    assert (found if isinstance(found, str) else found.reveal()) == VALUES[variable]


@pytest.mark.parametrize("variable", SECRETS)
def test_a_secret_file_must_be_readable_text(variable, tmp_path):
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text(" \n")
    binary.write_bytes(b"\xff\xfe")
    lines = [
        refusal({f"{variable}_FILE": str(file)})
        for file in (tmp_path / "missing", tmp_path, empty, binary)
    ]

    assert all(line.startswith(f"{variable}_FILE: ") for line in lines)
    assert [
        "No such file" in lines[0],
        "Is a directory" in lines[1],
        "is empty" in lines[2],
        "not UTF-8" in lines[3],
    ] == [True] * 4


def test_a_secret_and_its_file_at_once_are_refused(tmp_path):
    assert (
        refusal({"QUOTA_PASSWORD": "x" * 1001})
        == "QUOTA_PASSWORD: 1001 characters are too many; give 1000 or fewer"
    )
    assert refusal({"QUOTA_PASSWORD": "a", "QUOTA_PASSWORD_FILE": str(tmp_path)}).startswith(
        "QUOTA_PASSWORD: "
    )


def test_a_short_key_in_a_file_is_refused_without_being_shown(tmp_path):
    file = tmp_path / "key"
    file.write_text(SECRET)

    line = refusal({"QUOTA_SECRET_KEY_FILE": str(file)})

    assert line == f"QUOTA_SECRET_KEY_FILE: {len(SECRET)} characters are too few; give 16 or more"


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({"HTTPS_PROXY": "http://a:1"}, "http://a:1"),
        ({"https_proxy": "http://a:1"}, "http://a:1"),
        ({"ALL_PROXY": "socks5h://a:1"}, "socks5h://a:1"),
        ({"HTTPS_PROXY": "http://a:1", "ALL_PROXY": "http://b:1"}, "http://a:1"),
        ({"QUOTA_HTTPS_PROXY": "http://q:1", "HTTPS_PROXY": "http://a:1"}, "http://q:1"),
        ({"HTTP_PROXY": "http://a:1"}, None),
    ],
)
def test_the_way_out_falls_back_to_the_conventional_variables(environ, proxy):
    assert load(environ).https_proxy == proxy


def test_no_proxy_and_certificates_fall_back_too():
    assert load({"no_proxy": "localhost,.example.org"}).no_proxy == "localhost,.example.org"
    assert load({"REQUESTS_CA_BUNDLE": __file__}).ca_bundle == __file__
    assert load({"SSL_CERT_FILE": __file__}).ca_bundle == __file__
    assert refusal({"SSL_CERT_FILE": "/nonexistent/ca.pem"}).startswith("SSL_CERT_FILE: ")


def test_a_proxy_that_names_the_user_must_be_trusted():
    assert refusal({"QUOTA_AUTH": "proxy"}).startswith(
        "QUOTA_AUTH: proxy needs QUOTA_TRUSTED_PROXIES"
    )
    assert load({"QUOTA_AUTH": "proxy", "QUOTA_TRUSTED_PROXIES": "127.0.0.1"}).auth == "proxy"


def test_the_active_interval_is_never_longer_than_the_idle_one():
    assert load({"QUOTA_REFRESH_INTERVAL": "60"}).active_interval == 60
    assert (
        load({"QUOTA_REFRESH_INTERVAL": "60", "QUOTA_ACTIVE_INTERVAL": "90"}).active_interval == 60
    )


def test_the_database_lies_in_the_instance_folder():
    assert load({"QUOTA_INSTANCE_DIR": "/srv/q"}).database_url == "sqlite:////srv/q/quota.sqlite"


def test_a_named_account_folder_is_told_from_the_default_one():
    assert not load({}).account_dir_named
    assert load({"QUOTA_ACCOUNT_DIR": "/srv/a"}).account_dir_named


def test_options_win_over_the_environment():
    settings = load({"QUOTA_RETRIES": "7"})

    assert settings.with_options(retries=1, retry_delay=None).retries == 1
    assert settings.with_options(retries=None).retries == 7
