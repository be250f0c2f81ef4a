"""What a document names and the code does not have: renamed, removed, or never there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.docs import vocabulary
from tests.docs.running import FILLERS

PLACES = ("README.md", "README.ja.md", "README.zh-CN.md", "CONTRIBUTING.md", "docs")

# Words in capitals that are nobody's state or code: files, SQL, signals, formats and conferences,
# what a reader fills in, an example's own, and other programs' environment.
_OTHERS = """
README CONTRIBUTING CHANGELOG LICENSE
CAST JOIN LIKE SHARE RETURNING SHOW PROCESSLIST RETAIN CURRENT
RLIMIT_FSIZE SIGCONT TERM
ASGI CORS CRLF EXIF HMAC HTML ICML TOIS CONTENT ENTITY RULE
REFUND_ID
NOT_PAID NO_MONEY UNCALLED UNKNOWN_MEMBER_ID
AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY NODE_EXTRA_CA_CERTS STORY_BEHIND PARTS
"""
OTHERS = frozenset(_OTHERS.split())

_SETTING = re.compile(r"\bKESSAI_[A-Z0-9_]*[A-Z0-9]\b")
_TOPIC = re.compile(r"\bec-demo\.[a-z0-9_.]*[a-z0-9]")
_PORT = re.compile(r"(?:127\.0\.0\.1|localhost):(\d+)|`(80[89]\d|90[89]\d)`")
_OPENED = re.compile(r"--tls-port (\d+)")
_CODE = re.compile(rf"(?<![\w.-])(?:{vocabulary.CODE.pattern})(?![\w-])")
_SPAN = re.compile(r"`([^`]+)`")
_MAKE = re.compile(r"\bmake ([a-z][a-z0-9-]*)")
_KESSAI = re.compile(r"(?:^\s*|[;&|(/]\s*|\$ |\w=\S* )kessai ([a-z-].*)")
# A command ends where the shell's line, its comment or the sentence does.
_END = re.compile(r"\s#|[;&>)]|\s\|")
_WORD = re.compile(r"'[^']*'|\"[^\"]*\"|[^\s'\"\[\]]+")


def problems(path: str, text: str) -> Iterator[str]:
    """`file:line: what` of every name that does not exist."""
    opened = set(_OPENED.findall(text))
    is_inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(("```", "~~~")):
            is_inside = not is_inside
            continue
        typed = [line] if is_inside or line.startswith("    ") else _SPAN.findall(line)
        for problem in (*_names(line, opened), *_typed(typed)):
            yield f"{path}:{number}: {problem}"


def _names(line: str, opened: set[str]) -> Iterator[str]:
    for name in _SETTING.findall(line):
        if name not in vocabulary.setting_names():
            yield f"no setting {name}"
    for topic in _TOPIC.findall(line):
        if topic not in vocabulary.topics():
            yield f"no topic {topic}"
    for found in _PORT.finditer(line):
        port = found[1] or found[2]
        if int(port) not in vocabulary.ports() and port not in opened:
            yield f"no port {port}"
    for word in _CODE.findall(line):
        if word.startswith("KESSAI_") or word in OTHERS or word in FILLERS:
            continue
        if not vocabulary.is_code(word):
            yield f"no state or code {word}"


def _typed(texts: list[str]) -> Iterator[str]:
    for text in texts:
        for target in _MAKE.findall(text):
            if text.strip().startswith("make ") and target not in vocabulary.targets():
                yield f"no `make {target}`"
        if found := _KESSAI.search(text):
            words = _WORD.findall(_END.split(found[1])[0])
            # `list|show` names several at once.
            first = next((n for n, word in enumerate(words) if "|" in word), None)
            several = [words] if first is None else _each(words, first)
            yield from filter(None, map(vocabulary.command_problem, several))


def _each(words: list[str], place: int) -> list[list[str]]:
    return [[*words[:place], one, *words[place + 1 :]] for one in words[place].split("|")]
