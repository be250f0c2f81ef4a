"""The words of the subset: types, exceptions, constants, and what a script may not say."""

from __future__ import annotations

from collections.abc import Mapping


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Types of variables and casts; `def` and `var` say nothing about the value.
TYPES = _words(
    """def var Object int Integer long Long double Double float Float boolean Boolean
    String Number BigDecimal BigInteger List Map"""
)

_LANG = _words(
    """Throwable Exception RuntimeException Error AssertionError StackOverflowError
    OutOfMemoryError ArithmeticException ArrayIndexOutOfBoundsException
    ClassCastException ClassNotFoundException CloneNotSupportedException
    IllegalArgumentException IllegalMonitorStateException IllegalStateException
    IndexOutOfBoundsException InterruptedException NegativeArraySizeException
    NoSuchFieldException NoSuchMethodException NullPointerException
    NumberFormatException SecurityException StringIndexOutOfBoundsException
    UnsupportedOperationException"""
)
_UTIL = _words(
    """ConcurrentModificationException EmptyStackException InputMismatchException
    MissingResourceException NoSuchElementException"""
)
_IO = _words("""EOFException FileNotFoundException IOException UncheckedIOException""")
_NET = _words(
    """ConnectException MalformedURLException NoRouteToHostException SocketException
    SocketTimeoutException URISyntaxException UnknownHostException"""
)
# What Groovy finds without an import.
EXCEPTIONS: Mapping[str, str] = {
    name: f"{package}.{name}"
    for package, names in (
        ("java.lang", _LANG),
        ("java.util", _UTIL),
        ("java.io", _IO),
        ("java.net", _NET),
    )
    for name in names
}

REFUSED: Mapping[str, str] = {
    word: what
    for what, words in (
        ("a loop", "for while do"),
        ("a switch", "switch case default"),
        ("try", "try catch finally"),
        ("a class", "class interface enum trait extends implements"),
        ("an import", "import package"),
        ("a modifier", "public private protected static abstract synchronized native transient"),
        ("an object's own view", "this super"),
        ("new outside of throw", "new"),
        ("assert", "assert"),
        ("a jump", "break continue goto"),
        ("a method", "void"),
        ("a word that Groovy keeps for itself", "const threadsafe strictfp volatile throws"),
    )
    for word in words.split()
}
# Words that are no names of variables.
RESERVED = frozenset(
    (*REFUSED, *TYPES[:1], *_words("if else return throw true false null in as instanceof"))
)

ROUNDINGS: Mapping[str, str] = {
    "UP": "ROUND_UP",
    "DOWN": "ROUND_DOWN",
    "CEILING": "ROUND_CEILING",
    "FLOOR": "ROUND_FLOOR",
    "HALF_UP": "ROUND_HALF_UP",
    "HALF_DOWN": "ROUND_HALF_DOWN",
    "HALF_EVEN": "ROUND_HALF_EVEN",
}
