#!/usr/bin/env python3
"""The public items of the crate `dwsep`, with all features, against the committed list: a change of the API shows in a diff.

    tools/public-api.py            compares
    tools/public-api.py --write    writes kernels/public-api.txt

Read from the pages of rustdoc, since those of the stable compiler have every signature as text; its JSON needs a nightly one. The modules
`testing` and `guide` are left out: nothing is promised of the first, and nothing is in the second. So are implementations for every type,
methods of traits where they are implemented, and the auto traits but Send and Sync.
"""

import difflib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "kernels/public-api.txt"
LEFT_OUT = ("testing/", "guide/")
# <div id="..."> around implementations, and what of them counts.
INHERENT, TRAITS, AUTO = (
    "implementations-list",
    "trait-implementations-list",
    "synthetic-implementations-list",
)
SECTIONS = (INHERENT, TRAITS, AUTO, "blanket-implementations-list", "deref-methods")


class Page(HTMLParser):
    """Declarations on a page of an item: the item's own, and those of its implementations."""

    def __init__(self):
        super().__init__()
        self.section = None
        self.inside = None  # the element that a declaration is the text of
        self.hidden = 0  # words of the page, such as "Show 17 variants", within a declaration
        self.text = ""
        self.declarations = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "div" and attributes.get("id", "").startswith(SECTIONS):
            self.section = attributes["id"]
        classes = (attributes.get("class") or "").split()
        if self.inside is None and ("item-decl" in classes or "code-header" in classes):
            self.inside, self.text = tag, ""
        elif self.inside and tag == "summary":
            self.hidden += 1

    def handle_endtag(self, tag):
        if self.inside and tag == "summary":
            self.hidden -= 1
        elif tag == self.inside:
            self.declare(re.sub(r"\s+", " ", self.text).strip(" ⓘ"))
            self.inside = None

    def handle_data(self, data):
        if self.inside and not self.hidden:
            self.text += data

    def declare(self, text):
        is_item, is_method = self.inside == "pre", self.inside == "h4"
        is_impl = self.inside == "h3" and text.startswith(("impl", "unsafe impl"))
        # A trait's own methods and an enum's variants are within the item's declaration, and what implements the trait is below it.
        counts = {
            None: is_item or is_impl,
            INHERENT: True,
            TRAITS: is_impl,
            AUTO: is_impl and re.search(r"\b(Send|Sync) for ", text),
        }
        if counts.get(self.section):
            self.declarations.append("  " * is_method + text)


def main():
    subprocess.run(
        ["cargo", "doc", "--locked", "--quiet", "--package", "dwsep", "--no-deps", "--all-features"],
        cwd=ROOT,
        check=True,
    )
    docs = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "doc/dwsep"
    lines = []
    links = re.findall(r'<li><a href="([^"#]+\.html)"[^>]*>([^<]+)', (docs / "all.html").read_text())
    links = [(href, name) for href, name in links if not href.startswith(LEFT_OUT)]
    for href, name in links:
        page = Page()
        page.feed((docs / href).read_text())
        if not page.declarations:
            sys.exit(f"public-api: {href} declares nothing; rustdoc writes its pages in another way than this script knows")
        lines += [f"dwsep::{name}", *(f"  {text}" for text in page.declarations), ""]
    if not lines:
        sys.exit("public-api: no items; rustdoc writes its pages in another way than this script knows")
    found = "\n".join(lines)
    if sys.argv[1:] == ["--write"]:
        LIST.write_text(found)
        return
    committed = LIST.read_text()
    if committed != found:
        diff = difflib.unified_diff(
            committed.splitlines(), found.splitlines(), "committed", "found", lineterm=""
        )
        print(*diff, sep="\n")
        sys.exit("public-api: the public items are not the committed ones. Meant? Then tools/public-api.py --write, and a line in CHANGELOG.md")
    print(f"public-api: {len(links)} items as committed")


main()
