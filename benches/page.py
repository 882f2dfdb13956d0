"""Puts tables into a page: page.py PAGE FOLDER DATE VERSION... where {name} in the page stands for the file FOLDER/name."""

import pathlib
import re
import sys

page, folder, date, *versions = sys.argv[1:]
known = {"date": date, "versions": ", ".join(versions)}


def table(name):
    return known.get(name[1]) or pathlib.Path(folder, name[1]).read_text(encoding="utf-8").strip()


print(re.sub(r"\{([a-z]\w*)\}", table, pathlib.Path(page).read_text(encoding="utf-8")), end="")
