"""JSON lines of the benches as rows of a Markdown table."""
import json, sys

def rates(line):
    for other, ratio in line["ours_to"].items():
        theirs = line["per_second"][other]["median"]
        spread = f' ({ratio["least"]}-{ratio["most"]})' if "least" in ratio else ""
        yield f'{ratio["median"]} of {other}{spread}', f'{line["per_second"]["ours"]["median"]:.0f} / {theirs:.0f} per s'

def others(line):
    known = ("what", "case", "store", "summary")
    yield ", ".join(f"{name} {json.dumps(value)}" for name, value in line.items() if name not in known), ""

print("| store | what | ours | rates |\n| --- | --- | --- | --- |", flush=True)
for line in map(json.loads, sys.stdin):
    if "run" in line:
        print(f'| {line["run"]} | {line["version"]}, {line["cpus"]} CPUs, load {line["load"]} | | |', flush=True)
    if "what" not in line or "side" in line or "plan" in line or "filled" in line:
        continue
    for figure, more in rates(line) if "ours_to" in line else others(line):
        print(f'| {line.get("store", "")} | {line["what"]}: {line["case"]} | {figure} | {more} |', flush=True)
