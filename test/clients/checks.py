"""Named checks, run one after another, each printed as it ends."""

import sys
import traceback
from typing import Callable


def run_checks(client: str, checks: dict[str, Callable[[], None]]) -> None:
    failures = 0
    for name, check in checks.items():
        try:
            check()
            print(f"ok      {client}: {name}", flush=True)
        except Exception:
            failures += 1
            print(f"FAILED  {client}: {name}\n{traceback.format_exc()}", flush=True)
    sys.exit(1 if failures else 0)
