#!/usr/bin/env bash
# Rewrites requirements/*.txt from pyproject.toml: every version pinned, every file hashed.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { uv pip compile pyproject.toml "$@" --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header --quiet; }
compile --output-file requirements/runtime.txt
compile --group dev --group interop --output-file requirements/dev.txt --constraints requirements/runtime.txt
