"""Puts the tables into the page: page.py FOLDER DATE VERSION..."""

import pathlib
import sys

folder, date, *versions = sys.argv[1:]
text = (pathlib.Path(__file__).parent / "page.md").read_text(encoding="utf-8")
for name in ("loops_f32", "loops_int8", "count_f32", "count_int8", "traffic"):
    table = (pathlib.Path(folder) / name).read_text(encoding="utf-8")
    text = text.replace("{" + name + "}", table.strip())
print(text.replace("{date}", date).replace("{versions}", ", ".join(versions)), end="")
