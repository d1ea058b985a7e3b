"""The container's health check: status 0 while the service can do its work, 1 and the reason
otherwise.
"""

import sys
import urllib.error
import urllib.request

URL = "http://127.0.0.1:{port}/readyz"


def main(port: str) -> int:
    # The health routes lie at the root whatever QUOTA_URL_PREFIX says, and a proxy has no business
    # between us and ourselves.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(URL.format(port=port), timeout=4):
            return 0
    except urllib.error.HTTPError as error:
        with error:
            print(error.read(1_000).decode("utf-8", "replace").strip())
    except OSError as error:
        print(f"no answer: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "8081"))
