"""Renews below the minute's gate, in threads of one process: what several processes do at once.

`python -m tests.sign_ins.hammer THREADS SECONDS` prints how many answers it stored.
"""

import random
import sys
import threading
import time

from quota_web import config, store
from quota_web.core import clock
from quota_web.factory import create_app
from quota_web.services import services
from quota_web.sign_ins import renewal, renewal_service


def main() -> None:
    threads, ends_at = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
    app = create_app(config.load(), pages=False)
    done: list[str] = []

    def work(seed: int) -> None:
        draw = random.Random(seed)
        with app.app_context():
            services().ready()
            context = renewal_service.make(services(), "hammer").context
            with store.database.reading() as conn:
                ids = sorted(store.credentials.own(conn))
            while time.monotonic() < ends_at:
                found = renewal.held(context.cipher, draw.choice(ids))
                if found is None or found.credential.renewal != "on":
                    # A lost token's second try is the schedule's alone.
                    continue
                answer = renewal.renew(context, found)
                if answer is not None:
                    done.append(str(answer.verdict))
                renewal_service.settle_lost(clock.now())

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print({word: done.count(word) for word in set(done)}, flush=True)


if __name__ == "__main__":
    main()
