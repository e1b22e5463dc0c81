"""List the picture-book stories and their authors: credits.py pb-source-en.tar.gz > CREDITS.md"""
import re
import sys
import tarfile

rows = []
with tarfile.open(sys.argv[1]) as tar:
    for member in tar:
        if not member.name.endswith(".md") or "/" not in member.name:
            continue
        raw = tar.extractfile(member).read().decode("utf-8", "replace")
        title, text = re.search(r"^# *(.+)$", raw, re.M), re.search(r"^\* Text: *(.+)$", raw, re.M)
        if "License: [CC-BY]" in raw and title and text:
            rows.append(f"- {title.group(1).strip()}, by {text.group(1).strip()}")
print("# Picture-book stories\n\nStories of Pratham Books' StoryWeaver and its authors, each licensed CC BY 4.0, used as training text for Grist"
      " (quotation marks made straight, layout and pictures left out).\n")
print("\n".join(sorted(set(rows))))
