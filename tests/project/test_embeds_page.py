"""What docs/embeds.md promises of parameters and answers is what the code offers."""

import re

from quota_web.core.checkout import PROJECT
from quota_web.core.language import LANGUAGES
from quota_web.web import embed_options, lanes_svg
from tests.pages import visiting

PAGE = (PROJECT / "docs" / "embeds.md").read_text(encoding="utf-8")
KINDS = ("badge", "chart", "board")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in cells] for cells in found[2:]]


def test_its_parameters_are_those_that_are_offered():
    told: dict[str, dict[str, tuple[str, ...]]] = {kind: {} for kind in KINDS}
    for name, *cells in rows("Parameters"):
        for kind, cell in zip(KINDS, cells, strict=True):
            if cell:
                told[kind][name.strip("`")] = tuple(re.findall(r"`(\w+)`", cell))

    assert told == {kind: dict(offered) for kind, offered in embed_options.CHOICES.items()}
    assert f"`lang` ({', '.join(f'`{code}`' for code in LANGUAGES)};" in PAGE
    assert f"(the first {lanes_svg.MOST})" in PAGE


def test_its_answers_are_given(installation):
    bodies = {int(status): body.strip("`") for status, body, _when in rows("Answers")}
    installation.file("zoe")
    installation.refresh()
    with visiting(installation) as browser:
        page = browser.post("/settings/share-links", kind="badge").text
        path = re.findall(r'value="http://localhost(/embed/[^"]+)"', page)[0]
        client = browser.client.application.test_client()
        good = client.get(path)
        again = client.get(path, headers={"If-None-Match": good.headers["ETag"]})
        wrong = client.get(f"{path}?theme=pink")
        gone = client.get("/embed/nothing/badge.svg")

    assert [a.status_code for a in (good, again, wrong, gone)] == sorted(bodies)
    assert wrong.text == f"{bodies[400]}\n"
    assert gone.text == f"{bodies[404]}\n"
