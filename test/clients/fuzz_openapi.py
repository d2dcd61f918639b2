"""schemathesis over the served OpenAPI document: no 5xx, no answer that the document does not describe."""

import subprocess
import sys
from pathlib import Path

checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
command = [
    str(Path(sys.executable).parent / "schemathesis"),
    "run",
    f"{sys.argv[1]}/openapi.json",
    "--checks",
    checks,
    "--phases",
    "examples,coverage,fuzzing",
    "--max-examples",
    "40",
    "--seed",
    "1",
    "--request-timeout",
    "30",
]
done = subprocess.run(command, check=False)
print("ok      schemathesis" if done.returncode == 0 else "FAILED  schemathesis", flush=True)
sys.exit(done.returncode)
