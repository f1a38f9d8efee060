"""Checks the links of every Markdown file: files and headings of the project, and pages elsewhere.

Exit status 1 if a link is broken, 3 if most pages elsewhere can't be reached. `--local` leaves pages elsewhere out.
crates/tools has texts that become part of pages in docs.
"""

import re
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
# Pages that exist after a release only.
UNRELEASED = ("https://crates.io/crates/hard-sigmoid", "https://docs.rs/hard-sigmoid")


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    text = FENCE.sub("", path.read_text())
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.M)}


def broken_here(file: Path, link: str) -> str | None:
    """What is wrong with a link to a file or a heading."""
    path, _, anchor = link.partition("#")
    target = (file.parent / path).resolve() if path else file.resolve()
    if not target.exists():
        return "there is no such file"
    if anchor and target.suffix == ".md" and anchor not in anchors(target):
        return "there is no such heading"
    return None


def broken_elsewhere(link: str) -> tuple[str | None, bool]:
    """What is wrong with a page, and whether its server answered."""
    for method in ("HEAD", "GET"):
        request = urllib.request.Request(link, method=method, headers={"User-Agent": "Mozilla/5.0 (link check)"})
        try:
            urllib.request.urlopen(request, timeout=20).close()
            return None, True
        except urllib.error.HTTPError as error:
            # Some servers refuse programs, and some know GET only.
            if error.code in (401, 403, 429):
                return None, True
            problem = f"the server says {error.code}"
        except OSError as error:
            return str(error), False
    return problem, True


def main() -> int:
    files = subprocess.run(["git", "ls-files", "*.md", ":!crates/tools"], check=True, capture_output=True, text=True).stdout.split()
    broken, elsewhere, here = [], {}, 0
    for file in map(Path, files):
        for found in LINK.finditer(FENCE.sub("", file.read_text())):
            link = found[1] or found[2]
            if link.startswith(("https://", "http://")):
                if not link.startswith(UNRELEASED):
                    elsewhere.setdefault(link.partition("#")[0], file)
                continue
            here += 1
            if problem := broken_here(file, link):
                broken.append(f"{file}: {link}: {problem}")
    print(f"{here} links within the project")
    unreached = 0
    if "--local" not in sys.argv:
        with ThreadPoolExecutor(16) as pool:
            for (link, file), (problem, answered) in zip(elsewhere.items(), pool.map(broken_elsewhere, elsewhere)):
                unreached += not answered
                if problem:
                    broken.append(f"{file}: {link}: {problem}")
        print(f"{len(elsewhere)} pages elsewhere, of which {unreached} can't be reached")
        if 2 * unreached > len(elsewhere):
            print("most pages can't be reached: is there a network?", file=sys.stderr)
            return 3
    for one in broken:
        print(one, file=sys.stderr)
    return 1 if broken else 0


sys.exit(main())
