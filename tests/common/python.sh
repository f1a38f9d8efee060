# Sourced after fetch.sh. Makes the Python environment `frameworks`. The frameworks are large, so it is kept.
command -v python3 >/dev/null || install python3 python3-venv
python3 -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 10))' || install python3-venv
frameworks="${XDG_CACHE_HOME:-$HOME/.cache}/hard-sigmoid/python"
[ -x "$frameworks/bin/python" ] || python3 -m venv "$frameworks"
