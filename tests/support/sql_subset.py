"""What MySQL 8 and MariaDB 10.11 both understand: rules over the text of a statement."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Named by who refuses it. Tried on MariaDB 10.11, or in the manual of the other one.
_ONLY_MYSQL = {
    "FOR SHARE": r"\bFOR\s+SHARE\b",
    "FOR UPDATE OF": r"\bFOR\s+UPDATE\s+OF\b",
    "a row alias for an upsert": r"\)\s*AS\s+\S+(\s*\([^)]*\))?\s+ON\s+DUPLICATE\b",
    "VALUES ROW()": r"\bVALUES\s+ROW\s*\(",
    "utf8mb4_0900": r"\butf8mb4_0900_",
    "a functional index": r"\b(KEY|INDEX)\b[^(,;]*\(\s*\(",
    "-> and ->>": r"->",
    "its own functions": r"\b(UUID_TO_BIN|BIN_TO_UUID|REGEXP_LIKE|ANY_VALUE|GROUPING)\s*\(",
    "MEMBER OF": r"\bMEMBER\s+OF\b",
    "LATERAL": r"\bLATERAL\b",
    "@@transaction_isolation": r"@@(session\.|global\.)?transaction_isolation\b",
    "an invisible index": r"\bINVISIBLE\b",
    "SRID": r"\bSRID\b",
}
_ONLY_MARIADB = {
    "RETURNING": r"\bRETURNING\b",
    "@@tx_isolation": r"@@(session\.|global\.)?tx_isolation\b",
    "sequences": r"\b(CREATE|DROP)\s+SEQUENCE\b|\b(NEXTVAL|NEXT\s+VALUE\s+FOR|LASTVAL)\b",
    "CREATE OR REPLACE": r"\bCREATE\s+OR\s+REPLACE\s+(TABLE|INDEX|DATABASE|USER)\b",
    "IF [NOT] EXISTS for a part": r"\b(COLUMN|INDEX|KEY|CONSTRAINT)\s+IF\s+(NOT\s+)?EXISTS\b",
    "IF EXISTS in ALTER": r"\bALTER\s+TABLE\s+IF\s+EXISTS\b",
    "system versions": r"\bSYSTEM\s+VERSIONING\b|\bFOR\s+SYSTEM_TIME\b",
    "FOR UPDATE WAIT": r"\bFOR\s+UPDATE\s+WAIT\b",
    "SET STATEMENT": r"^\s*SET\s+STATEMENT\b",
    "ROWS EXAMINED": r"\bROWS\s+EXAMINED\b",
    "its own types": r"\b(UUID|INET4|INET6)\s*(NOT\s+NULL|NULL|,|\))",
    "its own functions": r"\b(JSON_DETAILED|JSON_LOOSE|JSON_EXISTS|JSON_QUERY|NVL2?|MEDIAN)\s*\(",
    "executable comments": r"/\*M!",
    "IGNORED": r"\)\s*IGNORED\b",
}
# Words that MySQL 8 reserves and MariaDB does not, and the other way round.
_FUNCTIONS = (
    "CUME_DIST", "DENSE_RANK", "FIRST_VALUE", "JSON_TABLE", "LAG", "LAST_VALUE", "LEAD",
    "NTH_VALUE", "NTILE", "PERCENT_RANK", "RANK",
)  # fmt: skip
_WORDS = (
    "CUBE", "EMPTY", "FUNCTION", "GROUPS", "LATERAL", "MANUAL", "PARALLEL", "QUALIFY", "SYSTEM",
    "TABLESAMPLE", "DELETE_DOMAIN_ID", "DO_DOMAIN_IDS", "IGNORE_DOMAIN_IDS", "PAGE_CHECKSUM",
    "PARSE_VCOL_EXPR", "REF_SYSTEM_ID", "STATS_PERSISTENT", "STATS_AUTO_RECALC",
    "STATS_SAMPLE_PAGES",
)  # fmt: skip
_NAME = re.compile(
    rf"(?<![@.\w])(?:({'|'.join(_FUNCTIONS)})\b(?!\s*\()|({'|'.join(_WORDS)})\b)", re.IGNORECASE
)
_QUOTED = re.compile(r"'(?:[^'\\]|''|\\.)*'|\"(?:[^\"\\]|\"\"|\\.)*\"")
_BACKTICKS = re.compile(r"`[^`]*`")
_COMMENT = re.compile(r"/\*(?!M!).*?\*/|--\s[^\n]*", re.DOTALL)
_RULES = [
    (f"only MySQL knows {what}", re.compile(pattern, re.IGNORECASE))
    for what, pattern in _ONLY_MYSQL.items()
] + [
    (f"only MariaDB knows {what}", re.compile(pattern, re.IGNORECASE))
    for what, pattern in _ONLY_MARIADB.items()
]


def violations(statement: str) -> Iterator[str]:
    """What one of the two servers would refuse. Texts in quotes and comments do not count."""
    code = _COMMENT.sub(" ", _QUOTED.sub("''", statement))
    bare = _BACKTICKS.sub("``", code)
    for what, pattern in _RULES:
        if pattern.search(bare):
            yield what
    for found in _NAME.finditer(bare):
        yield f"{found[0]} is reserved in one of the two"
