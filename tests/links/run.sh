#!/usr/bin/env bash
# Checks every link of the documents: files and headings here, and pages elsewhere where there is a network. Run by `./test.sh links`.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 tests/links/check.py
