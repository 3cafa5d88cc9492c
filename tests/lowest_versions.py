"""Print the lowest versions that pyproject.toml allows, as constraints for pip.

`make test-lowest` installs exactly these, so that every lower bound is one that has been run.
"""

import re
import tomllib
from pathlib import Path

EXTRAS = ("datasets", "export", "images", "plot", "test")

project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]
requirements = set(project["dependencies"])
for extra in EXTRAS:
    requirements.update(project["optional-dependencies"][extra])
for requirement in sorted(requirements):
    name, version = re.match(r"([\w-]+)>=([\d.]+)", requirement).groups()
    print(f"{name}=={version}")
